package txcache

import (
	"context"

	"github.com/seed-dad15c92/txcache/internal/loading"
	"github.com/seed-dad15c92/txcache/internal/transaction"
)

// Load returns the value under key, and if there is none, the one that load
// returns, after having set it. An error of load is returned as it is, and
// nothing is set; so is ErrTxDone, without calling load. If load answers
// ErrAbsent, wrapped or not, that is remembered, and Load returns ErrAbsent.
//
// Callers that miss the same key of the same generation at the same time share
// one call of load: that of a read-only transaction, which can have seen
// nothing that others may not. It runs in the goroutine of its caller, with its
// context; others wait for it no longer than their own. If load panics, or its
// caller's context or transaction ends, the next caller that waits calls its own.
// Goroutines of one transaction do not wait for each other. A read-write
// transaction, and a savepoint, shares in the value of others, but what it loads
// itself is its own until it commits. If another goroutine of the transaction
// clears the cache, or a savepoint is undone, while load runs, Load returns what
// load returned, but sets nothing: load may have read it before the change.
//
// An error of load is shared too, unless it may be of its caller's circumstances:
// it came at the caller's deadline or shortly before; it is of a context, a time
// limit, a connection or a transaction that has ended; its SQLSTATE is not about
// the statement; or it wraps ErrAbsent. Then the next caller calls its own load,
// and one that has waited for two such errors waits no more.
//
// load may call Load, with the context that it gets, for other caches and keys.
// Such calls share one load as well, within the process and, with leases, between
// processes; where loads wait for each other in a circle one of them loads for
// itself. For that, load must pass on the context that it gets, or the
// transaction: a load with neither, and one that waits for a lock which a
// read-write transaction holds that may load the same key, can wait until its
// context ends.
func (c *Cache[K, V]) Load(ctx context.Context, tx *Tx, key K, load func(context.Context) (V, error)) (V, error) {
	c.made()
	tx.made()
	given(ctx)
	return c.inner.Load(ctx, tx.h, key, load)
}

// LoadMany returns the values under keys. It calls load, with those keys of
// which nothing is known, each once, unless that is none of them, and sets what
// load returns. Keys that load leaves out are absent, are missing in what
// LoadMany returns, and are remembered as with ErrAbsent.
//
// Otherwise it is like Load. Batches that overlap do not load a key twice: load
// is called for keys that nobody else is loading, and what others load is waited
// for. Only if one of those goes away is load called again, for what it was
// loading. An error of load, or of another's load that was waited for, is the
// error of the whole batch.
func (c *Cache[K, V]) LoadMany(ctx context.Context, tx *Tx, keys []K, load func(ctx context.Context, missing []K) (map[K]V, error)) (map[K]V, error) {
	c.made()
	tx.made()
	given(ctx)
	return c.inner.LoadMany(ctx, tx.h, keys, load)
}

// RefreshEarly lets values that are asked for be loaded again before they
// expire, so that nobody has to wait for that. It concerns caches with a
// Duration, in read-only transactions.
//
// load is called in the background, one call for a key at a time in a process.
// It gets a transaction of its own, read-only, for the same database and user
// context, and must read from a database transaction that it begins itself: that
// of whoever asked may be long over. Its context ends after the cache's Duration,
// and with the store. Its errors and panics are counted, and a panic is logged,
// with its place and without its value; the value then expires as if nothing had
// been tried.
//
// When to load is decided at random with each hit, the likelier the nearer the
// expiry is and the longer loaders of the cache have taken so far, as is optimal
// to avoid both stampedes and needless loads: Vattani, Chierichetti and
// Lowenstein, "Optimal Probabilistic Cache Stampede Prevention", 2015, with
// their β at 1.
//
// RefreshEarly is safe for concurrent use. The last call counts.
func (c *Cache[K, V]) RefreshEarly(load func(ctx context.Context, tx *Tx, key K) (V, error)) {
	c.made()
	if load == nil {
		panic("txcache: RefreshEarly needs a function")
	}
	c.inner.RefreshEarly(func(ctx context.Context, h transaction.Handle, key K) (V, error) {
		return load(ctx, &Tx{h}, key)
	})
}

// A StaleHit is a value that was cached and is not what its loader returns now,
// although nobody has cleared the cache: somebody changed the database and
// forgot to clear, or the value depends on more than its key and user context.
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
