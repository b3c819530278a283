package loading

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"sync/atomic"
	"time"

	"github.com/seed-dad15c92/txcache/internal/near"
	"github.com/seed-dad15c92/txcache/internal/transaction"
)

// A Cache is a cache that can be loaded. It is safe for concurrent use.
type Cache[K comparable, V any] struct {
	transaction.Cache[K, V]

	store     *Store
	duration  time.Duration // 0: none
	lease     time.Duration // 0: none
	limit     time.Duration // of loads in the background; 0: there are none but refreshes
	verify    rate          // of hits
	refresher atomic.Pointer[Refresher[K, V]]
}

// A Refresher is a loader that works without a caller. It also returns how long the value lives; see
// transaction.Cache.SetFor.
type Refresher[K comparable, V any] func(context.Context, transaction.Handle, K) (V, time.Duration, error)

// Settings are those of a cache; see txcache.CacheOptions.
type Settings struct {
	Duration time.Duration // 0: none
	Lease    time.Duration // 0: none
	Limit    time.Duration // 0: callers run all loaders but those of refreshes
	Verify   float64
}

// Init makes c a cache of s. The caller must call it once, after Init of the embedded
// cache.
func (c *Cache[K, V]) Init(s *Store, o Settings) {
	c.store, c.duration, c.lease, c.limit = s, o.Duration, o.Lease, o.Limit
	s.add(&c.verify, o.Verify)
}

// Load returns the value under key. If there is none, it calls load, sets the value
// that load returns, and returns it.
func (c *Cache[K, V]) Load(ctx context.Context, h transaction.Handle, key K, load func(context.Context) (V, error)) (V, error) {
	return c.loadOne(ctx, h, key, load, nil)
}

// LoadFor is Load with a loader that returns how long the value lives; see transaction.Cache.SetFor.
func (c *Cache[K, V]) LoadFor(ctx context.Context, h transaction.Handle, key K, load func(context.Context) (V, time.Duration, error)) (V, error) {
	return c.loadOne(ctx, h, key, nil, load)
}

// loadOne is Load, or LoadFor if load is nil. It makes a function of either only after a miss.
func (c *Cache[K, V]) loadOne(ctx context.Context, h transaction.Handle, key K, load func(context.Context) (V, error), loadFor func(context.Context) (V, time.Duration, error)) (V, error) {
	v, hit := c.Near(h, key)
	if hit && !c.verify.any() {
		return v, nil
	}
	wanted := key // it moves to the heap, and key does not: so a hit allocates nothing
	keys := []K{wanted}
	one := func(ctx context.Context, _ []K) ([]transaction.Result[V], error) {
		if load == nil {
			v, life, err := loadFor(ctx)
			return c.oneResult(h, wanted, v, life, err)
		}
		v, err := load(ctx)
		return c.oneResult(h, wanted, v, 0, err)
	}
	results := []transaction.Result[V]{{Value: v, Found: transaction.Present}}
	if hit {
		if c.sampled(h) {
			c.compare(ctx, h, keys, results, one)
		}
	} else {
		var err error
		if results, err = c.load(ctx, h, keys, true, one); err != nil {
			return v, c.wrapAbsent(ctx, h, err, nil)
		}
	}
	if results[0].Found == transaction.Absent {
		return results[0].Value, c.wrapAbsent(ctx, h, ErrAbsent, &wanted)
	}
	return results[0].Value, nil
}

// oneResult returns what a loader of one key has found.
func (c *Cache[K, V]) oneResult(h transaction.Handle, key K, v V, life time.Duration, err error) ([]transaction.Result[V], error) {
	if err != nil && c.absentFor(h, err, key) {
		return []transaction.Result[V]{{Found: transaction.Absent, Life: life}}, nil
	}
	return []transaction.Result[V]{{Value: v, Found: transaction.Present, Life: life}}, err
}

// LoadMany returns the values under keys. It calls load with the keys of which nothing
// is known, each once, unless there is no such key, and sets what load returns.
func (c *Cache[K, V]) LoadMany(ctx context.Context, h transaction.Handle, keys []K, load func(ctx context.Context, missing []K) (map[K]V, error)) (map[K]V, error) {
	values := make(map[K]V, len(keys))
	unique := c.nearMany(h, keys, values)
	if len(unique) == 0 && len(values) > 0 {
		return values, nil
	}
	alone := len(unique) == 1 && len(values) == 0
	results, err := c.load(ctx, h, unique, alone, func(ctx context.Context, missing []K) ([]transaction.Result[V], error) {
		loaded, err := load(ctx, slices.Clone(missing)) // load may change its slice
		results := make([]transaction.Result[V], len(missing))
		for i, key := range missing {
			v, ok := loaded[key]
			if results[i] = (transaction.Result[V]{Value: v, Found: transaction.Present}); !ok {
				results[i].Found = transaction.Absent
			}
		}
		return results, err
	})
	if err != nil {
		return nil, c.wrapAbsent(ctx, h, err, nil)
	}
	for i, r := range results {
		if r.Found != transaction.Absent {
			values[unique[i]] = r.Value
		}
	}
	return values, nil
}

