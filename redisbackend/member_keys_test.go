package redisbackend_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/seed-dad15c92/txcache/backend"
)

// keyFenced reports whether s shows a key of cache "a" as fenced.
func keyFenced(s *backend.State, hash uint64) bool {
	return slices.ContainsFunc(s.FencedKeys, func(k backend.Keys) bool { return k.Cache == "a" && slices.Contains(k.Hashes, hash) })
}

// keyDeleted reports whether s shows a delete of a key of cache "a".
func keyDeleted(s *backend.State, hash uint64) bool {
	last, _ := s.Deletes.Of("a").Last(hash)
	return last > 0
}

// mustFenceKeys places a fence on keys of cache "a" of "shop".
func mustFenceKeys(t *testing.T, p *process, hashes ...uint64) backend.Fence {
	t.Helper()
	f := deleting("a", hashes...)
	if err := p.Fence(t.Context(), "shop", f); err != nil {
		t.Fatal(err)
	}
	return f
}

// mustClearFence clears what is fenced by f.
func mustClearFence(t *testing.T, p *process, f backend.Fence) *backend.State {
	t.Helper()
	s, err := p.Clear(t.Context(), "shop", f)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// unasked returns what p knows of "shop" without asking. The process must have a term.
func unasked(t *testing.T, p *process) *backend.State {
	t.Helper()
	synctest.Wait()
	trips := p.Stats().RoundTrips
	s := mustSync(t, p.Backend, "shop")
	mustSync(t, p.Backend, "shop") // two are enough to be worth the term
	if now := p.Stats().RoundTrips; now != trips {
		t.Fatalf("the term has ended: %d requests were sent", now-trips)
	}
	return s
}

// A delete of a key costs other processes no term: they go on, without this key until they have the next state.
func TestAFenceOfKeysEndsNoTerm(t *testing.T) {
	withMember(t, func(t *testing.T, server *miniredis.Miniredis, p *process, _ *ear, other *process) {
		time.Sleep(shortTerm)
		before := trusting(t, p, "shop")
		g := newGate(p.client)
		start := time.Now()
		for hash := uint64(1); hash <= 20; hash++ {
			f := mustFenceKeys(t, other, hash, 100)
			s := mustSync(t, p.Backend, "shop")
			if !keyFenced(s, hash) || keyFenced(s, hash-1) || s.IsFenced("a") || s.Version <= before.Version {
				t.Fatalf("while a key is fenced, a member uses %+v", s)
			}
			mustClearFence(t, other, f)
			time.Sleep(time.Millisecond)
			if s = unasked(t, p); keyFenced(s, hash) || !keyDeleted(s, hash) {
				t.Fatalf("after a delete a member uses %+v", s)
			}
			before = s
		}
		if waited := time.Since(start); waited > shortTerm || other.Stats().WaitedOut > 0 {
			t.Errorf("the changes have waited, and took %v", waited)
		}
		// A fence is told again if its writer has asked four times before the member has heard.
		if marks, reads := g.count("evalsha"), g.count("hmget"); marks < 20 || marks > 60 || reads < 20 || reads > 40 {
			t.Errorf("for 20 deletes a member has run %d scripts and read %d times", marks, reads)
		}
	})
}

// Nobody waits for the end of a term, nor is it a longer one.
func TestDeletesMakeNoTermLonger(t *testing.T) {
	withMember(t, func(t *testing.T, server *miniredis.Miniredis, p *process, e *ear, other *process) {
		time.Sleep(shortTerm)
		trusting(t, p, "shop")
		for range 3 {
			time.Sleep(shortTerm / 5)
			mustClearFence(t, other, mustFenceKeys(t, other, 1))
			time.Sleep(time.Millisecond)
			unasked(t, p)
		}
		time.Sleep(shortTerm * 2 / 5)
		e.deaf.Store(true)
		trips := p.Stats().RoundTrips
		mustSync(t, p.Backend, "shop")
		if p.Stats().RoundTrips == trips {
			t.Error("the term goes on after its end")
		}
	})
}

// The keys stay fenced for a member when the fence is gone, until it has a state that shows the delete.
func TestMarksOutliveTheirFence(t *testing.T) {
	withMember(t, func(t *testing.T, server *miniredis.Miniredis, p *process, _ *ear, other *process) {
		g := newGate(p.client)
		release := g.hold(g.before, "hmget")
		mustClearFence(t, other, mustFenceKeys(t, other, 1))
		for range 3 {
			if s := unasked(t, p); !keyFenced(s, 1) && !keyDeleted(s, 1) {
				t.Errorf("after the delete a member uses %+v", s)
			}
		}
		release()
		time.Sleep(time.Millisecond)
		if s := unasked(t, p); keyFenced(s, 1) || !keyDeleted(s, 1) {
			t.Errorf("a member that can ask uses %+v", s)
		}
	})
}

// What was read before a fence was placed, and is answered after its keys were marked, is marked too.
func TestAnswersOfBeforeAFenceAreMarked(t *testing.T) {
	t.Run("of a read", func(t *testing.T) {
		withMember(t, func(t *testing.T, server *miniredis.Miniredis, p *process, _ *ear, other *process) {
			g := newGate(p.client)
			release := g.hold(g.after, "hmget")
			mustClearFence(t, other, mustFenceKeys(t, other, 1))
			unasked(t, p)
			mustFenceKeys(t, other, 2)
			unasked(t, p)
			release()
			if s := unasked(t, p); keyFenced(s, 1) || !keyDeleted(s, 1) || !keyFenced(s, 2) {
				t.Errorf("after the answer a member uses %+v", s)
			}
		})
	})
	t.Run("of a clear", func(t *testing.T) {
		withMember(t, func(t *testing.T, server *miniredis.Miniredis, p *process, _ *ear, other *process) {
			f := mustFenceKeys(t, p, 1)
			g := newGate(p.client)
			release := g.hold(g.after, "evalsha")
			cleared := make(chan *backend.State, 1)
			go func() { cleared <- mustClearFence(t, p, f) }()
			unasked(t, p)
			mustFenceKeys(t, other, 2)
			release()
			if s := <-cleared; !keyDeleted(s, 1) {
				t.Errorf("a clear returns %+v", s)
			}
			if s := unasked(t, p); !keyDeleted(s, 1) || !keyFenced(s, 2) {
				t.Errorf("after the answer a member uses %+v", s)
			}
		})
	})
}

// A term does not go on with a fence of a cache: a member that reads of one acknowledges, without being told.
func TestAReadThatShowsAFenceOfACache(t *testing.T) {
	withMember(t, func(t *testing.T, server *miniredis.Miniredis, p *process, e *ear, other *process) {
		g := newGate(p.client)
		release := g.hold(g.before, "hmget")
		mustClearFence(t, other, mustFenceKeys(t, other, 1))
		unasked(t, p)
		e.deaf.Store(true)
		fenced := make(chan time.Duration, 1)
		go func() {
			start := time.Now()
			mustFence(t, other)
			fenced <- time.Since(start)
		}()
		synctest.Wait()
		release()
		if waited := <-fenced; waited > 100*time.Millisecond {
			t.Errorf("the fence has waited %v for a process that has read of it", waited)
		}
		if !mustSync(t, p.Backend, "shop").IsFenced("a") {
			t.Error("a member uses a state of before the fence")
		}
	})
}

// A process that deletes keys goes on with what its own calls have returned.
func TestOwnDeletesEndNoTerm(t *testing.T) {
	withMember(t, func(t *testing.T, server *miniredis.Miniredis, p *process, e *ear, _ *process) {
		e.deaf.Store(true)
		f := mustFenceKeys(t, p, 1)
		if !keyFenced(unasked(t, p), 1) {
			t.Error("a process uses a state of before its own fence")
		}
		s := mustClearFence(t, p, f)
		if now := unasked(t, p); now != s || keyFenced(now, 1) || !keyDeleted(now, 1) {
			t.Errorf("after its own delete a process uses %+v", now)
		}
		mustDelete(t, p.Backend, "shop", "a", 2) // without a fence
		if now := unasked(t, p); !keyDeleted(now, 2) {
			t.Errorf("after its own delete a process uses %+v", now)
		}
	})
}

// Each change of keys waits for a member that does not hear of it, also while others wait.
func TestADeleteWaitsForWhoDoesNotHear(t *testing.T) {
	withMember(t, func(t *testing.T, server *miniredis.Miniredis, p *process, e *ear, other *process) {
		mustFenceKeys(t, other, 1)
		unasked(t, p)
		e.deaf.Store(true)
		mustFenceKeys(t, other, 2)
		if s := mustSync(t, p.Backend, "shop"); !keyFenced(s, 2) {
			t.Errorf("the fence has returned, and a member uses %+v", s)
		}
		if other.Stats().WaitedOut != 1 {
			t.Errorf("%+v", other.Stats())
		}
	})
}

// A term may begin while a key is fenced. It goes on when the fence is gone.
func TestATermBeginsWhileAKeyIsFenced(t *testing.T) {
	withMember(t, func(t *testing.T, server *miniredis.Miniredis, p *process, _ *ear, other *process) {
		time.Sleep(shortTerm)
		f := mustFenceKeys(t, other, 1)
		if s := trusting(t, p, "shop"); !keyFenced(s, 1) {
			t.Errorf("%+v", s)
		}
		mustClearFence(t, other, f)
		time.Sleep(time.Millisecond)
		if s := unasked(t, p); keyFenced(s, 1) || !keyDeleted(s, 1) {
			t.Errorf("after the delete a member uses %+v", s)
		}
	})
}

// Where keys are deleted more often than transactions begin, nobody waits for the process any more.
func TestDeletesThatAreMoreFrequentThanBegins(t *testing.T) {
	withMember(t, func(t *testing.T, server *miniredis.Miniredis, p *process, _ *ear, other *process) {
		for range 10 {
			mustClearFence(t, other, mustFenceKeys(t, other, 1))
		}
		waits := other.Stats().Waits
		mustSync(t, p.Backend, "shop")
		mustClearFence(t, other, mustFenceKeys(t, other, 1))
		if now := other.Stats().Waits; now != waits || waits == 0 {
			t.Errorf("after %d waits, a delete has waited for a process that seldom begins", waits)
		}
	})
}

// Where begins are frequent, a term outlasts bursts of deletes between them.
func TestDeletesInBurstsEndNoTerm(t *testing.T) {
	withMember(t, func(t *testing.T, server *miniredis.Miniredis, p *process, _ *ear, other *process) {
		for range 10 {
			for range 20 {
				unasked(t, p)
			}
			for range 15 {
				mustClearFence(t, other, mustFenceKeys(t, other, 1))
			}
		}
		unasked(t, p)
	})
}

// What is told of fences may be nonsense: that ends terms, or makes keys private, and breaks nothing.
func TestNonsenseIsToldOfFences(t *testing.T) {
	withMember(t, func(t *testing.T, server *miniredis.Miniredis, p *process, _ *ear, other *process) {
		epoch := mustSync(t, p.Backend, "shop").Epoch
		for _, message := range []string{
			"", "shop", "shop e 1", "shop e x a#0000000000000001", "sh op e 1 *", "shop e 1 a#1", "shop e 1 a", "shop e 1 a#0000000000000001 b", "! e 1 *",
			"shop " + string(epoch) + " 1 *", "shop other 1 a#0000000000000001", "%zz e 1 *",
			fmt.Sprintf("shop e 1 %s", make([]byte, 1<<15)),
		} {
			time.Sleep(shortTerm)
			trusting(t, p, "shop")
			server.Publish("txcache:@changes:members", message)
			synctest.Wait()
			trips := p.Stats().RoundTrips
			mustSync(t, p.Backend, "shop")
			if p.Stats().RoundTrips == trips {
				t.Errorf("%.40q ends no term", message)
			}
		}
		time.Sleep(shortTerm)
		trusting(t, p, "shop")
		server.Publish("txcache:@changes:members", "other "+string(epoch)+" 1 *")
		unasked(t, p)
		// It is told other keys than those that are fenced: that is no acknowledgement.
		server.Publish("txcache:@changes:members", fmt.Sprintf("shop %s 99999999999999999 a#0000000000000007", epoch))
		if !keyFenced(unasked(t, p), 7) {
			t.Error("what was told is not believed")
		}
		mustFenceKeys(t, other, 1)
		if !keyFenced(mustSync(t, p.Backend, "shop"), 1) {
			t.Error("a member uses a state of before the fence")
		}
	})
}
