// Package backendtest holds a backend to the rules of package backend.
//
// A test of a backend opens a fresh authority for each rule and says what its
// backends promise:
//
//	func TestRules(t *testing.T) {
//		backendtest.Run(t, func(t *testing.T) backendtest.Authority {
//			server := startServer(t)
//			return backendtest.Authority{
//				Open:    func(ctx context.Context) (backend.Backend, error) { return Dial(ctx, server.Addr) },
//				Lease:   time.Minute,
//				Advance: server.MoveClock,
//			}
//		})
//	}
//
// Each rule is a subtest; its failure tells what was seen and what a user would
// suffer from it. The rules about values run for a Backend that implements
// backend.Values as well, those about swaps for one that is a
// backend.Swapper, and that about forgetting for a backend.Forgetter. A Backend that panics or does not return fails the
// rule it does so in, not the run.
//
// A test that moves time by testing/synctest runs every rule in a bubble of its
// own, which Run cannot do; see the example of [Rules].
package backendtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
)

// An Authority is a place where Backends keep their generations, which none has
// used before, and what they promise.
type Authority struct {
	// Open returns a Backend on the authority. Each call stands for another
	// server, as another process would be. Where the authority lives in the
	// process, Open may return the same Backend each time. The rules close
	// what they open. It is required.
	Open func(ctx context.Context) (backend.Backend, error)

	// Lease is the lease of fences in the rules on how fences lapse, and the
	// time to live of the values that expire. The rules let a quarter of it
	// pass unused at least, so in real time a second or two is right.
	// 0: the fences of this authority do not lapse.
	Lease time.Duration

	// Advance lets d pass, on the clocks of the authority and of the process:
	// time.Sleep does, in real time or within a bubble of testing/synctest.
	// nil: time stands still, and the rules on expiring values are skipped.
	// It is required with Lease and Staleness.
	Advance func(d time.Duration)

	// Staleness is how long what one server did may stay unknown to another.
	// What a server did itself it must know at once all the same.
	// 0: Sync sees everything.
	Staleness time.Duration

	// Restart ends the authority and starts it again, where the Backends find it,
	// without anything that it kept only in memory, and with a clock that may be
	// behind that of the life before. It returns when the authority answers.
	// nil: there is nothing to restart, as the authority lives in the process.
	Restart func()
}

func (a Authority) validate() error {
	switch {
	case a.Open == nil:
		return errors.New("txcache: backendtest: Authority.Open is nil")
	case a.Lease < 0 || a.Staleness < 0:
		return errors.New("txcache: backendtest: Authority has a negative duration")
	case a.Advance == nil && (a.Lease > 0 || a.Staleness > 0):
		return errors.New("txcache: backendtest: Authority has a Lease or Staleness, and no Advance")
	}
	return nil
}

// Run checks every rule in a subtest of its own, on an authority of its own
// from open. A rule that the authority declares not to apply is skipped.
//
// One rule looks for goroutines that Close leaves behind, so nothing else
// should be starting goroutines meanwhile: call Run from a test that is not
// parallel.
func Run(t *testing.T, open func(t *testing.T) Authority) {
	for _, rule := range Rules() {
		t.Run(rule.Name, func(t *testing.T) {
			err := rule.Check(t.Context(), open(t))
			if errors.Is(err, ErrSkipped) {
				t.Skip(err)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
}
