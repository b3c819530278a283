package backendtest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/seed-dad15c92/txcache/internal/cause"
)

// ErrSkipped is what Check returns, wrapped, for a rule that does not apply.
var ErrSkipped = errors.New("txcache: rule does not apply")

// A Rule is one thing that users of a backend rely on.
type Rule struct {
	Name string // lower-case words joined by hyphens, unique
	Why  string // what goes wrong for users of a backend that breaks it

	needs needs
	run   func(t *trial)
}

// needs is what an authority must have for a rule to apply.
type needs struct {
	time    bool // Advance
	lapse   bool // fences with a lease
	restart bool // Restart
	counts  bool // States with a Number
	values  bool // Backends that implement backend.Values
	swaps   bool // and backend.Swapper
	timed   bool // and backend.Timed
	forgets bool // Backends that implement backend.Forgetter
}

// Rules returns all rules, in the order in which they are best read.
func Rules() []Rule {
	return slices.Concat(syncRules, stateRules, tokenRules, fenceRules, clearRules, leaseRules,
		restartRules, dropRules, islandRules, numberRules, deleteRules, tagRules, keyFenceRules, differenceRules, valueRules, valueLifeRules, swapRules, forgetRules, closeRules, concurrentRules)
}

// Check holds the Backends of a to the rule. It returns nil if they keep it, an
// error that wraps [ErrSkipped] if the rule does not apply, and otherwise one
// that tells what was seen and why it matters. The authority must be fresh.
func (r Rule) Check(ctx context.Context, a Authority) error {
	if err := a.validate(); err != nil {
		return err
	}
	switch {
	case r.needs.lapse && a.Lease == 0:
		return fmt.Errorf("%w: the fences of this authority have no lease", ErrSkipped)
	case r.needs.time && a.Advance == nil:
		return fmt.Errorf("%w: time stands still", ErrSkipped)
	case r.needs.restart && a.Restart == nil:
		return fmt.Errorf("%w: the authority cannot be restarted", ErrSkipped)
	}

	t := &trial{Authority: a, ctx: ctx}
	t.parallel(1, func(int) {
		t.first = t.open("the first server")
		if r.needs.counts {
			t.requireCounts()
		}
		if r.needs.values {
			t.requireValues()
		}
		if r.needs.swaps {
			t.requireSwaps()
		}
		if r.needs.timed {
			t.requireTimed()
		}
		if r.needs.forgets {
			t.requireForgets()
		}
		r.run(t)
	})
	t.closeAll()
	if err := t.outcome(); errors.Is(err, ErrSkipped) {
		return err
	} else if err != nil {
		return fmt.Errorf("txcache: backend breaks the rule %s: %w\n%s", r.Name, cause.Of(err), r.Why)
	}
	return nil
}
