package redisbackend_test

import (
	"bytes"
	"context"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/redisbackend"
)

// An ear loses what is announced, if it is deaf.
type ear struct{ deaf atomic.Bool }

type earConn struct {
	net.Conn
	ear        *ear
	subscribed atomic.Bool
}

func (c *earConn) Write(p []byte) (int, error) {
	if bytes.Contains(bytes.ToLower(p), []byte("\r\nsubscribe\r\n")) {
		c.subscribed.Store(true)
	}
	return c.Conn.Write(p)
}

func (c *earConn) Read(p []byte) (int, error) {
	for {
		n, err := c.Conn.Read(p)
		if err != nil || !c.subscribed.Load() || !c.ear.deaf.Load() {
			return n, err
		}
	}
}

// shortTerm and shortWait are shorter than a process needs to notice that it hears nothing.
const shortTerm, shortWait = 200 * time.Millisecond, 400 * time.Millisecond

// member returns a process with terms that hears announcements until it is deaf.
func member(t *testing.T, server *miniredis.Miniredis) (*process, *ear) {
	t.Helper()
	e := &ear{}
	o := dialing(server)
	dial := o.Dialer
	o.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		return &earConn{Conn: conn, ear: e}, err
	}
	p := over(t, o, &redisbackend.Options{Lease: true, Term: shortTerm, Wait: shortWait, Timeout: 10 * time.Second})
	announced(t, p)
	return p, e
}

// withMember runs test in a bubble with a member that has a term in "shop", and another
// process, which expects members.
func withMember(t *testing.T, test func(t *testing.T, server *miniredis.Miniredis, p *process, e *ear, other *process)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		server := bubbleServer(t)
		p, e := member(t, server)
		other := over(t, dialing(server), &redisbackend.Options{Wait: shortWait, Timeout: 10 * time.Second})
		trusting(t, p, "shop")
		time.Sleep(3 * time.Second) // members whom the new hash does not know are gone
		mustSync(t, other.Backend, "shop")
		trusting(t, p, "shop")
		test(t, server, p, e, other)
	})
}

// mustFence places a fence on cache "a" of "shop".
func mustFence(t *testing.T, p *process) backend.Fence {
	t.Helper()
	f := backend.Fence{ID: backend.NewToken(), Lease: time.Minute, Caches: []backend.Generation{{Cache: "a"}}}
	if err := p.Fence(t.Context(), "shop", f); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestATermNeedsNoRoundTrip(t *testing.T) {
	withMember(t, func(t *testing.T, server *miniredis.Miniredis, p *process, _ *ear, other *process) {
		trips := p.Stats().RoundTrips
		before := mustSync(t, p.Backend, "shop")
		for range 100 {
			if s := mustSync(t, p.Backend, "shop"); s != before {
				t.Fatalf("nothing has changed, and Sync returns another state: %+v", s)
			}
		}
		if now := p.Stats().RoundTrips; now != trips {
			t.Errorf("within a term %d requests were sent", now-trips)
		}
		time.Sleep(shortTerm)
		g := newGate(p.client)
		if s := mustSync(t, p.Backend, "shop"); s != before || g.count("evalsha") != 1 {
			t.Errorf("after the term %d scripts were run, and the state is %+v", g.count("evalsha"), s)
		}
		mustSync(t, p.Backend, "shop")
		if g.count("evalsha") != 1 {
			t.Error("no other term has begun")
		}
	})
}

// Whatever becomes of the announcements: once a call that changes a database has returned, no
// member uses a state of before (P3).
func TestAChangeWaitsForWhoDoesNotHear(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, p *process) error{
		"a fence":       func(t *testing.T, p *process) error { mustFence(t, p); return nil },
		"a clear alone": func(t *testing.T, p *process) error { mustClear(t, p.Backend, "shop", "a"); return nil },
		"a drop":        func(t *testing.T, p *process) error { return p.Drop(t.Context(), "shop") },
	} {
		t.Run(name, func(t *testing.T) {
			withMember(t, func(t *testing.T, server *miniredis.Miniredis, p *process, e *ear, other *process) {
				e.deaf.Store(true)
				before := mustSync(t, p.Backend, "shop")
				if err := change(t, other); err != nil {
					t.Fatal(err)
				}
				if s := mustSync(t, p.Backend, "shop"); s == before {
					t.Error("the change has returned, and a member uses the state of before")
				}
				if s := other.Stats(); s.Waits == 0 || s.WaitedOut == 0 || s.WaitTime == 0 {
					t.Errorf("what was waited does not show: %+v", s)
				}
			})
		})
	}
}

