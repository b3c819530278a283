package txcache

import (
	"context"
	"time"

	"github.com/seed-dad15c92/txcache/internal/loading"
	"github.com/seed-dad15c92/txcache/internal/transaction"
)

// Load returns the value under key. If there is none, it calls load, sets the value
// that load returns, and returns it. If load returns an error, Load sets nothing and
// returns that error as it is. In a finished transaction it returns ErrTxDone and
// does not call load. If load returns ErrAbsent, wrapped or not, the cache remembers
// that, and Load returns ErrAbsent.
//
// Callers that miss the same key of the same generation at the same time share
// one call of load: the call of a read-only transaction, because it can have seen
// nothing that others must not see. It runs in the goroutine of its caller, with
// that caller's context; another caller waits for it no longer than its own context
// lasts. If load panics, or its caller's context or transaction ends, the next
// waiting caller calls its own load. Goroutines of one transaction do not wait for
// each other. A read-write transaction, and a savepoint, may use a value that others
// load, but what it loads itself is its own until it commits. If another goroutine
// of the transaction clears the cache, or a savepoint is undone, while load runs,
// Load returns what load returned, but sets nothing: load may have read it before
// the change.
//
// The callers share an error of load too, unless it may concern only the caller
// that called load: it came at that caller's deadline or shortly before; it is of a
// context, a time limit, a connection or a transaction that has ended; its SQLSTATE
// is not about the statement; or it wraps ErrAbsent. Then the next caller calls its
// own load, and a caller that has waited for two such errors waits no more.
//
// load may call Load, with the context that it gets, for other caches and keys.
// Such calls share one load as well, within the process and, with leases, between
// processes; where loads would wait for each other in a circle, one of them does
// not wait and calls its own load. For that, load must pass on the context that it
// gets, or the transaction. A load that has neither can wait until its context ends;
// so can a load that waits for a lock of a read-write transaction that may itself load
// the same key.
func (c *Cache[K, V]) Load(ctx context.Context, tx *Tx, key K, load func(context.Context) (V, error)) (V, error) {
	c.made()
	tx.made()
	given(ctx)
	return c.inner.Load(ctx, tx.h, key, load)
}

// LoadMany returns the values under keys. It calls load with the keys of which
// nothing is known, each once, unless there is no such key, and sets what load
// returns. A key that load leaves out is absent: LoadMany leaves it out too, and the
// cache remembers it as after ErrAbsent.
//
// Otherwise it is like Load. Batches that overlap do not load a key twice: LoadMany
// calls load for the keys that no other caller is loading, and waits for those that
// other callers load. Only if one of these gives up does it call load again, for the
// keys that this one was loading. An error of load, or of another caller's load for
// which LoadMany waited, is the error of the whole batch.
func (c *Cache[K, V]) LoadMany(ctx context.Context, tx *Tx, keys []K, load func(ctx context.Context, missing []K) (map[K]V, error)) (map[K]V, error) {
	c.made()
	tx.made()
	given(ctx)
	return c.inner.LoadMany(ctx, tx.h, keys, load)
}

// LoadFor is Load for values that live for a time of their own: load also returns for how
// long the value is valid, from now on, as [Cache.SetFor] takes it. With 0 the value lives as any other of the
// cache. With a negative duration Load returns the value to all callers that share the call, and the cache
// does not keep it. A loader that passes on a duration of somebody else's must therefore
// turn a 0 that means "do not keep" into a negative one.
//
// If load returns ErrAbsent, wrapped or not, the duration is for how long the cache
// remembers that; 0 is as long as CacheOptions.Absent says. Where that is negative nothing is remembered.
// With any other error the duration means nothing.
func (c *Cache[K, V]) LoadFor(ctx context.Context, tx *Tx, key K, load func(context.Context) (V, time.Duration, error)) (V, error) {
	c.made()
	tx.made()
	given(ctx)
	return c.inner.LoadFor(ctx, tx.h, key, load)
}

// RefreshEarly sets a function that loads hot values again before they expire, so
// that no caller waits for the load. It concerns values that expire, in read-only
// transactions. With CacheOptions.LoadLimit the same function also loads what is not there.
//
// load runs in the background, one call for a key at a time in a process. It gets a
// transaction of its own, read-only, for the same database and user context. It must
// read in a database transaction that it begins itself: the caller whose hit started
// the refresh may have finished. Its context ends after LoadLimit, without one after the cache's Duration,
// and without that too after a minute, and with the store. The store counts its errors and panics, and logs a panic with its
// place and without its value; the value then expires as if nothing had been tried.
//
// Each hit decides at random whether to refresh. The probability rises as the expiry
// comes closer, and with the time that the cache's loaders have taken so far. This is
// optimal to avoid both stampedes and needless loads: Vattani, Chierichetti and
// Lowenstein, "Optimal Probabilistic Cache Stampede Prevention", 2015, with their β
// at 1.
//
// RefreshEarly is safe for concurrent use. The last call counts.
func (c *Cache[K, V]) RefreshEarly(load func(ctx context.Context, tx *Tx, key K) (V, error)) {
	c.made()
	if load == nil {
		panic("txcache: RefreshEarly needs a function")
	}
	c.inner.RefreshEarly(func(ctx context.Context, h transaction.Handle, key K) (V, time.Duration, error) {
		v, err := load(ctx, &Tx{h}, key)
		return v, 0, err
	})
}

// RefreshEarlyFor is RefreshEarly with a loader that also returns how long the value lives, as
// that of [Cache.LoadFor]. The last call of either counts.
func (c *Cache[K, V]) RefreshEarlyFor(load func(ctx context.Context, tx *Tx, key K) (V, time.Duration, error)) {
	c.made()
	if load == nil {
		panic("txcache: RefreshEarlyFor needs a function")
	}
	c.inner.RefreshEarly(func(ctx context.Context, h transaction.Handle, key K) (V, time.Duration, error) {
		return load(ctx, &Tx{h}, key)
	})
}

// A StaleHit is a cached value that differs from what its loader returns now,
// although no transaction has cleared the cache: a transaction changed the database
// and did not clear, or the value depends on more than its key and user context.
type StaleHit struct {
	Database string
	Cache    string
	Key      any
	Cached   any // ErrAbsent if the key was known to be absent; must not be changed
	Loaded   any // ErrAbsent if it is; must not be changed
}

func (s *Store) onStale() func(context.Context, loading.StaleHit) {
	report := s.opts.OnStale
	if report == nil {
		return nil
	}
	return func(ctx context.Context, hit loading.StaleHit) { report(ctx, StaleHit(hit)) }
}
