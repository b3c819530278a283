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

	// Count makes Check count violations instead of stopping at the first.
	Count bool
}

// A Report counts what was done.
type Report struct {
	Histories, Steps, Lookups, Hits int
	Violations                      map[Rule]int
}

func (r Report) String() string {
	return fmt.Sprintf("%d histories, %d steps, %d look-ups, %d hits checked", r.Histories, r.Steps, r.Lookups, r.Hits)
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

// Check plays histories until they have had as many steps as asked for. If a
// history violates a promise, the error is a *Failure with the story of that
// history, shrunk if it can be had by Interleave. Other errors mean that a
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
	r := Report{Violations: map[Rule]int{}}
	for seed := o.Seed; r.Steps < o.Steps; seed++ {
		h := Generate(seed, o.World, o.Length)
		out, err := o.Driver(ctx, open, h, false)
		if err != nil {
			return r, fmt.Errorf("history: seed %d: %w", seed, err)
		}
		r.Histories++
		r.Steps += out.Steps
		r.Lookups += out.Lookups
		r.Hits += out.Hits
		for _, v := range out.Violations {
			r.Violations[v.Rule]++
		}
		if len(out.Violations) > 0 && !o.Count {
			return r, explain(ctx, open, h, out.Violations[0])
		}
	}
	return r, nil
}

// explain makes the failure of a history that has violated a promise.
func explain(ctx context.Context, open Open, h History, v *Violation) *Failure {
	f := &Failure{Seed: h.Seed, Violation: v, Steps: len(h.Steps), Story: []string{"(it cannot be told: played again, all went well)"}}
	violates := func(out *Outcomes, err error) bool {
		return err == nil && len(out.Violations) > 0 && out.Violations[0].Rule == v.Rule
	}
	const tries = 2000
	end := time.Now().Add(10 * time.Second) // a story that is told late may not be told at all
	h = shrink(h, tries, func(h History) bool { return time.Now().Before(end) && violates(Interleave(ctx, open, h, false)) })
	if out, err := Interleave(ctx, open, h, true); violates(out, err) {
		f.Violation, f.Story, f.Steps = out.Violations[0], out.Story, len(h.Steps)
	}
	return f
}

// Quiet checks that the servers cache at all: what one committed transaction
// has loaded or, where the cache is warm, set after a clear, the next one on
// the same server hits. It returns the number of hits.
func Quiet(ctx context.Context, open Open) (hits int, err error) {
	w := DefaultWorld()
	for cache, spec := range w.Caches {
		if spec.Duration != 0 {
			w.Caches[cache].Duration = time.Hour // nothing expires meanwhile
		}
		for _, first := range quietFirsts(cache) {
			if first[1].Do == Write && !spec.Warm {
				continue
			}
			h := History{World: w, Steps: append(first,
				Step{Tx: 2, Do: Begin, ReadOnly: true},
				Step{Tx: 2, Do: Get, Cache: cache, Who: 1},
				Step{Tx: 2, Do: GetMany, Cache: cache, Who: 1},
				Step{Tx: 2, Do: Commit},
			)}
			out, err := Interleave(ctx, open, h, true)
			if err != nil {
				return hits, err
			}
			hits += out.Hits
			if len(out.Violations) > 0 {
				return hits, &Failure{Violation: out.Violations[0], Steps: len(h.Steps), Story: out.Story}
			}
			if out.Hits < 2 {
				return hits, fmt.Errorf("history: nothing stood in the way of hits, but there were misses:\n  %s", strings.Join(out.Story, "\n  "))
			}
		}
	}
	return hits, nil
}

// quietFirsts returns transactions that leave a value in the cache.
func quietFirsts(cache int) [][]Step {
	commit := []Step{{Tx: 1, Do: Commit}, {Tx: 1, Do: Continue}, {Tx: 1, Do: Continue}}
	var firsts [][]Step
	for _, readOnly := range []bool{true, false} {
		for _, do := range []Action{Load, Fill} {
			firsts = append(firsts, append([]Step{
				{Tx: 1, Do: Begin, ReadOnly: readOnly},
				{Tx: 1, Do: do, Cache: cache, Who: 1}, {Tx: 1}, {Tx: 1},
			}, commit...))
		}
	}
	return append(firsts, append([]Step{
		{Tx: 1, Do: Begin},
		{Tx: 1, Do: Write, Cache: cache, ClearFirst: true}, {Tx: 1},
		{Tx: 1, Do: Load, Cache: cache, Who: 1}, {Tx: 1}, {Tx: 1},
	}, commit...))
}