// Members that are well make nobody wait for the end of their terms.
func TestMembersAcknowledge(t *testing.T) {
	withMember(t, func(t *testing.T, server *miniredis.Miniredis, p *process, _ *ear, other *process) {
		start := time.Now()
		f := mustFence(t, other)
		if !mustSync(t, p.Backend, "shop").IsFenced("a") {
			t.Error("a member does not see the fence")
		}
		if _, err := other.Clear(t.Context(), "shop", f); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(start); waited > 100*time.Millisecond || other.Stats().WaitedOut > 0 {
			t.Errorf("the change has waited for %v", waited)
		}
		time.Sleep(shortTerm) // the term was of little use
		if s := trusting(t, p, "shop"); s.IsFenced("a") || s.Token("a") == "" {
			t.Errorf("after the clear a member uses %+v", s)
		}
	})
}

// A term counts from before the request: nobody knows when the server has answered.
func TestATermCountsFromTheRequest(t *testing.T) {
	withMember(t, func(t *testing.T, server *miniredis.Miniredis, p *process, e *ear, other *process) {
		if !answeredLate(t, p, e, other).IsFenced("a") {
			t.Error("an answer that came late is used after the fence")
		}
	})
}

// answeredLate returns the state of p after it has asked, writer has placed a fence, and the answer of before
// has come, and nothing was announced.
func answeredLate(t *testing.T, p *process, e *ear, writer *process) *backend.State {
	time.Sleep(shortTerm)
	e.deaf.Store(true)
	g := newGate(p.client)
	release := g.hold(g.after, "evalsha")
	go func() { _, _ = p.Sync(t.Context(), "shop") }()
	synctest.Wait()
	mustFence(t, writer)
	release()
	synctest.Wait()
	return mustSync(t, p.Backend, "shop")
}

// Registrations that are made while a request is on its way are not over a wait after it was sent.
func TestRegistrationsAreOverAWaitAfterTheAnswer(t *testing.T) {
	withMember(t, func(t *testing.T, server *miniredis.Miniredis, p *process, e *ear, other *process) {
		time.Sleep(shortTerm)
		g := newGate(other.client)
		release := g.hold(g.before, "evalsha")
		fenced := make(chan error, 1)
		go func() {
			f := backend.Fence{ID: backend.NewToken(), Lease: time.Minute, Caches: []backend.Generation{{Cache: "a"}}}
			fenced <- other.Fence(t.Context(), "shop", f)
		}()
		time.Sleep(shortWait / 4)
		trusting(t, p, "shop")
		time.Sleep(shortWait * 3 / 5) // its term has ended, and the next ends after the wait
		trusting(t, p, "shop")
		e.deaf.Store(true)
		release()
		if err := <-fenced; err != nil {
			t.Fatal(err)
		}
		if !mustSync(t, p.Backend, "shop").IsFenced("a") {
			t.Error("a registration counts as over although its term has not ended")
		}
	})
}

// asking makes p, whose term is over, ask for a state, and holds the answer until release is called.
func asking(t *testing.T, p *process) (release func()) {
	t.Helper()
	time.Sleep(shortTerm)
	g := newGate(p.client)
	release = g.hold(g.after, "evalsha")
	go func() { _, _ = p.Sync(t.Context(), "shop") }()
	synctest.Wait()
	return release
}

// An answer that comes after the process has acknowledged its request begins no term.
func TestAnAnswerAfterItsAcknowledgement(t *testing.T) {
	withMember(t, func(t *testing.T, server *miniredis.Miniredis, p *process, e *ear, other *process) {
		release := asking(t, p)
		start := time.Now()
		mustFence(t, other)
		if time.Since(start) > 100*time.Millisecond {
			t.Fatal("the member has not acknowledged")
		}
		e.deaf.Store(true)
		release()
		synctest.Wait()
		if !mustSync(t, p.Backend, "shop").IsFenced("a") {
			t.Error("an answer of before the fence is used")
		}
	})
}

