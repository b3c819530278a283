package txcache

import (
	"context"
	"math"
	"math/rand/v2"
	"reflect"
	"sync/atomic"
)

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

// sampled reports whether a hit is to be verified.
//
// Only read-only transactions verify: the loader of others may see what they
// have written themselves and are still going to clear.
func (c *core) sampled(t *transaction) bool { return t.readOnly && c.verify.drawn() }

// A share is a number from 0 to 1 that may change while others read it.
type share struct{ bits atomic.Uint64 }

func (s *share) set(to float64) { s.bits.Store(math.Float64bits(to)) }
func (s *share) any() bool      { return s.bits.Load() != 0 }
func (s *share) drawn() bool    { return rand.Float64() < math.Float64frombits(s.bits.Load()) }

// verifyAll verifies every hit in caches that there are and that will be, and
// reports those that are stale.
func (s *Store) verifyAll(report func(database, cache string, key, cached, loaded any)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reportStale.Store(&report)
	for _, c := range s.caches {
		c.verify.set(1)
	}
}

// compareSome verifies some of the hits among wishes.
func (c *Cache[K, V]) compareSome(ctx context.Context, tx *Tx, wishes []wish[K, V], results []result[V], load loader[K, V]) {
	var keys []K
	var hits []result[V]
	var places []int
	for i := range wishes {
		if wishes[i].hit && c.sampled(tx.t) {
			keys, hits, places = append(keys, wishes[i].key.key), append(hits, results[i]), append(places, i)
		}
	}
	if len(keys) == 0 {
		return
	}
	c.compare(ctx, tx, keys, hits, load)
	for i, place := range places {
		results[place] = hits[i]
	}
}

// compare verifies hits: it loads the keys as well, and where that shows a hit
// to be stale, puts what was loaded in its place. If the loader fails all is
// left as it is.
func (c *Cache[K, V]) compare(ctx context.Context, tx *Tx, keys []K, hits []result[V], load loader[K, V]) {
	loaded, cuts, err := c.call(ctx, tx.t, keys, load)
	if err != nil {
		return
	}
	c.stats.verified.Add(uint64(len(keys)))
	var differ []int
	for i := range keys {
		if !c.same(hits[i], loaded[i]) {
			differ = append(differ, i)
		}
	}
	if len(differ) == 0 || !c.uncleared(ctx, tx.t) {
		return
	}
	for _, i := range differ {
		c.stale(ctx, tx, keys[i], hits[i], loaded[i])
		hits[i] = loaded[i]
		c.replace(ctx, tx, keys[i], loaded[i], cuts)
	}
}

// stale reports a stale hit.
func (c *Cache[K, V]) stale(ctx context.Context, tx *Tx, key K, hit, loaded result[V]) {
	c.stats.mismatches.Add(1)
	c.store.quiet.warn(ctx, "stale hit", "database", tx.Database(), "cache", c.name)
	if report := c.store.reportStale.Load(); report != nil {
		(*report)(tx.Database(), c.name, key, hit.shown(), loaded.shown())
	}
	if report := c.store.opts.OnStale; report != nil {
		report(ctx, StaleHit{tx.Database(), c.name, key, hit.shown(), loaded.shown()})
	}
}

func (r result[V]) shown() any {
	if r.found == absent {
		return ErrAbsent
	}
	return r.value
}

// uncleared reports whether c is, for sure, at the generation still that t
// reads. A commit whose change a loader has seen has been fenced before: the
// backend knows of it by now.
func (c *core) uncleared(ctx context.Context, t *transaction) bool {
	_, _, _, err := c.store.sync(ctx, t.db.name, 0)
	return err == nil && !t.ended() && t.shared(c) != nil
}

// same reports whether two values are deeply equal, or their encodings are: a time
// is the same in any zone, as servers in several zones may have loaded it.
func (c *Cache[K, V]) same(a, b result[V]) bool {
	if a.found != b.found {
		return false
	}
	return reflect.DeepEqual(a.value, b.value) || c.codec.Alike(a.value, b.value)
}
