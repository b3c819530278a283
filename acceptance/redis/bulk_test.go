package redis_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/redistest"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// A bulk is the values that a tenant has, some of them more than others like.
type bulk struct {
	name   string
	server []string // options of the server
	config func(*config.Config)
	values []int // how long they are
	lost   int   // how many are too large to be shared
}

func bulks() []bulk {
	small := func(n int) []int {
		sizes := make([]int, n)
		for i := range sizes {
			sizes[i] = 100
		}
		return sizes
	}
	return []bulk{
		{name: "many small", values: small(20_000)},
		{name: "few large", values: append(slices.Repeat([]int{10 << 20}, 12), 100, 60_000, 70_000)},
		{name: "beyond a limit of the server", server: []string{"--proto-max-bulk-len", "1mb", "--client-query-buffer-limit", "1mb"}, values: append(small(500), 3<<20)},
		{name: "beyond the setting", config: func(cfg *config.Config) { cfg.Redis.LargestValue = 1_000_000 }, values: append(small(500), 1_000_000, 3<<20), lost: 2},
	}
}

// A tenant is one that moves much data, by one way or another.
type tenant struct {
	store  *txcache.Store
	cache  *txcache.Cache[int, []byte]
	leased *txcache.Cache[int, []byte]
	values map[int][]byte
	keys   []int
}

func newTenant(t *testing.T, cfg *config.Config, log *strings.Builder, sizes []int) *tenant {
	t.Helper()
	b, opts, err := txcache.FromConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	opts.Logger = slog.New(slog.NewTextHandler(log, nil))
	s := storetest.NewStore(t, b, *opts)
	all := &tenant{store: s, values: map[int][]byte{}}
	all.cache = storetest.NewCache[int, []byte](t, s, "reports", txcache.CacheOptions{Size: len(sizes)})
	all.leased = storetest.NewCache[int, []byte](t, s, "leased", txcache.CacheOptions{Size: len(sizes), Lease: 20 * time.Second})
	for i, n := range sizes {
		all.values[i] = []byte(strings.Repeat(string(rune('a'+i%26)), n))
		all.keys = append(all.keys, i)
	}
	return all
}

func (a *tenant) publish(t *testing.T) {
	view(t, a.store, func(tx *txcache.Tx) { a.cache.SetMany(tx, a.values) })
}

func (a *tenant) load(t *testing.T) {
	view(t, a.store, func(tx *txcache.Tx) {
		_, err := a.leased.LoadMany(t.Context(), tx, a.keys, func(_ context.Context, missing []int) (map[int][]byte, error) {
			found := map[int][]byte{}
			for _, key := range missing {
				found[key] = a.values[key]
			}
			return found, nil
		})
		if err != nil {
			t.Errorf("LoadMany: %v", err)
		}
	})
}

// read counts the values of c that are there.
func (a *tenant) read(t *testing.T, c *txcache.Cache[int, []byte]) (n int) {
	view(t, a.store, func(tx *txcache.Tx) {
		for key, value := range c.GetMany(t.Context(), tx, a.keys) {
			if n++; string(value) != string(a.values[key]) {
				t.Errorf("under %d is another value than was set", key)
			}
		}
	})
	return n
}

func view(t *testing.T, s *txcache.Store, fn func(*txcache.Tx)) {
	t.Helper()
	if err := s.View(t.Context(), "tenant", func(tx *txcache.Tx) error { fn(tx); return nil }); err != nil {
		t.Errorf("View: %v", err)
	}
}

