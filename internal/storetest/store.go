package storetest

import (
	"testing"

	"github.com/seed-dad15c92/txcache"
)

// NewCache makes a cache, of which the test expects no error.
func NewCache[K comparable, V any](t testing.TB, s *txcache.Store, name string, opts txcache.CacheOptions) *txcache.Cache[K, V] {
	t.Helper()
	c, err := txcache.NewCache[K, V](s, name, &opts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Begin begins a transaction, which is rolled back with the test if it is still
// open.
func Begin(t testing.TB, s *txcache.Store, database string) *txcache.Tx {
	t.Helper()
	tx, err := s.Begin(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tx.Rollback() })
	return tx
}

// BeginReadOnly does the same for a read-only transaction.
func BeginReadOnly(t testing.TB, s *txcache.Store, database string) *txcache.Tx {
	t.Helper()
	tx, err := s.BeginReadOnly(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tx.Rollback() })
	return tx
}

// Commit commits a transaction, of which the test expects no error.
func Commit(t testing.TB, tx *txcache.Tx) {
	t.Helper()
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatalf("commit: %v", err)
	}
}

// Clear clears a cache, of which the test expects no error.
func Clear[K comparable, V any](t testing.TB, tx *txcache.Tx, c *txcache.Cache[K, V]) {
	t.Helper()
	if err := c.Clear(tx); err != nil {
		t.Fatalf("clear: %v", err)
	}
}

// Publish sets a value in a transaction of its own.
func Publish[K comparable, V any](t testing.TB, s *txcache.Store, database string, c *txcache.Cache[K, V], key K, value V) {
	t.Helper()
	tx := BeginReadOnly(t, s, database)
	c.Set(tx, key, value)
	Commit(t, tx)
}

// Hit fails the test unless tx reads just that value.
func Hit[K comparable, V comparable](t testing.TB, tx *txcache.Tx, c *txcache.Cache[K, V], key K, want V, why string) {
	t.Helper()
	if got, ok := c.Get(t.Context(), tx, key); !ok || got != want {
		t.Errorf("Get(%v) = %v, %v; want %v: %s", key, got, ok, want, why)
	}
}

// Miss fails the test if tx reads any value.
func Miss[K comparable, V any](t testing.TB, tx *txcache.Tx, c *txcache.Cache[K, V], key K, why string) {
	t.Helper()
	if got, ok := c.Get(t.Context(), tx, key); ok {
		t.Errorf("Get(%v) = %v; want a miss: %s", key, got, why)
	}
}

// Fill sets n values under keys that were not used before, from next on, in a read-only transaction.
func Fill(t testing.TB, s *txcache.Store, database string, c *txcache.Cache[int, string], n int, next *int) {
	t.Helper()
	err := s.View(t.Context(), database, func(tx *txcache.Tx) error {
		for range n {
			*next++
			c.Set(tx, *next, "a value that nobody asks for")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
