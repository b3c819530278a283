package redisbackend_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache/backend"
)

// A gate holds commands back, before they are sent or after they were answered.
type gate struct {
	passing
	mu     sync.Mutex
	before map[string]chan struct{}
	after  map[string]chan struct{}
	sent   map[string]int
}

func newGate(c *redis.Client) *gate {
	g := &gate{before: map[string]chan struct{}{}, after: map[string]chan struct{}{}, sent: map[string]int{}}
	c.AddHook(g)
	return g
}

// hold keeps the next command of this name; the returned function lets it go.
func (g *gate) hold(where map[string]chan struct{}, name string) (release func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := make(chan struct{})
	where[name] = c
	return func() { close(c) }
}

func (g *gate) wait(where map[string]chan struct{}, name string) {
	g.mu.Lock()
	c := where[name]
	delete(where, name)
	g.mu.Unlock()
	if c != nil {
		<-c
	}
}

func (g *gate) count(name string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.sent[name]
}

func (g *gate) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		g.wait(g.before, cmd.Name())
		g.mu.Lock()
		g.sent[cmd.Name()]++
		g.mu.Unlock()
		err := next(ctx, cmd)
		g.wait(g.after, cmd.Name())
		return err
	}
}

func (g *gate) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		for _, cmd := range cmds {
			g.wait(g.before, cmd.Name())
		}
		g.mu.Lock()
		for _, cmd := range cmds {
			g.sent[cmd.Name()]++
		}
		g.mu.Unlock()
		err := next(ctx, cmds)
		for _, cmd := range cmds {
			g.wait(g.after, cmd.Name())
		}
		return err
	}
}

// settled returns a process that has run the script it owes to each of its
// connections, so that it reads plainly from now on.
func settled(t *testing.T, p *process) *backend.State {
	t.Helper()
	var s *backend.State
	for range 5 {
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				if _, err := p.Sync(t.Context(), "warm"); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		s = mustSync(t, p.Backend, "shop")
	}
	return s
}

// held begins a Sync of p whose command called name is answered late. It returns
// what lets the answer in and returns the state.
func held(t *testing.T, p *process, name string) (answer func() *backend.State) {
	t.Helper()
	g := newGate(p.client)
	release := g.hold(g.after, name)
	late := make(chan *backend.State)
	go func() {
		s, err := p.Sync(t.Context(), "shop")
		if err != nil {
			t.Error(err)
		}
		late <- s
	}()
	synctest.Wait()
	return func() *backend.State {
		release()
		return <-late
	}
}

// A request serves those who asked before it was sent, and no other (P3): who
// comes later shares the next one.
func TestSyncsShareTheNextRequest(t *testing.T) {
	inBubble(t, func(t *testing.T, server *miniredis.Miniredis, p *process) {
		other := over(t, dialing(server), nil)
		settled(t, p)
		g := newGate(p.client)

		release := g.hold(g.after, "hmget")
		results := make(chan *backend.State, 20)
		ask := func() {
			s, err := p.Sync(t.Context(), "shop")
			if err != nil {
				t.Error(err)
			}
			results <- s
		}
		go ask()
		synctest.Wait() // the first has its answer, but nobody knows yet
		cleared := mustClear(t, other.Backend, "shop", "a")
		for range 10 {
			go ask()
		}
		synctest.Wait()
		if n := g.count("hmget"); n != 1 {
			t.Fatalf("%d requests were sent while one was on its way", n)
		}
		release()
		synctest.Wait()
		if n := g.count("hmget"); n != 2 {
			t.Errorf("%d requests were sent for all, want 2", n)
		}
		fresh := 0
		for range 11 {
			if s := <-results; s != nil && s.Token("a") == cleared.Token("a") {
				fresh++
			}
		}
		if fresh < 10 {
			t.Errorf("%d of those who asked after the clear see it, want 10", fresh)
		}
	})
}

