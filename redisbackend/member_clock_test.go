package redisbackend_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// A machine that was suspended finds its monotonic clock within the term. Its process asks all the same.
func TestATermEndsWhileTheMachineIsSuspended(t *testing.T) {
	t.Run("in its term", func(t *testing.T) {
		withMember(t, func(t *testing.T, server *miniredis.Miniredis, p *process, e *ear, other *process) {
			suspended(t, p, e, other)
			if !mustSync(t, p.Backend, "shop").IsFenced("a") {
				t.Error("after its machine was suspended a process uses a state of before the fence")
			}
		})
	})
	t.Run("while it asks", func(t *testing.T) {
		withMember(t, func(t *testing.T, server *miniredis.Miniredis, p *process, e *ear, other *process) {
			release := asking(t, p)
			suspended(t, p, e, other)
			release()
			synctest.Wait()
			if !mustSync(t, p.Backend, "shop").IsFenced("a") {
				t.Error("an answer that came before its machine was suspended is used after the fence")
			}
		})
	})
}

// suspended lets the machine of p stand still while writer places a fence.
func suspended(t *testing.T, p *process, e *ear, writer *process) {
	e.deaf.Store(true)
	fenced := make(chan struct{})
	go func() {
		defer close(fenced)
		mustFence(t, writer)
	}()
	p.StandStill(2 * shortWait)
	<-fenced
}

// So a wall clock that is set forward ends a term; one that is set back does not make it longer.
func TestTheWallClockMakesNoTermLonger(t *testing.T) {
	withMember(t, func(t *testing.T, server *miniredis.Miniredis, p *process, e *ear, other *process) {
		asks := func() bool {
			trips := p.Stats().RoundTrips
			mustSync(t, p.Backend, "shop")
			return p.Stats().RoundTrips > trips
		}
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
