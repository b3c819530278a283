package storetest

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/redistest"
	"github.com/seed-dad15c92/txcache/redisbackend"
)

// Wide is how long a call may take where no outage is part of the test: the
// machine may be busy with others.
const Wide = 20 * time.Second

// forever is how long values live whose cache does not say.
const forever = 100 * 365 * 24 * time.Hour

// overMiniredis opens servers over a Redis within the test, each with
// connections of its own. They can be used in a bubble of testing/synctest.
func overMiniredis(t testing.TB, servers int, opts txcache.Options) []*txcache.Store {
	t.Helper()
	server := miniredis.NewMiniRedis()
	server.ClockTTL(true)
	t.Cleanup(server.Close)
	all := make([]*txcache.Store, servers)
	for i := range all {
		client := NewClient(t, &redis.Options{Addr: "127.0.0.1:0", Dialer: func(context.Context, string, string) (net.Conn, error) {
			conn, err := server.Dial()
			if err != nil {
				return nil, err
			}
			return redistest.Buffered(conn), nil
		}})
		all[i] = NewStore(t, OverClient(t, client, ""), opts)
	}
	return all
}

// OverServer returns what opens servers over a server, all those that are opened
// together under a prefix of their own.
func OverServer(server *redistest.Server) func(testing.TB, int, txcache.Options) []*txcache.Store {
	return func(t testing.TB, servers int, opts txcache.Options) []*txcache.Store {
		t.Helper()
		prefix := string(backend.NewToken())
		all := make([]*txcache.Store, servers)
		for i := range all {
			all[i] = NewStore(t, OverClient(t, NewClient(t, &redis.Options{Addr: server.Addr}), prefix), opts)
		}
		return all
	}
}

// NewClient returns a client that is set up as redisbackend.New asks for, and
// closed with the test.
func NewClient(t testing.TB, o *redis.Options) *redis.Client {
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = Wide, Wide, Wide
	o.MaxRetries, o.DialerRetries, o.PipelinePoolSize = -1, 1, -1
	o.ContextTimeoutEnabled, o.DisableIdentity = true, true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	client := redis.NewClient(o)
	t.Cleanup(func() { client.Close() })
	return client
}

// OverClient returns a backend under prefix, with limits for a busy machine.
func OverClient(t testing.TB, client *redis.Client, prefix string) *redisbackend.Backend {
	t.Helper()
	b, err := redisbackend.New(client, &redisbackend.Options{Prefix: prefix, Duration: forever, Timeout: Wide})
	if err != nil {
		t.Fatal(err)
	}
	return b
}