// P7, P8: whatever one tenant moves over the line to the server, and however the
// server takes it, commits of another go through, and what can be shared is.
func TestRedisBulkBesideCommitsOfAnotherTenant(t *testing.T) {
	if testing.Short() {
		t.Skip("moves hundreds of megabytes")
	}
	for _, l := range bulks() {
		for _, way := range []string{"publish", "read", "leased load", "drop"} {
			t.Run(l.name+"/"+way, func(t *testing.T) {
				server := redistest.Start(t, l.server...)
				near, far := config.Default(), config.Default() // near the server, and behind a line
				for _, cfg := range []*config.Config{near, far} {
					cfg.Class, cfg.Prefix = config.ClassRedis, "bulk"
					if l.config != nil {
						l.config(cfg)
					}
				}
				near.Redis.URI = server.URI()
				far.Redis.URI = "redis://" + redistest.Paced(t, server.Addr, redistest.Gigabit) + "/0"
				var log, unread strings.Builder
				a, other := newTenant(t, far, &log, l.values), newTenant(t, near, &unread, l.values)
				if way == "read" || way == "drop" {
					other.publish(t)
				}
				end := commits(t, a.store)
				want := len(l.values) - l.lost
				cache := a.cache
				switch way {
				case "publish":
					a.publish(t)
				case "read":
					if n := a.read(t, a.cache); n != want {
						t.Errorf("%d values are read of %d that another process has set", n, want)
					}
				case "leased load":
					a.load(t)
					cache = a.leased
				case "drop":
					want = 0
					if err := a.store.Drop(t.Context(), "tenant"); err != nil {
						t.Errorf("Drop: %v", err)
					}
				}
				end()
				reader := newTenant(t, near, &unread, l.values)
				from := reader.cache
				if way == "leased load" {
					from = reader.leased
				}
				if n := reader.read(t, from); n != want {
					t.Errorf("another process finds %d values, want %d", n, want)
				}
				if s := cache.Stats(); s.RemoteErrors != 0 {
					t.Errorf("%d calls for values have failed", s.RemoteErrors)
				}
				if s := cache.Stats(); l.lost > 0 && (way == "publish" || way == "leased load") {
					records := strings.Count(log.String(), "larger than the backend keeps")
					if s.Oversized != uint64(l.lost) || records != 1 {
						t.Errorf("%d values are counted as too large, and the log says so %d times; want %d, once", s.Oversized, records, l.lost)
					}
				}
			})
		}
	}
}

// commits has another tenant begin, fence and clear all the time. What it returns
// ends that, and reports commits that were refused.
func commits(t *testing.T, s *txcache.Store) (end func()) {
	t.Helper()
	c := storetest.NewCache[int, string](t, s, "other", txcache.CacheOptions{})
	one := func() error {
		return s.Update(t.Context(), "neighbour", func(tx *txcache.Tx) error { return c.Clear(tx) })
	}
	if err := one(); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var all sync.WaitGroup
	n, refused, open := 0, 0, 0
	var slowest time.Duration
	var reasons error
	all.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Millisecond):
			}
			start := time.Now()
			if err := one(); err != nil {
				refused++
				reasons = errors.Join(reasons, err)
			}
			if slowest = max(slowest, time.Since(start)); s.Status().Backend.Open {
				open++
			}
			n++
		}
	})
	return func() {
		t.Helper()
		close(stop)
		all.Wait()
		t.Logf("%d commits meanwhile, the slowest in %v", n, slowest)
		if refused > 0 || open > 0 {
			t.Errorf("%d of %d commits of another tenant were refused, with %.300v; %d met an open breaker", refused, n, reasons, open)
		}
		if st := s.Status(); st.Stateless > 0 {
			t.Errorf("%d transactions began without a state", st.Stateless)
		}
	}
}

// Many tenants that read large values at once do not get in each other's way.
func TestRedisLargeValuesOfManyTenants(t *testing.T) {
	server := redistest.Start(t)
	cfg := settings("redis://" + redistest.Paced(t, server.Addr, redistest.Gigabit) + "/0")
	s := join(t, cfg)
	c := storetest.NewCache[int, []byte](t, s.Store, "reports", txcache.CacheOptions{})
	end := commits(t, s.Store)
	var all sync.WaitGroup
	for i := range 32 {
		all.Go(func() {
			err := s.View(t.Context(), fmt.Sprint("tenant", i), func(tx *txcache.Tx) error {
				c.Set(tx, 1, make([]byte, 1<<20))
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	end()
	other := join(t, cfg)
	c = storetest.NewCache[int, []byte](t, other.Store, "reports", txcache.CacheOptions{})
	end = commits(t, other.Store)
	for i := range 32 {
		all.Go(func() {
			tx := storetest.BeginReadOnly(t, other.Store, fmt.Sprint("tenant", i))
			if _, ok := c.Get(t.Context(), tx, 1); !ok {
				t.Errorf("tenant %d: its value is a miss", i)
			}
		})
	}
	all.Wait()
	end()
	if n := c.Stats().RemoteErrors; n > 0 {
		t.Errorf("%d calls for values have failed", n)
	}
}
