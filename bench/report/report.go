package report

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/seed-dad15c92/txcache/bench/hitratio"
	"github.com/seed-dad15c92/txcache/bench/measure"
)

// A Report is all that is to be written.
type Report struct {
	Machine Machine
	Options measure.Options
	Results []*measure.Result

	HitRatios []hitratio.Row // of eviction policies; shown last
}

// HitRatios is the heading of the hit ratios.
const HitRatios = "Hit ratios"

// WriteFolder writes README.md, a chart for each section, and results.json.
func (r *Report) WriteFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	charts := map[string]string{}
	for _, section := range r.sections() {
		file := chartFile(section)
		svg, err := Chart(section, r.of(section))
		if err != nil {
			return fmt.Errorf("chart of %q: %w", section, err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), svg, 0o644); err != nil {
			return err
		}
		charts[section] = file
	}
	var text strings.Builder
	if err := r.write(&text, charts); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "README.md"), []byte(text.String()), 0o644); err != nil {
		return err
	}
	return r.WriteJSON(filepath.Join(dir, "results.json"))
}

// WriteJSON writes the results, those of every round too.
func (r *Report) WriteJSON(file string) error {
	data, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(data, '\n'), 0o644)
}

// WriteMarkdown writes the tables.
func (r *Report) WriteMarkdown(w io.Writer) error {
	var text strings.Builder
	if err := r.write(&text, nil); err != nil {
		return err
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// sections returns the headings in the order of their results.
func (r *Report) sections() []string {
	var all []string
	for _, x := range r.Results {
		if !slices.Contains(all, x.Section) {
			all = append(all, x.Section)
		}
	}
	return all
}

func (r *Report) of(section string) []*measure.Result {
	return slices.DeleteFunc(slices.Clone(r.Results), func(x *measure.Result) bool { return x.Section != section })
}

// chartFile returns the name of the chart of a section.
func chartFile(section string) string {
	return strings.Map(func(c rune) rune {
		if c == ' ' {
			return '-'
		}
		return c
	}, strings.ToLower(section)) + ".svg"
}

const introduction = `# Benchmarks

txcache beside what else a Go program would use. The page is written by

` + "```sh" + `
go -C bench run . -o ../docs/benchmarks   # -quick for a trial, -only for some of it
` + "```" + `

**How.** The two sides of a row take turns in slices of %v, %d rounds, the first of them being the second in the next round, with a garbage collection before each slice. The ratio
is that of txcache by the other within one round, **below 1 where txcache takes less**; given are the median of the rounds and, in brackets, the quartiles. So what else the machine does
strikes both sides alike. Times and allocations are the medians for one operation; with several goroutines a time is the wall time by the operations of all of them. Both sides have the same keys and values and room
for as many; each is checked to return the right values before it is measured, and a wrong one or an unexpected miss ends the run. Nothing was tuned for these figures: all have the
settings of their documentation.

**What they are not.** The others are caches; txcache is a part of a transaction, which keeps uncommitted values apart and old ones out. None of the others does
that, so a row says what the guarantee costs, or what it does not. Redis runs on the same machine: a network adds its time to each round trip of both sides.

**More.** [A whole service](service.md) over PostgreSQL, with what was stale; [deletes](deletes.md).
`

func (r *Report) write(w *strings.Builder, charts map[string]string) error {
	fmt.Fprintf(w, introduction, r.Options.Slice, r.Options.Rounds)
	r.writeMachine(w)
	r.writeBars(w)
	for _, section := range r.sections() {
		fmt.Fprintf(w, "\n## %s\n\n", section)
		if file := charts[section]; file != "" {
			fmt.Fprintf(w, "![Ratios by row; the table below has the same figures](%s)\n\n", file)
		}
		writeTable(w, r.of(section))
	}
	if len(r.HitRatios) == 0 {
		return nil
	}
	fmt.Fprintf(w, "\n## %s\n\nPer cent of the accesses to a cache of that size that hit; `near` is txcache's.\n\n", HitRatios)
	return hitratio.Write(w, r.HitRatios)
}

func (r *Report) writeMachine(w *strings.Builder) {
	m := r.Machine
	fmt.Fprintf(w, "\n**Where.** ")
	if m.CPU != "" {
		fmt.Fprintf(w, "%s, ", m.CPU)
	}
	fmt.Fprintf(w, "%d cores, %s, %s", m.Cores, m.System, m.Go)
	if m.Redis == "" {
		fmt.Fprint(w, ", no redis-server: what needs one is left out.\n")
	} else {
		fmt.Fprintf(w, ", Redis %s.\n", m.Redis)
	}
	if len(m.Peers) > 0 {
		fmt.Fprint(w, "\n**Not beside:** samber/hot, eko/gocache, mgtv-tech/jetcache-go and rueidisaside, whose sources could not be had where this was made.\n")
		fmt.Fprint(w, "\n**Beside.**")
		for i, path := range slices.Sorted(maps.Keys(m.Peers)) {
			if i > 0 {
				fmt.Fprint(w, ",")
			}
			fmt.Fprintf(w, " %s %s", strings.TrimPrefix(path, "github.com/"), m.Peers[path])
		}
		fmt.Fprint(w, ".\n")
	}
}

func (r *Report) writeBars(w *strings.Builder) {
	var rows []string
	held := 0
	for _, x := range r.Results {
		for _, b := range x.Bars {
			holds := "**no**"
			if b.Holds(x) {
				holds = "yes"
				held++
			}
			limit := "≤ "
			if b.Least {
				limit = "≥ "
			}
			of := b.Of
			if of == measure.Time {
				of = x.Unit
			}
			write := number
			if b.Of == measure.Allocs {
				write = allocations
			}
			rows = append(rows, fmt.Sprintf("| %s | %s | %s | %s | %s%s | %s%s | %s |\n",
				x.Title(), x.Subject.Name, x.Peer.Name, of, limit, write(b.Limit), write(b.Reached(x)), within(b, x), holds))
		}
	}
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(w, "\n## What was aimed at\n\n%d of %d hold.\n\n", held, len(rows))
	fmt.Fprint(w, "| what | txcache | beside | of | aim | reached | holds |\n|---|---|---|---|--:|--:|---|\n")
	for _, row := range rows {
		fmt.Fprint(w, row)
	}
}

// within returns the quartiles of what a bar is of, "" if there are none.
func within(b measure.Bar, r *measure.Result) string {
	switch b.Of {
	case measure.Ratio:
		return quartiles(r.Ratio)
	case measure.Time:
		return quartiles(r.Subject.Spread)
	}
	return ""
}

func quartiles(s measure.Spread) string {
	return fmt.Sprintf(" (%s–%s)", number(s.Low), number(s.High))
}

func writeTable(w *strings.Builder, results []*measure.Result) {
	figures := figureNames(results)
	fmt.Fprint(w, "| what | txcache | beside | ratio | txcache | beside | allocations | bytes allocated |")
	for _, name := range figures {
		fmt.Fprintf(w, " %s |", name)
	}
	fmt.Fprint(w, "\n|---|---|---|--:|--:|--:|--:|--:|", strings.Repeat("--:|", len(figures)), "\n")
	for _, x := range results {
		fmt.Fprintf(w, "| %s | %s | %s | %s%s | %s | %s |", x.Title(), x.Subject.Name, x.Peer.Name,
			number(x.Ratio.Median), quartiles(x.Ratio), quantity(x.Subject.Spread.Median, x.Unit), quantity(x.Peer.Spread.Median, x.Unit))
		if x.Unit == measure.Nanoseconds.String() && x.Subject.Allocs+x.Peer.Allocs+x.Subject.Bytes+x.Peer.Bytes > 0 {
			fmt.Fprintf(w, " %s / %s | %s / %s |", allocations(x.Subject.Allocs), allocations(x.Peer.Allocs), number(x.Subject.Bytes), number(x.Peer.Bytes))
		} else {
			fmt.Fprint(w, " | |") // it measured once by itself
		}
		for _, name := range figures {
			fmt.Fprintf(w, " %s |", beside(x, name))
		}
		fmt.Fprintln(w)
	}
}

func beside(x *measure.Result, name string) string {
	s, inSubject := x.Subject.Figures[name]
	p, inPeer := x.Peer.Figures[name]
	if !inSubject && !inPeer {
		return ""
	}
	return number(s) + " / " + number(p)
}

func figureNames(results []*measure.Result) []string {
	names := map[string]bool{}
	for _, x := range results {
		for _, o := range []measure.Outcome{x.Subject, x.Peer} {
			for name := range o.Figures {
				names[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// quantity writes x with a unit that suits its size.
func quantity(x float64, unit string) string {
	switch unit {
	case measure.Nanoseconds.String():
		switch d := time.Duration(x); {
		case d >= time.Second:
			return number(d.Seconds()) + " s"
		case d >= time.Millisecond:
			return number(x/1e6) + " ms"
		case d >= 10*time.Microsecond:
			return number(x/1e3) + " µs"
		}
	case measure.Bytes.String():
		if x >= 10_000 {
			return number(x/1e3) + " kB"
		}
	}
	return number(x) + " " + unit
}

// allocations writes a number of allocations; a few of the runtime's own in a
// slice are none.
func allocations(x float64) string {
	if x <= 0.005 {
		return "0"
	}
	return number(x)
}

// number writes x with three digits that matter, all of those before the point.
func number(x float64) string {
	switch size := max(x, -x); {
	case size >= 100 || size == 0:
		return fmt.Sprintf("%.0f", x)
	case size >= 10:
		return fmt.Sprintf("%.1f", x)
	case size >= 0.1:
		return fmt.Sprintf("%.2f", x)
	}
	return fmt.Sprintf("%.2g", x)
}
