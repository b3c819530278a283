package loading

import (
	"context"
	"time"

	"github.com/seed-dad15c92/txcache/internal/singleflight"
	"github.com/seed-dad15c92/txcache/internal/transaction"
)

// An item is one key of a call of Load or LoadMany, and what is known of it.
type item[K comparable, V any] struct {
	key       transaction.Key[K]
	cacheable bool
	flight    transaction.Flight[K] // of call
	transaction.Result[V]
	hit          bool
	call         *singleflight.Call[*transaction.Transaction, transaction.Result[V]] // nil: no other transaction waits for it
	callerErrors int                                                                 // failures of other callers that may concern only them
	alone        bool                                                                // it waits for no other load of the process
	behind       bool                                                                // it was left to a load in the background already
	started      bool                                                                // which this one has started: that counts what it finds

	oldPayload []byte   // what the lease record replaces: a payload that is of no use any more
	uselessAt  int64    // when the backend would remove that payload, as near.Now counts; 0: the payload itself says when it ends
	waited     bool     // another process had a lease
	owners     []string // of that lease's record: its owner, and those that the owner waits for
}

// maxCallerErrors is how many failures of other callers a load waits for, if these may
// concern only those callers. Otherwise, while the database is down, each caller would
// fail after it has waited for the one before.
const maxCallerErrors = 2

// A batch is the items that one transaction fetches or loads, for itself and for
// the callers that wait for the calls that it leads.
type batch[K comparable, V any] struct {
	c       *Cache[K, V]
	h       transaction.Handle
	g       *transaction.Generation[K, V] // nil: the cache is private
	toFetch []*item[K, V]                 // from the backend
	toLoad  []*item[K, V]
	load    loader[K, V]
	one     bool // it is for a single key
	leads   bool

	definite  bool      // the loader's answer holds for other callers too
	leaseEnds time.Time // when a lease ends that the batch takes now
}

// add looks items up in the process, and adds those that are not found to the batch.
// It returns the items that other transactions are loading already.
func (b *batch[K, V]) add(ctx context.Context, items []*item[K, V]) (others []*item[K, V]) {
	c, t := b.c, b.h.Transaction
	may := t.ReadOnly && !t.InSavepoint() // nothing leaves a savepoint
	for _, it := range items {
		var g *transaction.Generation[K, V]
		if it.cacheable {
			it.Result, g = c.Lookup(t, it.key)
		}
		switch {
		case it.Found.Known():
			c.Hit(b.h, g, it.key, it.Result)
			it.hit = true
			continue
		case g == nil:
			c.Counts.Bypass()
			b.toLoad = append(b.toLoad, it)
			continue
		}
		b.g = g
		g.CountGone(t, it.key)
		if c.HidesTags(t) {
			b.toFetch = append(b.toFetch, it)
			continue
		}
		it.flight = g.Flight(t, it.key)
		call, lead := b.join(ctx, it, may)
		switch {
		case lead:
			it.call, b.leads = call, true
			// Another call may have ended since it was looked for.
			if it.Result = g.Find(t, it.key); it.Found.Known() {
				c.Counts.Count(it.Found)
				it.hit = true
				b.finish(it, nil)
				continue
			}
		case call == nil || call.Leader == t || it.alone:
		default:
			it.call = call
			others = append(others, it)
			continue
		}
		b.toFetch = append(b.toFetch, it)
	}
	return others
}

// join returns the call for it, and whether the batch leads that call. If it may lead, it may also leave
// the load to the background.
func (b *batch[K, V]) join(ctx context.Context, it *item[K, V], may bool) (call *singleflight.Call[*transaction.Transaction, transaction.Result[V]], lead bool) {
	t, rank := b.h.Transaction, singleflight.Request
	if t.Behind {
		rank = singleflight.Within
	}
	if may && b.one && b.c.leaves(ctx, b.h, it) {
		call, lead = b.g.Loads.Join(it.flight, &transaction.Transaction{Behind: true}, singleflight.Behind, true)
		if !lead {
			return call, false
		}
		it.behind = true
		if it.started = b.c.loadBehind(b.h, b.g, it.flight, call); it.started {
			return call, false
		}
	}
	return b.g.Loads.Join(it.flight, t, rank, may)
}

