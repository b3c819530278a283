package redisbackend_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/backend/backendtest"
	"github.com/seed-dad15c92/txcache/internal/redistest"
	"github.com/seed-dad15c92/txcache/internal/storetest"
	"github.com/seed-dad15c92/txcache/redisbackend"
)

// Every rule of package backendtest holds over miniredis, in a bubble where
// waiting costs nothing.
func TestRulesOverMiniredis(t *testing.T) {
	rulesInBubbles(t, 0, func(t *testing.T, server *miniredis.Miniredis) backend.Backend {
		return over(t, dialing(server), nil)
	})
}

// And with terms, if each state is asked for twice, so that the second may begin one.
func TestRulesOverMiniredisWithTerms(t *testing.T) {
	const term = time.Second // after a loss none of before may run
	rulesInBubbles(t, term, func(t *testing.T, server *miniredis.Miniredis) backend.Backend {
		p := over(t, dialing(server), &redisbackend.Options{Lease: true, Term: term})
		storetest.Within(t, patient, "announcements arrive", func() bool { return p.Stats().Listening })
		return &eager{p}
	})
}

// rulesInBubbles runs each rule over a server of its own, which loses all and is then left alone for a while where a rule
// asks for that.
func rulesInBubbles(t *testing.T, alone time.Duration, open func(t *testing.T, server *miniredis.Miniredis) backend.Backend) {
	check := func(rule backendtest.Rule, in func(*testing.T, func(*testing.T))) {
		t.Run(rule.Name, func(t *testing.T) {
			in(t, func(t *testing.T) {
				server := bubbleServer(t)
				err := rule.Check(t.Context(), backendtest.Authority{
					Open:    func(context.Context) (backend.Backend, error) { return open(t, server), nil },
					Lease:   time.Minute,
					Advance: time.Sleep,
					Restart: func() {
						server.FlushAll()
						time.Sleep(alone)
					},
				})
				if errors.Is(err, backendtest.ErrSkipped) {
					t.Skip(err)
				}
				if err != nil {
					t.Error(err)
				}
			})
		})
	}
	first, all := apart()
	check(first, func(t *testing.T, test func(*testing.T)) { test(t) }) // goroutines out of a bubble end in their own time
	t.Parallel()
	for _, rule := range all {
		check(rule, synctest.Test)
	}
}

// An eager process asks for each state until it has a term, if it can have one.
type eager struct{ *process }

func (e *eager) Sync(ctx context.Context, name string) (*backend.State, error) {
	for range 2 {
		if _, err := e.process.Sync(ctx, name); err != nil {
			return nil, err
		}
	}
	return e.process.Sync(ctx, name)
}

// bubbleServer returns a server that lives within a bubble of testing/synctest.
func bubbleServer(t *testing.T) *miniredis.Miniredis {
	server := miniredis.NewMiniRedis()
	server.ClockTTL(true)
	redistest.Identify(server)
	t.Cleanup(server.Close)
	return server
}

// dialing returns the options of a client of server, wherever that lives.
func dialing(server *miniredis.Miniredis) *redis.Options {
	return &redis.Options{Addr: "127.0.0.1:0", Dialer: func(context.Context, string, string) (net.Conn, error) {
		conn, err := server.Dial()
		if err != nil {
			return nil, err
		}
		return redistest.Buffered(conn), nil
	}}
}

// A process is a Backend with a client of its own.
type process struct {
	*redisbackend.Backend
	client *redis.Client
	once   sync.Once
}

func (p *process) Close() error {
	err := p.Backend.Close()
	p.once.Do(func() { err = errors.Join(err, p.client.Close()) })
	return err
}

// over returns another process that uses a server, until the test or its bubble
// ends.
func over(t *testing.T, o *redis.Options, opts *redisbackend.Options) *process {
	t.Helper()
	return overWrapped(t, o, opts, plainly)
}

// overWrapped is over, with a client that is wrapped.
func overWrapped(t *testing.T, o *redis.Options, opts *redisbackend.Options, wrap func(*redis.Client) redis.UniversalClient) *process {
	t.Helper()
	client := clientOf(o)
	b, err := redisbackend.New(wrap(client), opts)
	if err != nil {
		t.Fatal(err)
	}
	p := &process{Backend: b, client: client}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// inBubble runs test in a bubble, with a server and a process that uses it.
func inBubble(t *testing.T, test func(t *testing.T, server *miniredis.Miniredis, p *process)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		server := bubbleServer(t)
		test(t, server, over(t, dialing(server), nil))
	})
}

// clientOf returns a client as Open makes it.
func clientOf(o *redis.Options) *redis.Client {
	o.MaxRetries, o.DialerRetries, o.PipelinePoolSize = -1, 1, -1
	o.ContextTimeoutEnabled = true
	o.DisableIdentity = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewClient(o)
}

// passing is a hook that changes nothing, to be embedded in those that do.
type passing struct{}

func (passing) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (passing) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }
func (passing) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// It is all that docs/writing-a-backend.md says a backend may be.
var _ interface {
	backend.Backend
	backend.Values
	backend.Limited
	backend.Swapper
	backend.Timed
	backend.Aged
	backend.Bounded
	backend.Forgetter
	backend.Observed
} = (*redisbackend.Backend)(nil)
