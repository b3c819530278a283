package redisbackend_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// A machine that was suspended finds its monotonic clock within the term. Its process asks all the same.
func TestATermEndsWhileTheMachineIsSuspended(t *testing.T) {
	withMember(t, func(t *testing.T, server *miniredis.Miniredis, p *process, e *ear, other *process) {
		e.deaf.Store(true)
		fenced := make(chan struct{})
		go func() {
			defer close(fenced)
			mustFence(t, other)
		}()
		p.StandStill(2 * shortWait)
		<-fenced
		if !mustSync(t, p.Backend, "shop").IsFenced("a") {
			t.Error("a process whose monotonic clock stood still uses a state of before the fence")
		}
	})
}

// So a wall clock that is set forward ends a term; one that is set back does not make it longer.
func TestTheWallClockMakesNoTermLonger(t *testing.T) {
	withMember(t, func(t *testing.T, server *miniredis.Miniredis, p *process, e *ear, other *process) {
		asks := func() bool {
			trips := p.Stats().RoundTrips
			mustSync(t, p.Backend, "shop")
			return p.Stats().RoundTrips > trips
		}
		synctest.Wait()
		p.SetWallClock(time.Hour)
		if !asks() || asks() {
			t.Error("when the wall clock was set forward no term ends, or none begins")
		}
		p.SetWallClock(-2 * time.Hour)
		if asks() {
			t.Error("a wall clock that is set back ends a term")
		}
		time.Sleep(shortTerm)
		if !asks() {
			t.Error("a wall clock that is set back makes a term longer")
		}
	})
}