// finish ends the call for it, if the batch leads that call.
func (b *batch[K, V]) finish(it *item[K, V], err error) {
	if call := it.call; call != nil {
		call.Result, call.Err, call.Abandoned = it.Result, err, false
		b.abandon(it)
	}
}

// fail ends the call for it, if the batch leads that call, because err may concern only
// this caller. The next waiting caller then calls its own loader.
func (b *batch[K, V]) fail(it *item[K, V], err error) {
	if it.call != nil {
		it.call.Err = err
		b.abandon(it)
	}
}

func (b *batch[K, V]) abandon(it *item[K, V]) {
	if call := it.call; call != nil {
		it.call = nil
		b.g.Loads.Finish(it.flight, call)
	}
}

// run fetches the items of toFetch from the backend, and calls the loader for the rest.
func (b *batch[K, V]) run(ctx context.Context) error {
	led := b.toFetch
	defer func() { // also if the loader panics
		for _, it := range led {
			b.abandon(it)
		}
	}()
	b.fetch(ctx)
	if err := b.loadLeased(ctx); err != nil {
		return err
	}
	return b.loadRest(ctx)
}

// fetch asks the backend. It adds the items that the backend does not have to toLoad.
func (b *batch[K, V]) fetch(ctx context.Context) {
	if len(b.toFetch) == 0 {
		return
	}
	keys := make([]transaction.Key[K], len(b.toFetch))
	for i, it := range b.toFetch {
		keys[i] = it.key
	}
	for i, r := range b.c.Ask(ctx, b.h.Transaction, b.g, keys) {
		it := b.toFetch[i]
		it.Result = r
		if r.Found.Known() {
			it.hit = true
			b.finish(it, nil)
		} else {
			b.toLoad = append(b.toLoad, it)
		}
	}
	b.toFetch = nil
}

// loadRest calls the loader for the items of toLoad.
func (b *batch[K, V]) loadRest(ctx context.Context) error {
	items := b.toLoad
	b.toLoad = nil
	if len(items) == 0 {
		return nil
	}
	keys := make([]K, len(items))
	for i, it := range items {
		keys[i] = it.key.Key
	}
	began := time.Now()
	results, cuts, err := b.c.runLoader(ctx, b.h.Transaction, keys, b.load)
	if err == nil {
		b.definite = true
		for i, it := range items {
			it.Result = results[i]
			b.c.Keep(b.h, it.key.Key, it.Result, cuts)
			b.finish(it, nil)
		}
		return nil
	}
	ended := callerEnded(ctx, b.h.Transaction, began)
	b.definite = !ended && !isCallerError(err)
	failure := err
	if b.useExpired(ctx, items) {
		err = nil
	}
	for _, it := range items {
		switch {
		case b.definite:
			b.finish(it, err)
		case !ended:
			b.fail(it, failure)
		}
	}
	return err
}

// useExpired uses expired values after the loader has failed, if there is one for each
// item; see CacheOptions.StaleFor.
func (b *batch[K, V]) useExpired(ctx context.Context, items []*item[K, V]) bool {
	c := b.c
	if c.StaleFor == 0 || ctx.Err() != nil || c.HidesTags(b.h.Transaction) {
		return false
	}
	for _, it := range items {
		if !it.cacheable {
			return false
		}
		// It may have been cleared meanwhile, by the loader itself too.
		if _, g := c.Lookup(b.h.Transaction, it.key); g == nil || g != b.g {
			return false
		}
		if v, ok := b.g.Expired(b.h.Transaction, it.key, c.StaleFor); ok {
			it.Result = transaction.Result[V]{Value: v, Found: transaction.Expired}
		}
		if it.Found != transaction.Expired {
			return false
		}
	}
	c.Counts.ExpiredHits.Add(uint64(len(items)))
	c.Core.Store.Log.Warn(ctx, "expired value instead of an error", "database", b.h.Database(), "cache", c.Name)
	return true
}
