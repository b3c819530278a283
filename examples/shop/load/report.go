package load

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// A Report is what a run found.
type Report struct {
	Elapsed   time.Duration
	Latencies []Latency
	Caches    []Counts // by name, of all servers together

	Checked     int64 // prices that were read and compared with what was known
	Written     int64 // changes that were made
	Refused     int64 // changes that broke a rule, and were rolled back
	Unavailable int64 // changes that were not made because the cache was away
	Unanswered  int64 // requests that got no answer, with Options.Restarts

	Violated   int      // prices that must not have been shown
	Violations []string // the first few
	Failed     int      // requests that were not answered as they should be
	Failures   []string // the first few
}

// A Latency is how long requests of a kind took, in microseconds.
type Latency struct {
	Kind string
	*hdrhistogram.Histogram
}

func (r *run) report(elapsed time.Duration, clients []*client, before, after map[string]map[string]Counts) *Report {
	report := &Report{
		Elapsed: elapsed,
		Checked: r.checked.Load(), Written: r.written.Load(), Refused: r.refused.Load(), Unavailable: r.unavailable.Load(), Unanswered: r.unanswered.Load(),
		Violated: r.violated, Violations: r.violations, Failed: r.failed, Failures: r.failures,
	}
	for kind, name := range kindNames {
		all := hdrhistogram.New(1, time.Minute.Microseconds(), 3)
		for _, c := range clients {
			all.Merge(c.latencies[kind])
		}
		report.Latencies = append(report.Latencies, Latency{name, all})
	}
	sums := map[string]Counts{}
	for url, caches := range after {
		for name, counts := range caches {
			sums[name] = counts.since(before[url][name]).plus(sums[name])
		}
	}
	report.Caches = slices.SortedFunc(maps.Values(sums), byName)
	return report
}

// Print writes the report as text.
func (r *Report) Print(w io.Writer) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(cells ...any) {
		for _, cell := range cells {
			fmt.Fprintf(table, "%v\t", cell)
		}
		fmt.Fprintln(table)
	}
	ms := func(h *hdrhistogram.Histogram, quantile float64) string {
		return fmt.Sprintf("%.2f ms", float64(h.ValueAtQuantile(quantile))/1000)
	}
	line("request", "count", "a second", "p50", "p95", "p99", "max")
	for _, l := range r.Latencies {
		line(l.Kind, l.TotalCount(), int(float64(l.TotalCount())/r.Elapsed.Seconds()), ms(l.Histogram, 50), ms(l.Histogram, 95), ms(l.Histogram, 99), ms(l.Histogram, 100))
	}
	table.Flush()
	fmt.Fprintln(w)
	line("cache", "hits", "of them remote", "misses", "hit ratio", "clears")
	for _, c := range r.Caches {
		line(c.Name, c.Hits, c.RemoteHits, c.Misses, fmt.Sprintf("%.1f %%", 100*c.HitRatio()), c.Clears)
	}
	table.Flush()
	fmt.Fprintf(w, "\n%d changes, %d refused and rolled back, %d not made as the cache was away\n", r.Written, r.Refused, r.Unavailable)
	if r.Unanswered > 0 {
		fmt.Fprintf(w, "%d requests without an answer, as servers were restarted\n", r.Unanswered)
	}
	fmt.Fprintf(w, "%d prices checked, %d violations\n", r.Checked, r.Violated)
	for _, violation := range r.Violations {
		fmt.Fprintln(w, "  "+violation)
	}
	if r.Failed > 0 {
		fmt.Fprintf(w, "%d requests failed\n", r.Failed)
	}
	for _, failure := range r.Failures {
		fmt.Fprintln(w, "  "+failure)
	}
}
