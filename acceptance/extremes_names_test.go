package acceptance_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/limits"
	"github.com/seed-dad15c92/txcache/internal/redistest"
	"github.com/seed-dad15c92/txcache/internal/storetest"
	"github.com/seed-dad15c92/txcache/memorybackend"
	"github.com/seed-dad15c92/txcache/redisbackend"
)

// names are some of many lengths, of what escaping makes longest and of what it
// leaves alone, and whether they are taken.
func names() map[string]bool {
	all := map[string]bool{"": false}
	for _, n := range []int{1, 2, 255, 1024, limits.MaxName - 1, limits.MaxName, limits.MaxName + 1, 1 << 20} {
		for _, filler := range []string{"x", ":", "é", "\x00"} {
			name := strings.Repeat(filler, n/len(filler)) + strings.Repeat("y", n%len(filler))
			all[name] = n <= limits.MaxName
		}
	}
	return all
}

// wantTaken fails the test unless an error says whether a name is taken. An error
// must say how long the name is and how long it may be, and not show it.
func wantTaken(t *testing.T, door, name string, taken bool, err error) {
	t.Helper()
	switch {
	case taken != (err == nil):
		t.Errorf("%s of a name of %d bytes answers %.100v; want it to be taken: %v", door, len(name), err, taken)
	case err != nil && name != "" && (len(err.Error()) > 300 || !strings.Contains(err.Error(), fmt.Sprint(len(name))) || !strings.Contains(err.Error(), fmt.Sprint(limits.MaxName))):
		t.Errorf("%s of a name of %d bytes answers %.300v; want both lengths, and not the name", door, len(name), err)
	case err != nil && strings.Count(err.Error(), "txcache:") != 1:
		t.Errorf("%s answers %v; want txcache: once", door, err)
	}
}

// Names of databases and caches have one bound at every door, and up to it all
// works, in each setup.
func TestExtremesOfNames(t *testing.T) {
	eachSetup(t, func(t *testing.T, s storetest.Setup) {
		ctx := t.Context()
		servers := s.Open(t, 2, txcache.Options{})
		one, other := storetest.NewCache[string, int](t, servers[0], "c", txcache.CacheOptions{}), storetest.NewCache[string, int](t, servers[1], "c", txcache.CacheOptions{})
		for name, taken := range names() {
			nothing := func(*txcache.Tx) error { return nil }
			_, err := servers[0].Begin(ctx, name)
			wantTaken(t, "Begin", name, taken, err)
			wantTaken(t, "Update", name, taken, servers[0].Update(ctx, name, nothing))
			wantTaken(t, "View", name, taken, servers[0].View(ctx, name, nothing))
			wantTaken(t, "Sync", name, taken, servers[0].Sync(ctx, name))
			wantTaken(t, "ClearAll", name, taken, servers[0].ClearAll(ctx, name))
			wantTaken(t, "Clear of a database", name, taken, servers[0].Clear(ctx, name, "c"))
			wantTaken(t, "Clear of a cache", name, taken, servers[0].Clear(ctx, "db", name))
			c, err := txcache.NewCache[string, int](servers[0], name, nil)
			wantTaken(t, "NewCache", name, taken, err)
			_, err = txcache.New(memorybackend.New(), &txcache.Options{Sizes: map[string]int{name: 1}})
			wantTaken(t, "New", name, taken, err)
			if taken {
				storetest.Publish(t, servers[0], name, one, "k", 1)
				storetest.Hit(t, storetest.Begin(t, servers[0], name), one, "k", 1, "it was published")
				tx := storetest.Begin(t, servers[1], name)
				storetest.Clear(t, tx, other)
				storetest.Commit(t, tx)
				storetest.Miss(t, storetest.Begin(t, servers[0], name), one, "k", "another server has cleared it")
				storetest.Publish(t, servers[0], "db", c, "k", 2)
				storetest.Hit(t, storetest.Begin(t, servers[0], "db"), c, "k", 2, "it was published")
			}
			wantTaken(t, "Drop", name, taken, servers[0].Drop(ctx, name))
		}
	})
}

// So does the prefix of a deployment, and what a file says.
func TestExtremesOfNamesOfADeployment(t *testing.T) {
	server := redistest.Start(t)
	for name, taken := range names() {
		if !strings.Contains(name, "\x00") {
			c := config.Default()
			c.Sizes = map[string]int{name: 1}
			wantTaken(t, "cache.sizes", name, taken, c.Validate())
			c = config.Default()
			c.Class, c.Prefix, c.Redis.URI = config.ClassRedis, name, server.URI()
			s, err := txcache.OpenConfig(t.Context(), c)
			wantTaken(t, "cache.prefix", name, taken, err)
			if err == nil {
				s.Close()
			}
		}
		b, err := redisbackend.New(storetest.NewClient(t, &redis.Options{Addr: server.Addr}), &redisbackend.Options{Prefix: name, Timeout: storetest.Wide})
		wantTaken(t, "Options.Prefix", name, taken || name == "", err)
		if err == nil {
			s := storetest.NewStore(t, b, txcache.Options{})
			c := storetest.NewCache[string, int](t, s, "c", txcache.CacheOptions{})
			storetest.Publish(t, s, "db", c, "k", 1)
			storetest.Hit(t, storetest.Begin(t, s, "db"), c, "k", 1, "it was published")
		}
	}
}

