package load

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// A Report is what a run found.
type Report struct {
	Elapsed   time.Duration
	Latencies []Latency

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

// A Latency is how long requests of a kind took.
type Latency struct {
	Kind string
	Took []time.Duration // ascending
}

// quantile returns the time within which the share q of the requests was answered, 0 if there was none.
func (l Latency) quantile(q float64) time.Duration {
	if len(l.Took) == 0 {
		return 0
	}
	return l.Took[int(q*float64(len(l.Took)-1))]
}

func (r *run) report(elapsed time.Duration, clients []*client) *Report {
	report := &Report{
		Elapsed: elapsed,
		Checked: r.checked.Load(), Written: r.written.Load(), Refused: r.refused.Load(), Unavailable: r.unavailable.Load(), Unanswered: r.unanswered.Load(),
		Violated: r.violated, Violations: r.violations, Failed: r.failed, Failures: r.failures,
	}
	for kind, name := range kindNames {
		l := Latency{Kind: name}
		for _, c := range clients {
			l.Took = append(l.Took, c.latencies[kind]...)
		}
		slices.Sort(l.Took)
		report.Latencies = append(report.Latencies, l)
	}
	return report
}

// Print writes the report as text.
func (r *Report) Print(w io.Writer) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "request\tcount\ta second\tp50\tp95\tp99\tmax\t")
	for _, l := range r.Latencies {
		fmt.Fprintf(table, "%s\t%d\t%.0f\t", l.Kind, len(l.Took), float64(len(l.Took))/r.Elapsed.Seconds())
		for _, q := range []float64{0.5, 0.95, 0.99, 1} {
			fmt.Fprintf(table, "%.2f ms\t", l.quantile(q).Seconds()*1000)
		}
		fmt.Fprintln(table)
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
