package txcache

import (
	"context"
	"errors"
	"reflect"
	"slices"

	"github.com/seed-dad15c92/txcache/internal/near"
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
	v, hit := c.near(tx, key)
	if hit && !c.verify.any() {
		return v, nil
	}
	keys := []K{key}
	one := func(ctx context.Context, _ []K) ([]result[V], error) {
		v, err := load(ctx)
		return c.single(tx, key, v, err)
	}
	results := []result[V]{{value: v, found: present}}
	if hit {
		if c.sampled(tx.t) {
			c.compare(ctx, tx, keys, results, one)
		}
	} else {
		var err error
		if results, err = c.obtain(ctx, tx, keys, one); err != nil {
			return v, c.within(ctx, tx, err, nil)
		}
	}
	if results[0].found == absent {
		return results[0].value, c.within(ctx, tx, ErrAbsent, &key)
	}
	return results[0].value, nil
}

// single is what a loader of one key has found.
func (c *Cache[K, V]) single(tx *Tx, key K, v V, err error) ([]result[V], error) {
	if err != nil && c.absentHere(tx, err, key) {
		return []result[V]{{found: absent}}, nil
	}
	return []result[V]{{value: v, found: present}}, err
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
	unique := make([]K, 0, len(keys))
	seen := make(map[K]bool, len(keys))
	for _, key := range keys {
		if c.keys.Checked() && !reflect.ValueOf(&key).Elem().Comparable() {
			c.stats.bypass() // no map has such a key
		} else if !seen[key] {
			seen[key] = true
			unique = append(unique, key)
		}
	}
	results, err := c.obtain(ctx, tx, unique, func(ctx context.Context, missing []K) ([]result[V], error) {
		loaded, err := load(ctx, slices.Clone(missing)) // it may do with it what it likes
		results := make([]result[V], len(missing))
		for i, key := range missing {
			v, ok := loaded[key]
			if results[i] = (result[V]{value: v, found: present}); !ok {
				results[i].found = absent
			}
		}
		return results, err
	})
	if err != nil {
		return nil, c.within(ctx, tx, err, nil)
	}
	values := make(map[K]V, len(keys))
	for i, r := range results {
		if r.found != absent {
			values[unique[i]] = r.value
		}
	}
	return values, nil
}

// A loader loads keys from the database; the results are in their order.
type loader[K comparable, V any] func(ctx context.Context, keys []K) ([]result[V], error)

// A wish is one key of a call of Load or LoadMany.
type wish[K comparable, V any] struct {
	key       entryKey[K]
	cacheable bool
	result[V]
	hit    bool
	flight *flight[V] // nil: nobody waits for it
	doubts int        // others that have failed, for reasons that may be their own
	alone  bool       // it waits for no other load of the process

	replaced []byte   // what is of no use any more in the place of its lease
	until    int64    // when that is to be gone, as near.Now counts; 0: it says so itself
	waited   bool     // another process had a lease
	marked   []string // what that lease says: its owner, and those that the owner waits for
}

// mostDoubts is for how many others that fail in doubtful ways a load waits. With
// a database that is away callers would fail one after another else.
const mostDoubts = 2

// obtain is Load in full, for any number of keys.
func (c *Cache[K, V]) obtain(ctx context.Context, tx *Tx, keys []K, load loader[K, V]) ([]result[V], error) {
	given(ctx)
	if err := c.usable(tx); err != nil {
		return nil, err
	}
	wishes := make([]wish[K, V], len(keys))
	open := make([]*wish[K, V], len(keys)) // what is still to be had
	for i, key := range keys {
		w := &wishes[i]
		w.key, w.cacheable = c.entryKey(tx, key)
		w.key.key = key
		open[i] = w
	}
	for len(open) > 0 {
		if tx.t.ended() {
			return nil, ErrTxDone
		}
		b := batch[K, V]{c: c, tx: tx, load: load}
		others := b.board(ctx, open)
		err := b.bring(ctx)
		tx.t.flush(ctx)
		if err != nil {
			c.stats.missMany(len(others))
			return nil, err
		}
		if open, err = c.await(ctx, tx.t, others); err != nil {
			return nil, err
		}
	}
	results := make([]result[V], len(wishes))
	for i := range wishes {
		results[i] = wishes[i].result
	}
	if c.verify.any() {
		c.compareSome(ctx, tx, wishes, results, load)
	}
	return results, nil
}

// await waits for what others load, and returns what is still to be had because
// they went away, or must not be waited for.
func (c *Cache[K, V]) await(ctx context.Context, t *transaction, wishes []*wish[K, V]) (open []*wish[K, V], err error) {
	for i, w := range wishes {
		f := w.flight
		waited, err := t.wait(ctx, f.leader, f.done)
		if err != nil {
			c.stats.missMany(len(wishes) - i)
			return nil, err
		}
		w.flight = nil
		if !waited || f.abandoned {
			if waited && f.err != nil {
				w.doubts++
			}
			w.alone = w.alone || !waited || w.doubts == mostDoubts
			open = append(open, w)
			continue
		}
		c.stats.shared.Add(1)
		if f.err != nil {
			c.stats.missMany(len(wishes) - i)
			return nil, f.err
		}
		c.stats.miss()
		w.result = f.result
	}
	return open, nil
}

// keep sets what was loaded by a call that began when the transaction had had so
// many cuts, unless there was one meanwhile.
func (c *Cache[K, V]) keep(tx *Tx, key K, r result[V], cuts uint64) {
	if r.found == absent && c.absence < 0 {
		if tx.t.readOnly { // it is not remembered, but nor is what was there before
			c.drop(tx, key)
		}
		return
	}
	k, ok := c.entryKey(tx, key)
	if !ok {
		return
	}
	tx.t.mu.Lock()
	defer tx.t.mu.Unlock()
	if !tx.t.cutSince(cuts, &c.core) { // P1, P2
		c.set(tx.t, k, entry[V]{value: r.value, absent: r.found == absent})
	}
}

// errNoReturn is what a trace hears of a loader or a commit that panics.
var errNoReturn = errors.New("txcache: the function did not return")

// call calls a loader for t, and counts. It returns for keep how many cuts there
// were before.
func (c *Cache[K, V]) call(ctx context.Context, t *transaction, keys []K, load loader[K, V]) (results []result[V], cuts uint64, err error) {
	c.stats.loads.Add(1)
	t.loading.Add(1)
	cuts = t.cuts()
	ctx, end := c.store.trace(t.loaderContext(ctx), "load", t.db.name, c.name, len(keys))
	err = errNoReturn
	defer func() {
		t.loading.Add(-1)
		if end(err); err != nil {
			c.stats.loadErrors.Add(1)
		}
	}()
	start := near.Now()
	results, err = load(ctx, keys)
	c.stats.loadTime.Add(near.Now() - start)
	return results, cuts, err
}