// Keys and user contexts of any size work, or miss: none is taken for another.
func TestExtremesOfKeysAndContexts(t *testing.T) {
	eachSetup(t, func(t *testing.T, s storetest.Setup) {
		servers := s.Open(t, 2, txcache.Options{Size: math.MaxInt})
		c, other := storetest.NewCache[string, string](t, servers[0], "c", txcache.CacheOptions{}), storetest.NewCache[string, string](t, servers[1], "c", txcache.CacheOptions{})
		var texts []string
		for _, n := range []int{0, 1, 63, 64, 65, 255, 256, 257, 10 << 10, 1<<20 - 64, 1 << 20, 1<<20 + 64, 10 << 20} {
			texts = append(texts, strings.Repeat("é", n/2)+strings.Repeat("y", n%2))
		}
		as := func(tx *txcache.Tx, text string) []*txcache.Tx {
			return []*txcache.Tx{tx.WithUser(text), tx.WithContext(map[string]any{"k": text}), tx.WithContext(map[string]any{text: 1})}
		}
		tx := storetest.BeginReadOnly(t, servers[0], "db")
		for _, text := range texts {
			c.Set(tx, text, "key")
			for i, h := range as(tx, text) {
				c.Set(h, "k", fmt.Sprint(i, len(text)))
			}
		}
		storetest.Commit(t, tx)
		missed := 0
		for _, server := range []struct {
			*txcache.Store
			c *txcache.Cache[string, string]
		}{{servers[0], c}, {servers[1], other}} {
			if server.Store == servers[1] && s.Name == "memory" {
				continue // a process of its own, whose values are not those of the first
			}
			tx := storetest.BeginReadOnly(t, server.Store, "db")
			for _, text := range texts {
				storetest.Hit(t, tx, server.c, text, "key", "it was set")
				for i, h := range as(tx, text) {
					if got, ok := server.c.Get(t.Context(), h, "k"); ok && got != fmt.Sprint(i, len(text)) {
						t.Errorf("the context %d of %d bytes reads %q", i, len(text), got)
					} else if !ok && len(text) < 1<<20-64 {
						t.Errorf("the context %d of %d bytes misses", i, len(text))
					} else if !ok {
						missed++
					}
				}
			}
		}
		if missed == 0 {
			t.Error("no context is too large")
		}
	})
}

// A value that never expires is kept near by a server that has found it in the
// backend, too: the moment of its expiry is further away than can be counted.
func TestAValueWithoutEndIsKeptNear(t *testing.T) {
	for _, d := range []time.Duration{math.MaxInt64, math.MaxInt64 - 1, math.MaxInt64 / 2} {
		servers := storetest.Setups[1].Open(t, 2, txcache.Options{})
		c, other := storetest.NewCache[string, int](t, servers[0], "c", txcache.CacheOptions{Duration: d}), storetest.NewCache[string, int](t, servers[1], "c", txcache.CacheOptions{Duration: d})
		storetest.Publish(t, servers[0], "db", c, "k", 1)
		for range 3 {
			storetest.Hit(t, storetest.BeginReadOnly(t, servers[1], "db"), other, "k", 1, "it was published")
		}
		if n := other.Stats().RemoteHits; n != 1 {
			t.Errorf("a value of %v was asked for %d times, want once", d, n)
		}
	}
}

// Nor does a lease, a wait or a refresh end at once because its end cannot be
// counted.
func TestLoadsUnderDurationsWithoutEnd(t *testing.T) {
	eachSetup(t, func(t *testing.T, s storetest.Setup) {
		for _, d := range []time.Duration{math.MaxInt64, math.MaxInt64 - 1} {
			servers := s.Open(t, 2, txcache.Options{Poll: d, Lease: d})
			loads := 0
			for i, server := range servers {
				c := storetest.NewCache[string, int](t, server, "c", txcache.CacheOptions{Duration: d, Jitter: 1e-9, StaleFor: d, Absent: d, Lease: d, Verify: 0})
				c.RefreshEarly(func(context.Context, *txcache.Tx, string) (int, error) { loads++; return 1, nil })
				for range 3 {
					err := server.View(t.Context(), "db", func(tx *txcache.Tx) error {
						v, err := c.Load(t.Context(), tx, "k", func(context.Context) (int, error) { loads++; return 1, nil })
						if v != 1 {
							t.Errorf("%d is loaded", v)
						}
						return err
					})
					if err != nil {
						t.Error(err)
					}
				}
				if want := 1 + i*map[bool]int{true: 1}[s.Name == "memory"]; loads != want {
					t.Errorf("after server %d: %d loads, want %d", i, loads, want)
				}
			}
		}
	})
}
