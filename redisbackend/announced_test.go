package redisbackend_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache/redisbackend"
)

// A line is a way to a server on which announcements can be kept back, without
// that the connection breaks.
type line struct {
	mu   sync.Mutex
	mute chan struct{} // not nil: what is announced arrives once it is closed
}

type lineConn struct {
	net.Conn
	line       *line
	subscribed bool
}

func (c *lineConn) Write(p []byte) (int, error) {
	if bytes.Contains(bytes.ToLower(p), []byte("\r\nsubscribe\r\n")) {
		c.line.mu.Lock()
		c.subscribed = true
		c.line.mu.Unlock()
	}
	return c.Conn.Write(p)
}

func (c *lineConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.line.mu.Lock()
	mute := c.line.mute
	subscribed := c.subscribed
	c.line.mu.Unlock()
	if subscribed && mute != nil && err == nil {
		select {
		case <-mute:
		case <-time.After(3 * time.Second): // by then nobody listens any more
			return 0, os.ErrDeadlineExceeded
		}
	}
	return n, err
}

// silence keeps back what is announced from now on, until release is called.
func (l *line) silence() (release func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	mute := make(chan struct{})
	l.mute = mute
	return sync.OnceFunc(func() {
		l.mu.Lock()
		l.mute = nil
		l.mu.Unlock()
		close(mute)
	})
}

// hearing returns a process that hears announcements over a line.
func hearing(t *testing.T, server *miniredis.Miniredis) (*process, *line) {
	t.Helper()
	l := &line{}
	o := dialing(server)
	dial := o.Dialer
	o.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		return &lineConn{Conn: conn, line: l}, err
	}
	p := over(t, o, &redisbackend.Options{Channel: true})
	announced(t, p)
	return p, l
}

// What others change and drop is seen as soon as it is announced.
func TestAnAnnouncementIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bubbleServer(t)
		p, _ := hearing(t, server)
		other := over(t, dialing(server), nil)
		trusting(t, p, "shop")
		for i := range 3 {
			cleared := mustClear(t, other.Backend, "shop", fmt.Sprint("c", i))
			synctest.Wait()
			if got := mustSync(t, p.Backend, "shop"); got.Token(fmt.Sprint("c", i)) != cleared.Token(fmt.Sprint("c", i)) {
				t.Error("a clear is not seen that was announced")
			}
			trusting(t, p, "shop")
		}
		before := trusting(t, p, "shop")
		if err := other.Drop(t.Context(), "shop"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := mustSync(t, p.Backend, "shop"); got.Epoch == before.Epoch {
			t.Error("a drop is not seen that was announced")
		}
	})
}

// Nobody announces that the fence of a dead owner expires.
func TestAFenceThatStandsIsLookedAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bubbleServer(t)
		p, _ := hearing(t, server)
		owner := over(t, dialing(server), nil)
		f := fencing(mustSync(t, owner.Backend, "shop"), "a")
		f.Lease = 3 * time.Second
		if err := owner.Fence(t.Context(), "shop", f); err != nil {
			t.Fatal(err)
		}
		owner.Close()
		for range 5 {
			if !mustSync(t, p.Backend, "shop").IsFenced("a") {
				t.Fatal("the fence does not stand")
			}
		}
		time.Sleep(f.Lease + time.Millisecond)
		if mustSync(t, p.Backend, "shop").IsFenced("a") {
			t.Error("the fence stands after its time to live")
		}
	})
}

// A State that was learnt over connections that are no more is asked for again,
// as the server may be another (P6).
func TestAnotherConnectionIsNotTrusted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bubbleServer(t)
		c := &cutter{}
		p := over(t, c.dialing(dialing(server)), &redisbackend.Options{Channel: true})
		time.Sleep(10 * time.Millisecond)
		trusting(t, p, "shop")
		// Callers that keep connections to themselves make the client dial.
		for first := c.made(); c.made() == first; {
			conn := p.client.Conn()
			defer conn.Close()
			if err := conn.Ping(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
		}
		trips := p.Stats().RoundTrips
		mustSync(t, p.Backend, "shop")
		if p.Stats().RoundTrips == trips {
			t.Error("nothing was asked after a new connection was made")
		}
	})
}

