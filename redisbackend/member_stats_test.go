package redisbackend_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// What a change has waited for is counted by the change's own process.
func TestWaitsAreCounted(t *testing.T) {
	for name, c := range map[string]struct {
		prepare        func(t *testing.T, server *miniredis.Miniredis, p *process, e *ear, other *process)
		late, waitsOut uint64
	}{
		"a member acknowledges at once": {func(t *testing.T, _ *miniredis.Miniredis, _ *process, _ *ear, other *process) {
			g := newGate(other.client)
			release := g.hold(g.after, "evalsha") // so that it does not ask again before
			go func() {
				synctest.Wait()
				release()
			}()
		}, 0, 0},
		"a member acknowledges late": {func(t *testing.T, _ *miniredis.Miniredis, p *process, _ *ear, _ *process) {
			g := newGate(p.client)
			release := g.hold(g.before, "evalsha") // the acknowledgement
			time.AfterFunc(shortTerm/2, release)
		}, 1, 0},
		"a member does not acknowledge": {func(_ *testing.T, _ *miniredis.Miniredis, _ *process, e *ear, _ *process) {
			e.deaf.Store(true)
		}, 1, 1},
		"nobody knows the members": {func(t *testing.T, server *miniredis.Miniredis, _ *process, _ *ear, _ *process) {
			server.FlushAll()
		}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			withMember(t, func(t *testing.T, server *miniredis.Miniredis, p *process, e *ear, other *process) {
				c.prepare(t, server, p, e, other)
				before := other.Stats()
				mustFence(t, other)
				s := other.Stats()
				if n := s.WaitDurations.Total() - before.WaitDurations.Total(); n != 1 {
					t.Errorf("of one wait it counts how long %d took", n)
				}
				if s.Waits-before.Waits != 1 || s.LateWaits-before.LateWaits != c.late || s.WaitedOut-before.WaitedOut != c.waitsOut {
					t.Errorf("of one wait it counts %d, late %d, waited out %d", s.Waits-before.Waits, s.LateWaits-before.LateWaits, s.WaitedOut-before.WaitedOut)
				}
			})
		})
	}
}

// Terms are those that run now.
func TestTermsAreCounted(t *testing.T) {
	withMember(t, func(t *testing.T, _ *miniredis.Miniredis, p *process, _ *ear, other *process) {
		count := func(of *process, want int, when string) {
			t.Helper()
			if n := of.Stats().Terms; n != want {
				t.Errorf("%s there are %d terms, want %d", when, n, want)
			}
		}
		count(p, 1, "at first")
		trusting(t, p, "another")
		count(p, 2, "with another database")
		count(other, 0, "in a process that asks each time")
		mustClear(t, other.Backend, "shop", "a")
		synctest.Wait()
		count(p, 1, "after a change")
		time.Sleep(shortTerm)
		count(p, 0, "after their time")
	})
}
