package redisbackend_test

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache/backend"
)

// In an outage nobody waits for the request that has found out, nor sends one (P8).
func TestNobodyWaitsForARequestThatIsStuck(t *testing.T) {
	inBubble(t, func(t *testing.T, server *miniredis.Miniredis, p *process) {
		settled(t, p)
		g := newGate(p.client)
		probe := g.hold(g.before, "eval")
		defer probe()
		stuck := g.hold(g.before, "hmget")
		defer stuck()
		start := time.Now()
		if _, err := p.Sync(t.Context(), "shop"); err == nil || time.Since(start) > time.Second {
			t.Fatalf("a server that does not answer: %v after %v", err, time.Since(start))
		}
		start = time.Now()
		if _, err := p.Sync(t.Context(), "shop"); err == nil || time.Since(start) > 0 {
			t.Errorf("the second Sync: %v after %v, want an error at once", err, time.Since(start))
		}
	})
}

func TestNoRequestIsSentInAnOutage(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *miniredis.Miniredis, p *process) {
		settled(t, p)
		g := newGate(p.client)
		probe := g.hold(g.before, "eval")
		defer probe()
		stuck := g.hold(g.before, "hmget")
		defer stuck()
		if _, err := p.Sync(t.Context(), "shop"); err == nil {
			t.Fatal("Sync succeeded")
		}
		if _, err := p.Get(t.Context(), []backend.Key{{Database: "shop"}}); err == nil || g.count("get") > 0 {
			t.Errorf("Get: %v, and %d were sent; want none", err, g.count("get"))
		}
	})
}

// A fence that is refused because an earlier request failed need not be lifted;
// one that was sent and not answered must be.
func TestAnErrorTellsWhatWasNotSent(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *miniredis.Miniredis, p *process) {
		f := backend.Fence{ID: backend.NewToken(), Caches: []backend.Generation{{Cache: "c"}}, Lease: time.Minute}
		settled(t, p)
		if err := p.Fence(t.Context(), "shop", f); err != nil {
			t.Fatal(err)
		}
		g := newGate(p.client)
		probe := g.hold(g.before, "eval")
		defer probe()
		stuck := g.hold(g.after, "evalsha")
		defer stuck()
		if err := p.Fence(t.Context(), "shop", f); err == nil || errors.Is(err, backend.ErrNotSent) {
			t.Errorf("Fence: %v; want an error, and not that nothing was sent", err)
		}
		sent := g.count("evalsha")
		err := p.Fence(t.Context(), "shop", f)
		if !errors.Is(err, backend.ErrNotSent) || g.count("evalsha") != sent {
			t.Errorf("Fence: %v, and %d were sent; want ErrNotSent and none", err, g.count("evalsha")-sent)
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Fence: %v; want the reason as well", err)
		}
	})
}

// Requests that wait while the server goes away do not all try it again (P8).
func TestWhatWaitsForALaneIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *miniredis.Miniredis, p *process) {
		settled(t, p)
		g := newGate(p.client)
		probe := g.hold(g.before, "eval")
		defer probe()
		first, second := g.hold(g.before, "mget"), g.hold(g.before, "set")
		defer second()
		var all sync.WaitGroup
		defer all.Wait()
		all.Go(func() { _, _ = p.Get(t.Context(), []backend.Key{{Database: "shop"}, {Database: "other"}}) })
		all.Go(func() {
			_ = p.Set(t.Context(), []backend.Value{{Key: backend.Key{Database: "shop"}, Data: []byte("x")}})
		})
		time.Sleep(100 * time.Millisecond)
		all.Go(func() { _, _ = p.Get(t.Context(), []backend.Key{{Database: "shop"}}) })
		time.Sleep(650 * time.Millisecond) // the first two have run out of time, the third has not
		first()
		synctest.Wait()
		if n := g.count("get"); n != 0 {
			t.Errorf("%d requests were sent that had waited", n)
		}
	})
}