// Announcements that are lost on their way are made up for within ten seconds,
// though the probes arrive.
func TestNothingIsKnownForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bubbleServer(t)
		p, _ := hearing(t, server)
		trusting(t, p, "shop")
		// This is what a clear looks like that is not announced.
		server.HSet("txcache:shop:@", "e", server.HGet("txcache:shop:@", "e")+"0")
		trips := p.Stats().RoundTrips
		asked := false
		for range 21 {
			time.Sleep(500 * time.Millisecond)
			before := p.Stats().RoundTrips
			mustSync(t, p.Backend, "shop")
			asked = asked || p.Stats().RoundTrips > before
		}
		if !asked {
			t.Errorf("Sync has asked nothing in ten seconds; %d other round trips", p.Stats().RoundTrips-trips)
		}
	})
}

// Where a process's own announcements do not come back, nothing is relied on after
// two seconds, whatever else arrives.
func TestAnnouncementsThatCease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bubbleServer(t)
		p, _ := hearing(t, server)
		trusting(t, p, "shop")
		p.client.AddHook(&probeless{gate: newGate(p.client)})
		for range 5 {
			time.Sleep(500 * time.Millisecond)
			server.Publish("txcache:@changes", "unknown epoch 1")
		}
		trips := p.Stats().RoundTrips
		mustSync(t, p.Backend, "shop")
		if p.Stats().RoundTrips == trips || p.Stats().Listening {
			t.Error("announcements are relied on though none of its own has come back for two seconds")
		}
	})
}

// Only a probe of the process's own, of the past, proves that announcements arrive.
func TestForgedProbesProveNothing(t *testing.T) {
	for _, forged := range []string{"another's", "of the future"} {
		t.Run(forged, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := bubbleServer(t)
				began := time.Now()
				p, _ := hearing(t, server)
				silent := &probeless{gate: newGate(p.client)}
				p.client.AddHook(silent)
				time.Sleep(1100 * time.Millisecond)
				self, at := silent.self(t), time.Hour
				if forged == "another's" {
					self, at = "somebody", 2*time.Second
				}
				for time.Since(began) < 3*time.Second {
					time.Sleep(500 * time.Millisecond)
					server.Publish("txcache:@changes", fmt.Sprintf("! %s %d", self, at))
				}
				synctest.Wait()
				if p.Stats().Listening {
					t.Error("a forged probe counts as proof")
				}
			})
		})
	}
}

// A fence or a clear whose answer was lost may have been done: what was known
// before is not relied on, also before it is announced.
func TestAChangeWithoutAnAnswerIsAskedFor(t *testing.T) {
	for _, c := range []struct {
		name string
		lose func(t *testing.T, p *process) (context.Context, func())
	}{
		{"the caller has gone", func(t *testing.T, p *process) (context.Context, func()) {
			g := newGate(p.client)
			release := g.hold(g.after, "evalsha")
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			return ctx, func() { cancel(); release() }
		}},
		{"the answer makes no sense", func(t *testing.T, p *process) (context.Context, func()) {
			p.client.AddHook(&loss{gate: newGate(p.client)})
			return t.Context(), func() {}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := bubbleServer(t)
				p, line := hearing(t, server)
				// So that the server knows the script.
				f := fencing(mustSync(t, p.Backend, "shop"), "b")
				if err := errors.Join(p.Fence(t.Context(), "shop", f), p.Unfence(t.Context(), "shop", f)); err != nil {
					t.Fatal(err)
				}
				known := trusting(t, p, "shop")
				release := line.silence()
				defer release()
				ctx, done := c.lose(t, p)
				defer done()
				if err := p.Fence(ctx, "shop", fencing(known, "a")); err == nil {
					t.Fatal("there was an answer")
				}
				if !mustSync(t, p.Backend, "shop").IsFenced("a") {
					t.Error("a fence is not seen that was placed without an answer")
				}
			})
		})
	}
}

// A probeless client sends no probes.
type probeless struct {
	*gate
	last atomic.Value // the last that was not sent: a string
}

func (p *probeless) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() != "publish" {
			return next(ctx, cmd)
		}
		p.last.Store(cmd.Args()[2])
		return nil
	}
}

// self returns what names the process in its probes.
func (p *probeless) self(t *testing.T) (self string) {
	t.Helper()
	message, _ := p.last.Load().(string)
	if _, err := fmt.Sscanf(message, "! %s", &self); err != nil {
		t.Fatal(err)
	}
	return self
}

// A loss loses the answers to scripts that were carried out.
type loss struct{ *gate }

func (l *loss) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	lost := false
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if script, ok := cmd.(*redis.Cmd); ok && !lost && err == nil {
			lost = true
			script.SetVal("nonsense")
		}
		return err
	}
}