// An acknowledgement that overtakes its request is repeated: nobody waits for the process.
func TestAnAcknowledgementBeforeItsRequest(t *testing.T) {
	withMember(t, func(t *testing.T, server *miniredis.Miniredis, p *process, _ *ear, other *process) {
		time.Sleep(shortTerm)
		g := newGate(p.client)
		release := g.hold(g.before, "evalsha")
		go func() { _, _ = p.Sync(t.Context(), "shop") }()
		synctest.Wait()
		mustClear(t, other.Backend, "shop", "a") // is announced
		synctest.Wait()
		release()
		synctest.Wait()
		start := time.Now()
		mustFence(t, other)
		if waited := time.Since(start); waited > 100*time.Millisecond {
			t.Errorf("a fence has waited %v for a process that uses nothing", waited)
		}
	})
}

// Registrations that were lost with the hash are waited for (P6).
func TestALostHashHadMembers(t *testing.T) {
	for name, lose := range map[string]func(server *miniredis.Miniredis){
		"flushed":      func(server *miniredis.Miniredis) { server.FlushAll() },
		"damaged":      func(server *miniredis.Miniredis) { server.HSet("txcache:shop:@", "n", "1") },
		"no member":    func(server *miniredis.Miniredis) { server.HDel("txcache:shop:@", "m") },
		"what is none": func(server *miniredis.Miniredis) { server.HSet("txcache:shop:@", "m", "7\nx") },
	} {
		t.Run(name, func(t *testing.T) {
			withMember(t, func(t *testing.T, server *miniredis.Miniredis, p *process, e *ear, other *process) {
				e.deaf.Store(true)
				lose(server)
				mustFence(t, other)
				if !mustSync(t, p.Backend, "shop").IsFenced("a") {
					t.Error("a member that the hash has lost uses a state of before the fence")
				}
			})
		})
	}
}

// A process does not wait for itself: it uses nothing of before its own changes.
func TestOwnChangesEndTheTerm(t *testing.T) {
	withMember(t, func(t *testing.T, server *miniredis.Miniredis, p *process, e *ear, _ *process) {
		e.deaf.Store(true)
		mustFence(t, p)
		if !mustSync(t, p.Backend, "shop").IsFenced("a") {
			t.Error("a process uses a state of before its own fence")
		}
	})
	withMember(t, func(t *testing.T, server *miniredis.Miniredis, p *process, e *ear, _ *process) {
		if !answeredLate(t, p, e, p).IsFenced("a") {
			t.Error("an answer of before the process's own fence, which came after it, is used")
		}
	})
}

// While a fence stands each begin asks.
func TestNoTermBeginsWhileAFenceStands(t *testing.T) {
	withMember(t, func(t *testing.T, server *miniredis.Miniredis, p *process, e *ear, other *process) {
		time.Sleep(shortTerm)
		e.deaf.Store(true)
		mustFence(t, other)
		for range 3 {
			trips := p.Stats().RoundTrips
			if !mustSync(t, p.Backend, "shop").IsFenced("a") || p.Stats().RoundTrips == trips {
				t.Error("the state has no fence, or is used without asking")
			}
		}
	})
}

// A process that goes makes nobody wait.
func TestAMemberLeaves(t *testing.T) {
	withMember(t, func(t *testing.T, server *miniredis.Miniredis, p *process, e *ear, other *process) {
		e.deaf.Store(true)
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		mustFence(t, other)
		if waited := time.Since(start); waited > 100*time.Millisecond {
			t.Errorf("a fence has waited %v for a process that was closed", waited)
		}
	})
}

// A process that has forgotten a database has no term there: it asks again, and nobody waits for it.
func TestAMemberThatForgetsLeaves(t *testing.T) {
	withMember(t, func(t *testing.T, _ *miniredis.Miniredis, p *process, e *ear, other *process) {
		if !p.Forget("shop") {
			t.Fatal("the database is not forgotten")
		}
		synctest.Wait()
		e.deaf.Store(true)
		mustFenceAtOnce(t, other)
		trips := p.Stats().RoundTrips
		mustSync(t, p.Backend, "shop")
		if now := p.Stats().RoundTrips; now == trips {
			t.Error("what was forgotten is known without a request")
		}
	})
}
