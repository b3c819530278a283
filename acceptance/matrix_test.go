package acceptance_test

import (
	"bytes"
	"context"
	"maps"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/redistest"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

// A setup is one way to run txcache. Its servers share one authority.
type setup struct {
	name   string
	remote bool // servers share values, not only generations
	coarse bool // values expire by the millisecond, rounded down
	open   func(t testing.TB, servers int, opts txcache.Options) []*txcache.Store
}

var setups = []setup{
	{name: "memory", open: func(t testing.TB, servers int, opts txcache.Options) []*txcache.Store {
		return stores(t, servers, opts, memorybackend.New())
	}},
	{name: "values", remote: true, open: func(t testing.TB, servers int, opts txcache.Options) []*txcache.Store {
		return stores(t, servers, opts, newValues())
	}},
	{name: "values without near", remote: true, open: func(t testing.TB, servers int, opts txcache.Options) []*txcache.Store {
		opts.NoNear = true
		return stores(t, servers, opts, newValues())
	}},
	{name: "redis", remote: true, open: overMiniredis},
	{name: "redis without near", remote: true, coarse: true, open: func(t testing.TB, servers int, opts txcache.Options) []*txcache.Store {
		opts.NoNear = true
		return overMiniredis(t, servers, opts)
	}},
}

// everywhere runs a test in every setup, and over a server that no bubble of
// testing/synctest could hold.
func everywhere(t *testing.T, test func(t *testing.T, s setup)) {
	for _, s := range setups {
		t.Run(s.name, func(t *testing.T) { test(t, s) })
	}
	t.Run("redis, real server", func(t *testing.T) {
		test(t, setup{name: "redis, real server", remote: true, open: overServer(redistest.Start(t))})
	})
}

// one opens a single server.
func (s setup) one(t testing.TB) *txcache.Store {
	return s.open(t, 1, txcache.Options{})[0]
}

// stores opens servers over one backend, which stays open until the last.
func stores(t testing.TB, servers int, opts txcache.Options, b backend.Backend) []*txcache.Store {
	all := make([]*txcache.Store, servers)
	for i := range all {
		all[i] = newStore(t, shared(b), opts)
	}
	return all
}

func newStore(t testing.TB, b backend.Backend, opts txcache.Options) *txcache.Store {
	t.Helper()
	s, err := txcache.New(b, &opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// shared returns b for one of several stores: closing it does not close b.
func shared(b backend.Backend) backend.Backend {
	if v, ok := b.(*values); ok {
		return openValues{v}
	}
	return openBackend{b}
}

type openBackend struct{ backend.Backend }

func (openBackend) Close() error { return nil }

type openValues struct{ *values }

func (openValues) Close() error { return nil }

// values is a memory backend that keeps values outside of the store.
type values struct {
	*memorybackend.Backend

	mu   sync.Mutex
	kept map[backend.Key]keptValue
	gets int // calls
	sets int

	given int // values, in all calls of Set
}

type keptValue struct {
	data    []byte
	expires time.Time
}

func newValues() *values {
	return &values{Backend: memorybackend.New(), kept: map[backend.Key]keptValue{}}
}

func (v *values) Get(ctx context.Context, keys []backend.Key) ([][]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.gets++
	data := make([][]byte, len(keys))
	for i, k := range keys {
		if kept, ok := v.kept[k]; ok && (kept.expires.IsZero() || time.Now().Before(kept.expires)) {
			data[i] = append([]byte{}, kept.data...)
		}
	}
	return data, ctx.Err()
}

func (v *values) Set(ctx context.Context, values []backend.Value) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.sets++
	v.given += len(values)
	for _, value := range values {
		kept := keptValue{data: append([]byte{}, value.Data...)}
		if value.TTL > 0 {
			kept.expires = time.Now().Add(value.TTL)
		}
		v.kept[value.Key] = kept
	}
	return ctx.Err()
}

func (v *values) Swap(ctx context.Context, swaps []backend.Swap) ([][]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	found := make([][]byte, len(swaps))
	for i, s := range swaps {
		kept, ok := v.kept[s.Key]
		if ok && !kept.expires.IsZero() && !time.Now().Before(kept.expires) {
			delete(v.kept, s.Key)
			kept, ok = keptValue{}, false
		}
		found[i] = bytes.Clone(kept.data)
		if ok != (s.Old != nil) || !bytes.Equal(kept.data, s.Old) {
			continue
		}
		delete(v.kept, s.Key)
		if s.New != nil {
			kept = keptValue{data: bytes.Clone(s.New)}
			if s.TTL > 0 {
				kept.expires = time.Now().Add(s.TTL)
			}
			v.kept[s.Key] = kept
		}
	}
	return found, ctx.Err()
}

func (v *values) Drop(ctx context.Context, database string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	maps.DeleteFunc(v.kept, func(k backend.Key, _ keptValue) bool { return k.Database == database })
	return v.Backend.Drop(ctx, database)
}

// newCache makes a cache, of which the test expects no error.
func newCache[K comparable, V any](t testing.TB, s *txcache.Store, name string, opts txcache.CacheOptions) *txcache.Cache[K, V] {
	t.Helper()
	c, err := txcache.NewCache[K, V](s, name, &opts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func begin(t testing.TB, s *txcache.Store, database string) *txcache.Tx {
	t.Helper()
	tx, err := s.Begin(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tx.Rollback() })
	return tx
}

func beginReadOnly(t testing.TB, s *txcache.Store, database string) *txcache.Tx {
	t.Helper()
	tx, err := s.BeginReadOnly(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tx.Rollback() })
	return tx
}

func commit(t testing.TB, tx *txcache.Tx) {
	t.Helper()
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatalf("commit: %v", err)
	}
}

func clearCache[K comparable, V any](t testing.TB, tx *txcache.Tx, c *txcache.Cache[K, V]) {
	t.Helper()
	if err := c.Clear(tx); err != nil {
		t.Fatalf("clear: %v", err)
	}
}

// publish sets a value in a transaction of its own.
func publish[K comparable, V any](t testing.TB, s *txcache.Store, database string, c *txcache.Cache[K, V], key K, value V) {
	t.Helper()
	tx := beginReadOnly(t, s, database)
	c.Set(tx, key, value)
	commit(t, tx)
}

// hit fails the test unless tx reads just that value.
func hit[K comparable, V comparable](t testing.TB, tx *txcache.Tx, c *txcache.Cache[K, V], key K, want V, why string) {
	t.Helper()
	if got, ok := c.Get(t.Context(), tx, key); !ok || got != want {
		t.Errorf("Get(%v) = %v, %v; want %v: %s", key, got, ok, want, why)
	}
}

// miss fails the test if tx reads any value.
func miss[K comparable, V any](t testing.TB, tx *txcache.Tx, c *txcache.Cache[K, V], key K, why string) {
	t.Helper()
	if got, ok := c.Get(t.Context(), tx, key); ok {
		t.Errorf("Get(%v) = %v; want a miss: %s", key, got, why)
	}
}

func splitSteps(order string) []string { return strings.Split(order, ", ") }

// heap returns the bytes that are in use after a collection.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
