package loading

import (
	"context"
	"math"
	"math/rand/v2"
	"reflect"
	"sync/atomic"

	"github.com/seed-dad15c92/txcache/internal/transaction"
)

// A StaleHit is a cached value that differs from what its loader returns now, although
// no transaction has cleared the cache.
type StaleHit struct {
	Database string
	Cache    string
	Key      any
	Cached   any // ErrAbsent if the key was known to be absent; must not be changed
	Loaded   any // ErrAbsent if it is; must not be changed
}

// sampled reports whether a hit must be verified.
//
// Only read-only transactions verify: a loader in a read-write transaction may see
// changes that the transaction has not cleared yet.
// Nor does one that may load what is newer than its hits, where nothing tells whether it is.
func (c *Cache[K, V]) sampled(h transaction.Handle) bool {
	return h.ReadOnly && c.verify.sample() && h.Comparable()
}

// A rate is a number from 0 to 1 that may change while other goroutines read it.
type rate struct{ bits atomic.Uint64 }

func (r *rate) set(to float64) { r.bits.Store(math.Float64bits(to)) }
func (r *rate) any() bool      { return r.bits.Load() != 0 }
func (r *rate) sample() bool   { return rand.Float64() < math.Float64frombits(r.bits.Load()) }

// compareSome verifies some of the hits among items.
func (c *Cache[K, V]) compareSome(ctx context.Context, h transaction.Handle, items []item[K, V], results []transaction.Result[V], load loader[K, V]) {
	var keys []K
	var hits []transaction.Result[V]
	var places []int
	for i := range items {
		if items[i].hit && c.sampled(h) {
			keys, hits, places = append(keys, items[i].key.Key), append(hits, results[i]), append(places, i)
		}
	}
	if len(keys) == 0 {
		return
	}
	c.compare(ctx, h, keys, hits, load)
	for i, place := range places {
		results[place] = hits[i]
	}
}

// compare verifies hits: it loads the keys as well, and replaces a stale hit by the
// loaded value. If the loader fails, compare changes nothing.
func (c *Cache[K, V]) compare(ctx context.Context, h transaction.Handle, keys []K, hits []transaction.Result[V], load loader[K, V]) {
	loaded, cuts, err := c.runLoader(ctx, h.Transaction, keys, load)
	if err != nil {
		return
	}
	c.Counts.Verified.Add(uint64(len(keys)))
	var differ []int
	for i := range keys {
		if !c.same(hits[i], loaded[i]) {
			differ = append(differ, i)
		}
	}
	if len(differ) == 0 || !c.current(ctx, h.Transaction) {
		return
	}
	for _, i := range differ {
		// Deleted since, or a tag cleared that either bears: the hit may be the newer one.
		if !c.Useful(h.Transaction, keys[i], hits[i]) || !c.Useful(h.Transaction, keys[i], loaded[i]) {
			continue
		}
		c.stale(ctx, h, keys[i], hits[i], loaded[i])
		hits[i] = loaded[i]
		c.Replace(ctx, h, keys[i], loaded[i], cuts)
	}
}

// stale reports a stale hit.
func (c *Cache[K, V]) stale(ctx context.Context, h transaction.Handle, key K, hit, loaded transaction.Result[V]) {
	c.Counts.Mismatches.Add(1)
	c.Core.Store.Log.Warn(ctx, "stale hit", "database", h.Database(), "cache", c.Name)
	if report := c.store.report.Load(); report != nil {
		(*report)(h.Database(), c.Name, key, reported(hit), reported(loaded))
	}
	if report := c.store.onStale; report != nil {
		report(ctx, StaleHit{h.Database(), c.Name, key, reported(hit), reported(loaded)})
	}
}

func reported[V any](r transaction.Result[V]) any {
	if r.Found == transaction.Absent {
		return ErrAbsent
	}
	return r.Value
}

// current reports whether c is certainly still at the generation that t reads. A loader
// can see only commits that were fenced before, so the backend knows of them by now.
func (c *Cache[K, V]) current(ctx context.Context, t *transaction.Transaction) bool {
	_, _, _, err := c.Core.Store.Databases.Sync(ctx, t.Database(), 0)
	return err == nil && !t.Ended() && !t.Private(&c.Core)
}

// same reports whether two values are deeply equal, or their encodings are: a time
// is the same in any zone, as servers in several zones may have loaded it.
func (c *Cache[K, V]) same(a, b transaction.Result[V]) bool {
	if a.Found != b.Found {
		return false
	}
	return reflect.DeepEqual(a.Value, b.Value) || c.Codec.Alike(a.Value, b.Value)
}
