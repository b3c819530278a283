package history

import (
	"context"
	"time"
)

// A replay is a way to have a failure again: by some driver, which may need
// several tries.
type replay struct {
	driver Driver
	tries  int
}

// explain makes the failure of a history that has violated a promise. The story
// is Interleave's if the failure can be had by that: it is the same each time.
// Else it is that of the driver that has found it.
func explain(ctx context.Context, open Open, h History, v *Violation, o Options) *Failure {
	const shorter = 2000 // tries to make the history shorter
	end := time.Now().Add(o.Patience)
	for _, r := range []replay{{Interleave, 1}, {o.Driver, 10}} {
		var failed *Outcomes // of the shortest history that fails
		fails := func(h History) bool {
			for n := 0; n < r.tries && time.Now().Before(end); n++ {
				if out, err := r.driver(ctx, open, h, true); err == nil && len(out.Violations) > 0 && out.Violations[0].Rule == v.Rule {
					failed = out
					return true
				}
			}
			return false
		}
		if fails(h) {
			h = shrink(h, shorter, fails)
			return &Failure{Seed: h.Seed, Violation: failed.Violations[0], Steps: len(h.Steps), Story: failed.Story}
		}
	}
	return &Failure{Seed: h.Seed, Violation: v, Steps: len(h.Steps), Story: []string{"(it cannot be told: played again, all went well)"}}
}
