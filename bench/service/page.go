package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/seed-dad15c92/txcache/bench/measure"
	"github.com/seed-dad15c92/txcache/bench/report"
)

// A page has what the report says.
type page struct {
	settings Settings
	machine  report.Machine
	postgres string // version
	load     string // average of the machine before; "" if it is not known
	tables   []*table
}

// A table is what came of the variants while rows were changed in the same way.
type table struct {
	title string
	chart string // file
	hot   bool   // see Settings
	rows  []*row // the first is that without a cache
}

// writeFolder writes service.md and its charts.
func (p *page) writeFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, t := range p.tables {
		var bars []report.Amount
		for _, r := range t.rows {
			a := report.Amount{Name: r.variant.Name, Spread: measure.SpreadOf(r.rate), Warns: r.stale > 0}
			a.Label = fmt.Sprintf("%.0f (×%.1f), %s stale", a.Spread.Median, r.times(t.rows[0]).Median, share(r))
			bars = append(bars, a)
		}
		svg, err := report.Amounts(t.title, "requests a second; orange: some reads were stale", bars)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, t.chart), svg, 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "service.md"), []byte(p.text(true)), 0o644)
}

// share writes the stale reads of a row in %.
func share(r *row) string {
	switch s := r.staleness(); {
	case r.stale == 0:
		return "0"
	case s < 0.01:
		return fmt.Sprintf("%.4f %%", s)
	default:
		return fmt.Sprintf("%.2f %%", s)
	}
}

const introduction = `# A service, measured

What a user of a service sees: requests a second, and how long a request takes, of a service of two processes over one PostgreSQL. The page is written by

` + "```sh" + `
go -C bench run ./service -o ../docs/benchmarks   # -quick for a trial, -only for some of it
` + "```" + `

**What.** %d clients, half of them in each process, have one request each at a time. %.0f %% of the requests read %d rows by their keys, the others change one row in a transaction. There are %d rows of some 300 bytes, and room for all of them in every cache.
The rows to read are chosen by Zipf's law with an exponent of %.1f; those to change evenly in the first table, and by the same law in the second. Each service begins on empty caches, reads every row once, and runs for %v before it is measured for %v; all take turns, %d rounds, in another order each.
Figures are medians of the rounds, with the quartiles in brackets; × is the multiple of PostgreSQL alone in the same round.

**Stale** is a read that returned an older version of a row than one whose commit had returned, in any process, before the read began. Each change counts the version of its row up, and the processes share a table, in mapped memory,
of the newest versions whose commits have returned. A read notes what the table has of its keys before it begins, and compares.

**How.** All have the same connections, %d in all, and the same statements: the rows that are needed are read by one (` + "`WHERE id = ANY($1)`" + `), and a change is ` + "`BEGIN`, `UPDATE` and `COMMIT`" + `. PostgreSQL's own settings are its defaults, and commits are durable.

| service | how it reads | how it changes a row |
|---|---|---|
| PostgreSQL alone | one statement, without a transaction | |
| go-redis/cache | 20 × ` + "`Get`" + `, as it has no other; one statement for the rows that it lacks, ` + "`Set`" + ` for each | ` + "`Delete`" + ` after the commit |
| go-redis/cache, local cache | the same, with the local cache of its README, whose values live for a minute | the same: another process keeps its local copy |
| go-redis, MGET by hand | ` + "`MGET`" + `; one statement, a pipeline of ` + "`SET`" + ` | ` + "`DEL`" + ` after the commit |
| rueidis, client-side cache | ` + "`MGetCache`" + `; one statement, a pipeline of ` + "`SET`" + ` | ` + "`DEL`" + ` after the commit; the server tells the other process |
| otter, 1 s | ` + "`BulkGet`" + `, with a loader of one statement; values live for a second | ` + "`Invalidate`" + ` after the commit |
| otter, pub/sub | ` + "`BulkGet`" + ` | the same, and the key is published on a channel of Redis, whose subscribers invalidate it |
| txcache | ` + "`LoadMany` in a `Store.View`" + `, with a loader of one statement without a transaction, as PostgreSQL gives each statement a snapshot of its own; at class ` + "`sql`" + ` in a ` + "`txpgx.View`" + ` | ` + "`Delete` in the `txpgx.Update`" + ` that changes the row |

txcache has the defaults of its configuration but for ` + "`size`" + `; one file chooses the class. Its services at class ` + "`sql`" + ` read at repeatable read, where a hit is what the transaction's own snapshot would show, unless the row says otherwise.
Class ` + "`memory`" + ` is for one process, so its service is one with all clients, and otter stands beside it as one process too. With ` + "`sync = \"channel\"`" + ` and a duration a read may be stale for a bounded time, and with the others never.
`

