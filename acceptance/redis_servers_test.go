package acceptance_test

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
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/redistest"
	"github.com/seed-dad15c92/txcache/redisbackend"
)

// This file opens stores over Redis, for the matrix and for the tests of the
// other files redis_*_test.go, which are about what needs a real server.

const (
	// wide is how long a call may take where no outage is part of the test: the
	// machine may be busy with others.
	wide = 20 * time.Second

	// forever is how long values live whose cache does not say.
	forever = 100 * 365 * 24 * time.Hour
)

// overMiniredis opens servers over a Redis within the test, each with
// connections of its own. They can be used in a bubble of testing/synctest.
func overMiniredis(t testing.TB, servers int, opts txcache.Options) []*txcache.Store {
	t.Helper()
	server := miniredis.NewMiniRedis()
	server.ClockTTL(true)
	t.Cleanup(server.Close)
	all := make([]*txcache.Store, servers)
	for i := range all {
		client := newClient(t, &redis.Options{Addr: "127.0.0.1:0", Dialer: func(context.Context, string, string) (net.Conn, error) {
			conn, err := server.Dial()
			if err != nil {
				return nil, err
			}
			return redistest.Buffered(conn), nil
		}})
		all[i] = newStore(t, overClient(t, client, ""), opts)
	}
	return all
}

// overServer returns what opens servers over a server, all those that are opened
// together under a prefix of their own.
func overServer(server *redistest.Server) func(testing.TB, int, txcache.Options) []*txcache.Store {
	return func(t testing.TB, servers int, opts txcache.Options) []*txcache.Store {
		t.Helper()
		prefix := string(backend.NewToken())
		all := make([]*txcache.Store, servers)
		for i := range all {
			all[i] = newStore(t, overClient(t, newClient(t, &redis.Options{Addr: server.Addr}), prefix), opts)
		}
		return all
	}
}

// newClient returns a client that is set up as redisbackend.New asks for, and
// closed with the test.
func newClient(t testing.TB, o *redis.Options) *redis.Client {
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = wide, wide, wide
	o.MaxRetries, o.DialerRetries, o.PipelinePoolSize = -1, 1, -1
	o.ContextTimeoutEnabled, o.DisableIdentity = true, true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	client := redis.NewClient(o)
	t.Cleanup(func() { client.Close() })
	return client
}

func overClient(t testing.TB, client *redis.Client, prefix string) *redisbackend.Backend {
	t.Helper()
	b, err := redisbackend.New(client, &redisbackend.Options{Prefix: prefix, Duration: forever, Timeout: wide})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// settings returns a configuration for Redis at uri that nobody else uses.
func settings(uri string) *config.Config {
	cfg := config.Default()
	cfg.Class = config.ClassRedis
	cfg.Prefix = string(backend.NewToken())
	cfg.Redis.URI = uri
	cfg.Redis.DialTimeout, cfg.Redis.Timeout = wide, wide
	cfg.Redis.Fence = 3 * wide
	return cfg
}

// prompt makes the limits of cfg short, for tests with an outage.
func prompt(cfg *config.Config) *config.Config {
	cfg.Redis.DialTimeout, cfg.Redis.Timeout, cfg.Redis.Fence = 150*time.Millisecond, 250*time.Millisecond, time.Second
	return cfg
}

// A member is one of several servers over one Redis, with a cache that all have.
type member struct {
	*txcache.Store
	c *txcache.Cache[string, int]
}

// join opens a server as cfg says.
func join(t testing.TB, cfg *config.Config) member {
	t.Helper()
	s, err := txcache.OpenConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return member{s, newCache[string, int](t, s, "c", txcache.CacheOptions{})}
}

func joinMany(t testing.TB, cfg *config.Config, n int) []member {
	t.Helper()
	all := make([]member, n)
	for i := range all {
		all[i] = join(t, cfg)
	}
	return all
}

// get reads x in a transaction of its own.
func (m member) get(t testing.TB, database string) (int, bool) {
	t.Helper()
	tx := beginReadOnly(t, m.Store, database)
	defer tx.Rollback()
	return m.c.Get(t.Context(), tx, "x")
}

// publish sets x in a transaction of its own.
func (m member) publish(t testing.TB, database string, value int) {
	t.Helper()
	publish(t, m.Store, database, m.c, "x", value)
}

// clear clears the cache in a transaction of its own.
func (m member) clear(t testing.TB, database string) {
	t.Helper()
	tx := begin(t, m.Store, database)
	clearCache(t, tx, m.c)
	commit(t, tx)
}

// A mode is a way for servers to learn of each other.
type mode struct {
	name string
	sync config.Sync
	near bool

	// late is how long after a commit others may begin without knowing of it.
	late time.Duration
}

// promptly is within what the announcement of a change takes, on a busy machine.
const promptly = 2 * time.Second

var modes = []mode{
	{"begin", config.SyncBegin, true, 0},
	{"begin without near", config.SyncBegin, false, 0},
	{"channel", config.SyncChannel, true, promptly},
	{"channel without near", config.SyncChannel, false, promptly},
	{"poll", "100ms", true, 100 * time.Millisecond},
	{"poll without near", "100ms", false, 100 * time.Millisecond},
}

func (m mode) of(cfg *config.Config) *config.Config {
	cfg.Sync, cfg.Redis.Near = m.sync, m.near
	return cfg
}

// eachMode runs a test in every mode.
func eachMode(t *testing.T, test func(t *testing.T, m mode)) {
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) { test(t, m) })
	}
}

// within tries again until ok says so, the last time when limit has passed;
// with no limit it tries once.
func within(t testing.TB, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); ; {
		last := !time.Now().Before(end) // a try that began in time may still fail
		if ok() {
			return
		}
		if last {
			t.Fatalf("not within %v: %s", limit, what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// recovery is how long everything may take to be in use again after an outage.
const recovery = 10 * time.Second

// awaitState waits until the server is in touch with Redis.
func (m member) awaitState(t testing.TB, database string) {
	t.Helper()
	within(t, recovery, "a transaction that begins with a state", func() bool {
		tx := beginReadOnly(t, m.Store, database)
		defer tx.Rollback()
		return !tx.SyncedAt().IsZero()
	})
}

func slow(t testing.TB) {
	if testing.Short() {
		t.Skip("it waits for leases, probes or failovers of real servers for seconds; without -short it runs")
	}
}

// commitDuring commits a clear, and calls during in place of the database's
// commit.
func commitDuring(t testing.TB, m member, during func()) error {
	t.Helper()
	tx := begin(t, m.Store, "db")
	clearCache(t, tx, m.c)
	return tx.CommitWith(t.Context(), func(context.Context) error {
		during()
		return nil
	})
}
