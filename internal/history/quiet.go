package history

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Quiet checks that the servers cache at all: what one committed transaction
// has loaded or, where the cache is warm, set after a clear, the next one on
// the same server hits. It returns the number of hits.
func Quiet(ctx context.Context, open Open) (hits int, err error) {
	w := DefaultWorld()
	for cache, spec := range w.Caches {
		if spec.Duration != 0 {
			w.Caches[cache].Duration = time.Hour // nothing expires meanwhile
		}
		w.Caches[cache].Verify = 0 // nor is said to be absent, which Get would miss
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