// An answer that was overtaken is not taken for news.
func TestAnOvertakenAnswerDoesNotGoBack(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(t *testing.T, p, other *process)
	}{
		{"clear", func(t *testing.T, p, _ *process) { mustClear(t, p.Backend, "shop", "a") }},
		{"drop and use", func(t *testing.T, p, _ *process) {
			if err := p.Drop(t.Context(), "shop"); err != nil {
				t.Error(err)
			}
			mustClear(t, p.Backend, "shop", "a")
		}},
		{"drop of another", func(t *testing.T, _, other *process) {
			if err := other.Drop(t.Context(), "shop"); err != nil {
				t.Error(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, server *miniredis.Miniredis, p *process) {
				settled(t, p)
				other := over(t, dialing(server), nil)
				for range 3 { // so that a plain read is not enough
					mustClear(t, other.Backend, "shop", "b")
				}
				answer := held(t, p, "evalsha")
				c.change(t, p, other)
				last := mustClear(t, p.Backend, "shop", "c")
				if s := answer(); s.Token("c") != last.Token("c") && s.Version >= last.Version {
					t.Errorf("the overtaken answer %+v counts as newer than %+v", s, last)
				}
				now := mustSync(t, p.Backend, "shop")
				if now.Token("c") != last.Token("c") || now.Version < last.Version {
					t.Errorf("after the overtaken answer: %+v, want what was there before: %+v", now, last)
				}
			})
		})
	}
}

func TestACallEndsWithItsContext(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *miniredis.Miniredis, p *process) {
		settled(t, p)
		g := newGate(p.client)
		release := g.hold(g.before, "hmget")
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := p.Sync(ctx, "shop")
		if err != context.DeadlineExceeded || time.Since(start) != 10*time.Millisecond {
			t.Errorf("error %v after %v", err, time.Since(start))
		}
		release()
	})
}

// A clock that is set does not expire a fence whose owner lives, nor
// does it let one stand for ever.
func TestTheServersClockIsSet(t *testing.T) {
	for _, jump := range []time.Duration{15 * time.Minute, -15 * time.Minute} {
		t.Run(jump.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := bubbleServer(t)
				owner, reader := over(t, dialing(server), nil), over(t, dialing(server), nil)
				began := mustSync(t, reader.Backend, "shop")
				f := backend.Fence{ID: backend.NewToken(), Lease: time.Minute, Caches: []backend.Generation{{Cache: "a", Token: began.Base}}}
				renew := func() {
					if err := owner.Fence(t.Context(), "shop", f); err != nil {
						t.Fatal(err)
					}
				}
				renew()
				if !mustSync(t, reader.Backend, "shop").IsFenced("a") {
					t.Fatal("the fence does not stand")
				}
				server.SetTime(time.Now().Add(jump))
				for range 3 {
					if s := mustSync(t, reader.Backend, "shop"); !s.IsFenced("a") || s.Token("a") != began.Base {
						t.Errorf("the fence of a living owner has lapsed: %+v", s)
					}
					time.Sleep(20 * time.Second)
					server.SetTime(time.Now().Add(jump))
					renew()
				}
				// From now on the owner is dead.
				time.Sleep(2 * time.Minute)
				server.SetTime(time.Now().Add(jump))
				mustSync(t, reader.Backend, "shop")
				time.Sleep(2 * time.Minute)
				server.SetTime(time.Now().Add(jump))
				if s := mustSync(t, reader.Backend, "shop"); s.IsFenced("a") || s.Token("a") == began.Base {
					t.Errorf("the fence of a dead owner still stands: %+v", s)
				}
			})
		})
	}
}

// A clock that is set back does not keep the fence of a dead owner.
func TestTheServersClockIsSetBackAfterAnOwnersDeath(t *testing.T) {
	inBubble(t, func(t *testing.T, server *miniredis.Miniredis, p *process) {
		f := backend.Fence{ID: backend.NewToken(), Lease: time.Minute, All: true}
		if err := p.Fence(t.Context(), "shop", f); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			server.SetTime(time.Now().Add(-15 * time.Minute))
			mustSync(t, p.Backend, "shop")
			time.Sleep(61 * time.Second)
		}
		server.SetTime(time.Now().Add(-15 * time.Minute))
		if s := mustSync(t, p.Backend, "shop"); s.AllFenced {
			t.Error("the fence still stands, two times to live later")
		}
	})
}