// What its caller has given up is not sent any more (P8).
func TestWhatNobodyWaitsForIsNotSent(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *miniredis.Miniredis, p *process) {
		settled(t, p)
		g := newGate(p.client)
		first, second := g.hold(g.before, "mget"), g.hold(g.before, "set")
		var all sync.WaitGroup
		all.Go(func() { _, _ = p.Get(t.Context(), []backend.Key{{Database: "shop"}, {Database: "other"}}) })
		all.Go(func() {
			_ = p.Set(t.Context(), []backend.Value{{Key: backend.Key{Database: "shop"}, Data: []byte("x")}})
		})
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if _, err := p.Get(ctx, []backend.Key{{Database: "shop"}}); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("Get: %v", err)
		}
		first()
		second()
		all.Wait()
		synctest.Wait()
		if n := g.count("get"); n != 0 {
			t.Errorf("%d requests were sent that nobody waits for", n)
		}
	})
}

// A cutter cuts connections as a server does that closes idle ones.
type cutter struct {
	mu    sync.Mutex
	conns []*cutConn
}

type cutConn struct {
	net.Conn
	cut atomic.Bool
}

func (c *cutConn) Read(p []byte) (int, error) {
	if c.cut.Load() {
		return 0, io.EOF
	}
	return c.Conn.Read(p)
}

func (c *cutConn) Write(p []byte) (int, error) {
	if c.cut.Load() {
		return len(p), nil // it is on its way, to nobody
	}
	return c.Conn.Write(p)
}

func (c *cutter) dialing(o *redis.Options) *redis.Options {
	dial := o.Dialer
	o.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.conns = append(c.conns, &cutConn{Conn: conn})
		return c.conns[len(c.conns)-1], nil
	}
	return o
}

// made returns how many connections were made since the last cut.
func (c *cutter) made() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.conns)
}

func (c *cutter) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns { // the client has none in use, and closes what it finds cut
		conn.cut.Store(true)
	}
	c.conns = nil
}

func TestAConnectionThatBrokeIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bubbleServer(t)
		c := &cutter{}
		p := over(t, c.dialing(dialing(server)), nil)
		settled(t, p)
		for range 5 {
			c.cut()
			if _, err := p.Sync(t.Context(), "shop"); err != nil {
				t.Errorf("after the connections were closed: %v", err)
			}
		}
		if s := p.Stats(); s.Open || s.Failures > 0 {
			t.Errorf("%+v, want no failure", s)
		}
	})
}

// An answered error is one that the server has answered.
type answered string

func (a answered) Error() string { return string(a) }
func (answered) RedisError()     {}

// A refusal answers one command in place of the server.
type refusal struct {
	*gate
	with error
}

func (r *refusal) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if err := r.with; err != nil {
			r.with = nil
			cmd.SetErr(err)
			return err
		}
		return next(ctx, cmd)
	}
}

// A server that could not serve for a while may have been given other data
// meanwhile, also where the connection has lasted (P6).
func TestNothingIsKnownAfterAnOutage(t *testing.T) {
	inBubble(t, func(t *testing.T, server *miniredis.Miniredis, p *process) {
		before := settled(t, p)
		server.HSet("txcache:shop:@", "r", "another run")
		p.client.AddHook(&refusal{gate: newGate(p.client), with: answered("LOADING Redis is loading the dataset in memory")})
		if _, err := p.Sync(t.Context(), "shop"); err == nil || !p.Stats().Open {
			t.Fatalf("Sync: %v, want an outage", err)
		}
		time.Sleep(time.Second)
		if now := mustSync(t, p.Backend, "shop"); now.Epoch == before.Epoch {
			t.Error("what was known before the outage is believed after it")
		}
	})
}

// A caller with less time than the client's limits does not wait in vain in its
// own goroutine (P8).
func TestAShortDeadlineIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bubbleServer(t)
		o := dialing(server)
		o.DialTimeout, o.ReadTimeout, o.WriteTimeout = 200*time.Millisecond, 200*time.Millisecond, 200*time.Millisecond
		p := over(t, o, nil)
		settled(t, p)
		g := newGate(p.client)
		release := g.hold(g.before, "hmget")
		time.AfterFunc(200*time.Millisecond, release)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		start := time.Now()
		if _, err := p.Sync(ctx, "shop"); err != context.DeadlineExceeded || time.Since(start) != 10*time.Millisecond {
			t.Errorf("error %v after %v", err, time.Since(start))
		}
		time.Sleep(time.Second)
	})
}
