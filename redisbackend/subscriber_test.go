package redisbackend_test

import (
	"bytes"
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/redisbackend"
)

// A wire is a way to a server on which subscriptions can be held up and cut.
type wire struct {
	mu   sync.Mutex
	held chan struct{} // not nil: SUBSCRIBE is sent once it is closed
	last net.Conn      // of the last subscription
}

type wireConn struct {
	net.Conn
	wire *wire
}

func (c *wireConn) Write(p []byte) (int, error) {
	if bytes.Contains(bytes.ToLower(p), []byte("\r\nsubscribe\r\n")) {
		c.wire.mu.Lock()
		c.wire.last = c.Conn
		held := c.wire.held
		c.wire.mu.Unlock()
		if held != nil {
			<-held
		}
	}
	return c.Conn.Write(p)
}

// hold holds up what is subscribed from now on, until release is called.
func (w *wire) hold() (release func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	held := make(chan struct{})
	w.held = held
	return sync.OnceFunc(func() {
		w.mu.Lock()
		w.held = nil
		w.mu.Unlock()
		close(held)
	})
}

// cut ends the subscription.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.last.Close()
}

// A wrapped client does not tell of its connections.
type wrapped struct{ *redis.Client }

func plainly(c *redis.Client) redis.UniversalClient  { return c }
func wrapping(c *redis.Client) redis.UniversalClient { return wrapped{c} }

// listening returns a process that hears announcements.
func listening(t *testing.T, server *miniredis.Miniredis, wrap func(*redis.Client) redis.UniversalClient) (*process, *wire) {
	t.Helper()
	w := &wire{}
	o := dialing(server)
	dial := o.Dialer
	o.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		return &wireConn{conn, w}, err
	}
	p := overWrapped(t, o, &redisbackend.Options{Channel: true}, wrap)
	announced(t, p)
	return p, w
}

// announced waits until p is told what changes.
func announced(t *testing.T, p *process) {
	t.Helper()
	time.Sleep(10 * time.Millisecond)
	if !p.Stats().Listening {
		t.Fatal("no announcement arrives")
	}
}

// trusting makes p know name so well that Sync asks for nothing.
func trusting(t *testing.T, p *process, name string) *backend.State {
	t.Helper()
	for range 5 {
		trips := p.Stats().RoundTrips
		if s := mustSync(t, p.Backend, name); p.Stats().RoundTrips == trips {
			return s
		}
	}
	t.Fatal("every Sync asks the server")
	return nil
}

// What may have been announced while nobody listened is asked for: from the
// moment the subscription is lost, and again when the next one has begun.
func TestAGapInTheAnnouncements(t *testing.T) {
	for _, c := range []struct {
		name string
		wrap func(*redis.Client) redis.UniversalClient
	}{{"connections are counted", plainly}, {"connections are not counted", wrapping}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := bubbleServer(t)
				p, wire := listening(t, server, c.wrap)
				other := over(t, dialing(server), nil)
				trusting(t, p, "shop")

				wire.cut()
				synctest.Wait()
				cleared := mustClear(t, other.Backend, "shop", "a")
				if got := mustSync(t, p.Backend, "shop"); got.Token("a") != cleared.Token("a") {
					t.Error("a clear is not seen after the subscription was lost")
				}

				release := wire.hold()
				defer release()
				time.Sleep(time.Second) // it has connected, but not subscribed
				for range 3 {
					mustSync(t, p.Backend, "shop")
				}
				cleared = mustClear(t, other.Backend, "shop", "a")
				release()
				time.Sleep(10 * time.Millisecond)
				if !p.Stats().Listening {
					t.Fatal("the subscription did not come back")
				}
				if got := mustSync(t, p.Backend, "shop"); got.Token("a") != cleared.Token("a") {
					t.Error("a clear from before the new subscription is not seen")
				}
			})
		})
	}
}

// A message that cannot be understood may have been an announcement.
func TestAMessageThatCannotBeUnderstood(t *testing.T) {
	for _, c := range []struct {
		name, message string
		asks          bool
	}{
		{"not an announcement", "shop", true},
		{"no version", "shop epoch x", true},
		{"a name that is not escaped", "% epoch 1", true},
		{"a long one", strings.Repeat("x", 100_000), true},
		{"another database", "unknown epoch 1", false},
		{"another's probe", "! somebody 1", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := bubbleServer(t)
				p, _ := listening(t, server, plainly)
				trusting(t, p, "shop")
				server.Publish("txcache:@changes", c.message)
				synctest.Wait()
				trips := p.Stats().RoundTrips
				mustSync(t, p.Backend, "shop")
				if asked := p.Stats().RoundTrips > trips; asked != c.asks {
					t.Errorf("Sync asked the server: %t, want %t", asked, c.asks)
				}
			})
		})
	}
}

// An answer that is older than an announcement that has come meanwhile is not
// relied on.
func TestAnAnnouncementOvertakesAnAnswer(t *testing.T) {
	for _, c := range []struct {
		command string
		prepare func(*testing.T, *process)
	}{
		{"evalsha", func(*testing.T, *process) {}},
		{"hmget", func(t *testing.T, p *process) {
			trusting(t, p, "shop")
			time.Sleep(11 * time.Second) // so that it asks again
		}},
	} {
		t.Run(c.command, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := bubbleServer(t)
				p, _ := listening(t, server, plainly)
				other := over(t, dialing(server), nil)
				trusting(t, p, "warm")
				c.prepare(t, p)
				g := newGate(p.client)
				release := g.hold(g.after, c.command)
				done := make(chan struct{})
				go func() {
					defer close(done)
					mustSync(t, p.Backend, "shop")
				}()
				synctest.Wait()
				if g.count(c.command) != 1 {
					t.Fatalf("no %s was sent", c.command)
				}
				cleared := mustClear(t, other.Backend, "shop", "a")
				synctest.Wait()
				release()
				<-done
				if got := mustSync(t, p.Backend, "shop"); got.Token("a") != cleared.Token("a") {
					t.Error("a clear is not seen whose announcement has arrived")
				}
			})
		})
	}
}
