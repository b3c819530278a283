package redis_test

import (
	"context"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// settings returns a configuration for Redis at uri that nobody else uses.
func settings(uri string) *config.Config {
	cfg := config.Default()
	cfg.Class = config.ClassRedis
	cfg.Prefix = string(backend.NewToken())
	cfg.Redis.URI = uri
	cfg.Redis.DialTimeout, cfg.Redis.Timeout = storetest.Wide, storetest.Wide
	cfg.Redis.Fence = 3 * storetest.Wide
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
	return member{s, storetest.NewCache[string, int](t, s, "c", txcache.CacheOptions{})}
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
	tx := storetest.BeginReadOnly(t, m.Store, database)
	defer tx.Rollback()
	return m.c.Get(t.Context(), tx, "x")
}

// publish sets x in a transaction of its own.
func (m member) publish(t testing.TB, database string, value int) {
	t.Helper()
	storetest.Publish(t, m.Store, database, m.c, "x", value)
}

// clear clears the cache in a transaction of its own.
func (m member) clear(t testing.TB, database string) {
	t.Helper()
	tx := storetest.Begin(t, m.Store, database)
	storetest.Clear(t, tx, m.c)
	storetest.Commit(t, tx)
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

// awaitState waits until the server is in touch with Redis.
func (m member) awaitState(t testing.TB, database string) {
	t.Helper()
	storetest.Within(t, storetest.Recovery, "a transaction that begins with a state", func() bool {
		tx := storetest.BeginReadOnly(t, m.Store, database)
		defer tx.Rollback()
		return !tx.SyncedAt().IsZero()
	})
}

// commitDuring commits a clear, and calls during in place of the database's
// commit.
func commitDuring(t testing.TB, m member, during func()) error {
	t.Helper()
	tx := storetest.Begin(t, m.Store, "db")
	storetest.Clear(t, tx, m.c)
	return tx.CommitWith(t.Context(), func(context.Context) error {
		during()
		return nil
	})
}
