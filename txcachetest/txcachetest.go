// Package txcachetest provides stores for tests of code that uses txcache.
//
// A store from here is a real one, over a backend that ends with the test.
// Each test has its own:
//
//	func TestPriceIsQueriedOnce(t *testing.T) {
//		c := newCatalogue(txcachetest.Memory(t))
//		...
//	}
//
// [Memory] is the quickest. [Redis] shows as well whether values survive being
// encoded, and [RedisServers] how several servers get along.
//
// [DetectMutation] fails a test in which a cached value was changed.
//
// Values in all of them expire by the clock of package time, so that within
// [testing/synctest] a test can let them expire without waiting.
package txcachetest

import (
	"errors"
	"log/slog"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

// Memory returns a new store in memory, with default options. It shares nothing
// with other stores, writes its log to that of the test, and is closed when the
// test and its subtests are over. To use it within a synctest bubble, make it
// there.
func Memory(t testing.TB) *txcache.Store {
	t.Helper()
	return open(t, memorybackend.New(), slog.New(slog.NewTextHandler(t.Output(), nil)))
}

// open returns a store over b that is closed with the test.
func open(t testing.TB, b backend.Backend, logger *slog.Logger) *txcache.Store {
	t.Helper()
	store, err := txcache.New(b, &txcache.Options{Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		switch err := store.Close(); {
		case err == nil:
		case errors.Is(err, txcache.ErrInDoubt) && !errors.Is(err, txcache.ErrUnavailable):
			t.Log(err) // the test's own doing, and what the store keeps ends with it
		default:
			t.Error(err)
		}
	})
	return store
}
