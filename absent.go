package txcache

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
)

// ErrAbsent is what a loader returns, wrapped or not, to say that there is
// nothing under the key. Load returns it, and until the cache is cleared or the
// time has passed it does so without calling the loader again; see
// CacheOptions.Absent.
//
// It is to be tested for with errors.Is. What a load within a loader returns
// remembers what is absent: to the loader around it that is an error like any
// other, for the order is there though its customer is not. A loader for which
// that makes its own key absent returns ErrAbsent itself, as in
// fmt.Errorf("%w: %w", txcache.ErrAbsent, err).
var ErrAbsent = errors.New("txcache: absent")

// An absence is what a load within a loader returns that wraps ErrAbsent. It says
// something of one key, or of none.
type absence struct {
	error
	cache    *core // nil: of no key
	database string
	key      any // an entryKey of the cache
}

func (a *absence) Unwrap() error { return a.error }

// within returns err for a caller of Load or LoadMany with ctx, which may be a
// loader.
func (c *Cache[K, V]) within(ctx context.Context, tx *Tx, err error, key *K) error {
	if chainOf(ctx) == nil && tx.t.loading.Load() == 0 || !saysAbsent(err, nil) {
		return err
	}
	a := &absence{error: err, database: tx.Database()}
	if key != nil {
		if k, ok := c.entryKey(tx, *key); ok {
			a.cache, a.key = &c.core, k
		}
	}
	return a
}

// absentHere reports whether err, of a loader of key, says that key is absent.
func (c *Cache[K, V]) absentHere(tx *Tx, err error, key K) bool {
	return saysAbsent(err, func(a *absence) bool {
		k, ok := c.entryKey(tx, key)
		return ok && a.cache == &c.core && a.database == tx.Database() && a.key == any(k)
	})
}

// saysAbsent is errors.Is(err, ErrAbsent), but for an absence within err, of which
// it asks counts, if that is not nil.
func saysAbsent(err error, counts func(*absence) bool) bool {
	if a, ok := err.(*absence); ok {
		return counts != nil && counts(a)
	}
	if err == ErrAbsent {
		return true
	}
	if e, ok := err.(interface{ Is(error) bool }); ok && e.Is(ErrAbsent) {
		return true
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		return saysAbsent(e.Unwrap(), counts)
	case interface{ Unwrap() []error }:
		return slices.ContainsFunc(e.Unwrap(), func(err error) bool { return saysAbsent(err, counts) })
	}
	return false
}

// Absent reports whether it is known, to the transaction, that the database has
// nothing under key: a loader has answered ErrAbsent, or SetAbsent was called.
// For such a key Get finds no value, as for one of which nothing is known. A
// look-up by Absent counts like one by Get.
func (c *Cache[K, V]) Absent(ctx context.Context, tx *Tx, key K) bool {
	if _, ok := c.near(tx, key); ok {
		return false
	}
	return c.find(ctx, tx, key).found == absent
}

// SetAbsent is Set for a key under which the database has nothing. It does
// nothing if CacheOptions.Absent is negative.
func (c *Cache[K, V]) SetAbsent(tx *Tx, key K) {
	c.made()
	if c.absence >= 0 && c.put(tx, key, entry[V]{absent: true}) {
		tx.t.flush(context.Background())
	}
}

// replace keeps r, as keep does, in the place of a value that is cached.
func (c *Cache[K, V]) replace(ctx context.Context, tx *Tx, key K, r result[V], cuts uint64) {
	c.keep(tx, key, r, cuts)
	if r.found != absent || c.absence >= 0 || c.store.values == nil {
		return
	}
	// What the backend has is replaced by an absence that is over at once.
	k, ok := c.entryKey(tx, key)
	g, _ := tx.t.shared(&c.core).(*generationOf[K, V])
	if !ok || g == nil || tx.t.inSavepoint() {
		return
	}
	over := c.codec.AppendAbsent(nil, time.Unix(1, 0))
	v := backend.Value{Key: c.remoteKey(tx.Database(), g, k), Data: over, TTL: time.Millisecond}
	if !c.store.setRemote(ctx, tx.Database(), []backend.Value{v}) {
		c.stats.remoteErrors.Add(1)
	}
}

// drop forgets what a read-only transaction has read under key, and others have in
// the process.
func (c *Cache[K, V]) drop(tx *Tx, key K) {
	k, ok := c.entryKey(tx, key)
	if !ok {
		return
	}
	t := tx.t
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.done {
		return
	}
	if t.work == nil || t.work.savepoints == 0 {
		if g, _ := t.shared(&c.core).(*generationOf[K, V]); g != nil && g.near != nil {
			g.near.Expire(k, k.hash())
		}
	}
	if t.work == nil || t.work.caches[&c.core] == nil {
		return
	}
	if o, _ := t.work.caches[&c.core].overlay.(*overlayOf[K, V]); o != nil {
		if _, there := o.values[k]; there {
			o.set(t.work, k, entry[V]{absent: true, expires: 1}, t.readOnly) // long ago
		}
	}
}
