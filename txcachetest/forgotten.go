package txcachetest

import (
	"sync"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/witness"
)

// DetectForgottenClears fails the test if a hit of Load or LoadMany in a read-only
// transaction is not what the loader returns, although no transaction has cleared
// the cache: a transaction has changed the row and not cleared the cache, or has
// cleared that of another database, or the value depends on more than its key and
// user context. The failure names the database, the cache and the key.
//
// Every such hit calls its loader, in all caches of store, also those that are
// made later; so a test that counts calls of loaders is none for this. The loader's
// value takes the place of the stale one. A hit of Get has no loader and is not
// looked at, nor is a hit in a read-write transaction, whose loader may see what the
// transaction has written itself. Values are compared as [txcache.CacheOptions]
// says of Verify. Calling it again for the same store does nothing.
func DetectForgottenClears(t testing.TB, store *txcache.Store) {
	t.Helper()
	if store == nil {
		t.Fatal("txcache: DetectForgottenClears needs a store")
	}
	d := &staleDetector{t: t, seen: map[staleLocation]bool{}}
	if _, watched := staleDetectors.LoadOrStore(store, d); watched {
		return
	}
	witness.Verify(store, d.stale)
	t.Cleanup(func() {
		staleDetectors.Delete(store)
		d.end()
	})
}

// staleDetectors are those at work, by store.
var staleDetectors sync.Map

// staleReported is how many stale hits of a test are described.
const staleReported = 10

// A staleDetector reports the stale hits of one store, each key once.
type staleDetector struct {
	t testing.TB

	mu    sync.Mutex
	ended bool
	seen  map[staleLocation]bool
}

type staleLocation struct {
	database string
	location
}

// stale is told of each stale hit.
func (d *staleDetector) stale(database, cache string, key, cached, loaded any) {
	at := staleLocation{database, location{cache, key}}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended || d.seen[at] {
		return
	}
	d.seen[at] = true
	if len(d.seen) > staleReported {
		return
	}
	d.t.Errorf("txcache: database %q, cache %q, key %s: the cached value is stale: cached %s, loaded %s; a transaction that changes the row must clear the cache, and begin for the same database",
		database, cache, short(at.keyText()), short(textOf(cached)), short(textOf(loaded)))
}

func (d *staleDetector) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended = true
	if more := len(d.seen) - staleReported; more > 0 {
		d.t.Errorf("txcache: %d more keys had stale values", more)
	}
}