// text returns the page, with its charts or without.
func (p *page) text(charts bool) string {
	var w strings.Builder
	s := p.settings
	fmt.Fprintf(&w, introduction, s.Clients, 100-100*s.Writes, s.Read, s.Rows, s.Skew, s.Warm, s.Time, s.Rounds, s.Pool)
	fmt.Fprint(&w, "\n**Where.** ")
	if p.machine.CPU != "" {
		fmt.Fprintf(&w, "%s, ", p.machine.CPU)
	}
	fmt.Fprintf(&w, "%d cores, %s, %s, PostgreSQL %s, Redis %s, all on this one machine. So what a request costs is what it costs them together, and a network would add its time to each round trip.\n",
		p.machine.Cores, p.machine.System, p.machine.Go, p.postgres, p.machine.Redis)
	if p.load != "" {
		fmt.Fprintf(&w, "\nThe load average of the machine was %s when this began; what else it does slows down all of them.\n", p.load)
	}
	for _, t := range p.tables {
		fmt.Fprintf(&w, "\n## %s\n\n", t.title)
		if charts {
			fmt.Fprintf(&w, "![Requests a second; the table below has the same figures](%s)\n\n", t.chart)
		}
		t.write(&w)
	}
	return w.String()
}

func (t *table) write(w *strings.Builder) {
	w.WriteString("| service | requests a second | × | a read, median, ms | p99, ms | a change, p99, ms | reads that asked PostgreSQL for rows, % | stale reads |\n|---|--:|--:|--:|--:|--:|--:|--:|\n")
	median := func(all []float64) float64 { return measure.SpreadOf(all).Median }
	for _, r := range t.rows {
		rate, times := measure.SpreadOf(r.rate), r.times(t.rows[0])
		fmt.Fprintf(w, "| %s | %.0f (%.0f–%.0f) | %.2f (%.2f–%.2f) | %.2f | %.1f | %.1f | %.1f | %s |\n", r.variant.Name, rate.Median, rate.Low, rate.High,
			times.Median, times.Low, times.High, median(r.half), median(r.slow), median(r.write), median(r.asked), share(r))
	}
	t.writeAims(w)
}

// fastest returns the fastest of a kind with so many processes, nil if there is none.
func (t *table) fastest(k kind, processes int) *row {
	var best *row
	for _, r := range t.rows {
		if r.variant.Kind == k && r.variant.Processes == processes && (best == nil || measure.SpreadOf(r.rate).Median > measure.SpreadOf(best.rate).Median) {
			best = r
		}
	}
	return best
}

// writeAims says of each service of txcache what was aimed at.
func (t *table) writeAims(w *strings.Builder) {
	const least = 3
	fmt.Fprintf(w, "\nWhat was aimed at: %d times PostgreSQL alone; no less than the fastest cache-aside of as many processes; no stale reads, where the mode allows none.\n\n", least)
	fmt.Fprintf(w, "| service | ≥ %d × PostgreSQL alone | beside the fastest cache-aside, ≥ 1 | stale reads |\n|---|---|---|---|\n", least)
	for _, r := range t.rows {
		if r.variant.Kind != ours {
			continue
		}
		beside := "–"
		if best := t.fastest(aside, r.variant.Processes); best != nil {
			times := r.times(best).Median
			beside = fmt.Sprintf("%s: %.2f of %s", holds(times >= 1), times, best.variant.Name)
		}
		stale := holds(r.stale == 0) + ": " + share(r)
		if !r.variant.Exact {
			stale = "allowed: " + share(r)
		}
		times := r.times(t.rows[0]).Median
		fmt.Fprintf(w, "| %s | %s: %.2f | %s | %s |\n", r.variant.Name, holds(times >= least), times, beside, stale)
	}
}

func holds(yes bool) string {
	if yes {
		return "yes"
	}
	return "**no**"
}
