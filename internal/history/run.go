package history

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Options say which histories Check plays. The zero value of each field stands
// for the default.
type Options struct {
	Seed   uint64 // of the first history; that of each other is one more
	Steps  int    // in all histories together; 10 000
	Length int    // of one history, in steps; 1000
	World  World
	Driver Driver // Interleave

	// Enough reports whether what was asked for has come up; nil: it need not. Check plays on until it has,
	// up to ten times as many steps.
	Enough func(Report) bool

	// Count makes Check count violations instead of stopping at the first.
	Count bool

	// Patience is how long the history of a failure may be played again and
	// again to make it short; 10 s. A story that is told late may not be told
	// at all.
	Patience time.Duration
}

// A Report counts what was done. A hit violates one rule at most.
type Report struct {
	Histories, Steps, Lookups, Hits, Faults int
	Demanded, Exact                         int // of the hits; see Outcomes
	Violations                              map[Rule]int
	Counts                                  map[string]uint64 // of all servers together; see Counter
}

func (r Report) String() string {
	text := fmt.Sprintf("%d histories, %d steps, %d look-ups, %d hits checked", r.Histories, r.Steps, r.Lookups, r.Hits)
	if r.Exact > 0 {
		text += fmt.Sprintf(", %d of them exact", r.Exact)
	}
	if r.Faults > 0 {
		text += fmt.Sprintf(", %d faults", r.Faults)
	}
	return text
}

// PerMillion returns how many of a million hits violate the rule.
func (r Report) PerMillion(rule Rule) float64 {
	return 1e6 * float64(r.Violations[rule]) / float64(max(1, r.Hits))
}

// A Failure is a history that violates a promise.
type Failure struct {
	Seed      uint64
	Violation *Violation // the first
	Steps     int        // of the history that the story tells
	Story     []string
}

func (f *Failure) Error() string {
	return fmt.Sprintf("%v\nThe history has seed %d. Its story:\n  %s", f.Violation, f.Seed, strings.Join(f.Story, "\n  "))
}

// Unwrap returns the violation.
func (f *Failure) Unwrap() error { return f.Violation }

// Check plays histories until they have had as many steps as asked for, and shown enough. If a
// history violates a promise, the error is a *Failure with the story of that
// history, shrunk if it can be had again. Other errors mean that a
// history could not be played.
func Check(ctx context.Context, open Open, o Options) (Report, error) {
	if o.Steps == 0 {
		o.Steps = 10_000
	}
	if o.Length == 0 {
		o.Length = 1000
	}
	if o.Driver == nil {
		o.Driver = Interleave
	}
	if o.Patience == 0 {
		o.Patience = 10 * time.Second
	}
	r := Report{Violations: map[Rule]int{}, Counts: map[string]uint64{}}
	if o.Enough == nil {
		o.Enough = func(Report) bool { return true }
	}
	for seed := o.Seed; r.Steps < o.Steps || !o.Enough(r) && r.Steps < 10*o.Steps; seed++ {
		h := Generate(seed, o.World, o.Length)
		out, err := o.Driver(ctx, open, h, false)
		if err != nil {
			return r, fmt.Errorf("history: seed %d: %w", seed, err)
		}
		r.Histories++
		r.Steps += out.Steps
		r.Lookups += out.Lookups
		r.Hits += out.Hits
		r.Demanded += out.Demanded
		r.Exact += out.Exact
		r.Faults += out.Faults
		for what, n := range out.Counts {
			r.Counts[what] += n
		}
		for _, v := range out.Violations {
			r.Violations[v.Rule]++
		}
		if len(out.Violations) > 0 && !o.Count {
			return r, explain(ctx, open, h, out.Violations[0], o)
		}
	}
	return r, nil
}