// nearMany adds to values what Near finds, and returns the other keys, each once. Where hits
// are compared with the database it returns all.
func (c *Cache[K, V]) nearMany(h transaction.Handle, keys []K, values map[K]V) (others []K) {
	looks := !c.verify.any()
	var seen map[K]bool // of others
	for _, key := range keys {
		if c.Keys.Checked() && !isComparable(key) {
			c.Counts.Bypass() // no map has such a key
			continue
		}
		if _, there := values[key]; there || seen[key] {
			continue
		}
		if looks {
			if v, hit := c.Near(h, key); hit {
				values[key] = v
				continue
			}
		}
		if seen == nil {
			seen = make(map[K]bool, len(keys))
		}
		seen[key] = true
		others = append(others, key)
	}
	return others
}

// isComparable reports whether a map can have the key; a type may have values of which it cannot.
func isComparable[K comparable](key K) bool { return reflect.ValueOf(&key).Elem().Comparable() }

// A loader loads keys from the database; the results are in their order.
type loader[K comparable, V any] func(ctx context.Context, keys []K) ([]transaction.Result[V], error)

// load is Load in full, for any number of keys. one says that the caller has asked for no others,
// which were found already.
func (c *Cache[K, V]) load(ctx context.Context, h transaction.Handle, keys []K, one bool, load loader[K, V]) ([]transaction.Result[V], error) {
	if err := c.Usable(h.Transaction); err != nil {
		return nil, err
	}
	items := make([]item[K, V], len(keys))
	pending := make([]*item[K, V], len(keys))
	for i, key := range keys {
		it := &items[i]
		it.key, it.cacheable = c.Key(h, key)
		pending[i] = it
	}
	for len(pending) > 0 {
		if h.Ended() {
			return nil, transaction.ErrTxDone
		}
		b := batch[K, V]{c: c, h: h, load: load, one: one}
		others := b.add(ctx, pending)
		err := b.run(ctx)
		h.Flush(ctx)
		if err != nil {
			c.Counts.MissMany(len(others))
			return nil, err
		}
		if pending, err = c.await(ctx, h.Transaction, others); err != nil {
			return nil, err
		}
	}
	results := make([]transaction.Result[V], len(items))
	for i := range items {
		results[i] = items[i].Result
	}
	if c.verify.any() {
		c.compareSome(ctx, h, items, results, load)
	}
	return results, nil
}

// await waits for the items that other transactions load. It returns those that are
// still missing: the leader gave up, or t must not wait for it.
func (c *Cache[K, V]) await(ctx context.Context, t *transaction.Transaction, items []*item[K, V]) (pending []*item[K, V], err error) {
	for i, it := range items {
		call := it.call
		waited, err := wait(ctx, t, call.Leader, call.Done, call.Left)
		if err != nil {
			if !it.started {
				c.Counts.MissMany(len(items) - i)
			}
			return nil, err
		}
		it.call = nil
		started := it.started
		it.started = false
		if ended := call.Ended(); !ended || call.Abandoned {
			if ended && waited && call.Err != nil {
				it.callerErrors++
			}
			it.alone = it.alone || !waited || it.callerErrors == maxCallerErrors
			it.behind = it.behind || call.Left != nil
			pending = append(pending, it)
			continue
		}
		it.Result = call.Result
		if started {
			if call.Err != nil {
				return nil, call.Err
			}
			continue
		}
		c.Counts.Shared.Add(1)
		if call.Err != nil {
			c.Counts.MissMany(len(items) - i)
			return nil, call.Err
		}
		c.Counts.Miss()
	}
	return pending, nil
}

// errNoReturn is the error that a trace gets for a loader that panics.
var errNoReturn = errors.New("txcache: the function did not return")

// runLoader calls a loader for t, and counts. It returns, for Keep, how many cuts there
// were before the call.
func (c *Cache[K, V]) runLoader(ctx context.Context, t *transaction.Transaction, keys []K, load loader[K, V]) (results []transaction.Result[V], cuts uint64, err error) {
	c.Counts.Loads.Add(1)
	t.Loaders.Add(1)
	cuts = t.Cuts()
	ctx, end := c.Core.Store.Trace(loaderContext(ctx, t), "load", t.Database(), c.Name, len(keys))
	err = errNoReturn
	start := near.Now()
	defer func() { // also if load panics or ends its goroutine
		c.Counts.LoadTimes.Count(time.Duration(near.Now() - start))
		t.Loaders.Add(-1)
		if end(err); err != nil {
			c.Counts.LoadErrors.Add(1)
		}
	}()
	results, err = load(ctx, keys)
	return results, cuts, err
}
