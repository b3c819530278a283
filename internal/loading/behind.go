package loading

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-dad15c92/txcache/internal/canon"
	"github.com/seed-dad15c92/txcache/internal/singleflight"
	"github.com/seed-dad15c92/txcache/internal/transaction"
)

// errLimit is the cause for which the context of a load in the background ends.
var errLimit = errors.New("txcache: the load in the background has reached CacheOptions.LoadLimit")

// leaves reports whether a load of h leaves an item to a load in the background, which goes on
// when the caller has gone. Within a loader it does not: the loader holds a connection, for which
// those in the background may be waiting. // P8
func (c *Cache[K, V]) leaves(ctx context.Context, h transaction.Handle, it *item[K, V]) bool {
	return c.limit > 0 && c.refresher.Load() != nil && !it.behind && !it.alone &&
		!h.Behind && h.Loaders.Load() == 0 && chainOf(ctx) == nil && h.MayLeave()
}

// loadBehind starts a load in the background, which leads call, for the user of h. It returns false, and
// ends call, if too many are running.
func (c *Cache[K, V]) loadBehind(h transaction.Handle, g *transaction.Generation[K, V], flight transaction.Flight[K], call *singleflight.Call[*transaction.Transaction, transaction.Result[V]]) bool {
	database, user := h.Database(), h.User // not the transaction, which may end before
	if c.store.tasks.start(func(ctx context.Context) {
		ctx, cancel := context.WithTimeoutCause(ctx, c.limit, errLimit)
		defer cancel()
		leave := context.AfterFunc(ctx, func() {
			g.Loads.Leave(flight, call)
			if context.Cause(ctx) == errLimit {
				c.Core.Store.Log.Warn(ctx, "a load in the background has reached its limit", "database", database, "cache", c.Name)
			}
		})
		defer leave()
		b := &batch[K, V]{c: c, g: g, leads: true}
		it := &item[K, V]{key: flight.Key, cacheable: true, flight: flight, call: call}
		defer b.abandon(it)
		c.recovered(ctx, "the loader of a load in the background panicked or ended its goroutine", database, func() {
			b.runBehind(ctx, it, database, user)
		})
	}) {
		return true
	}
	g.Loads.Finish(flight, call)
	return false
}

// runBehind loads an item in a transaction of its own. It does nothing if that does not share the
// generation and the flight of those who wait. // P4, P12
func (b *batch[K, V]) runBehind(ctx context.Context, it *item[K, V], database string, user *canon.Context) {
	c := b.c
	t, err := c.store.begin(ctx, database)
	if err != nil {
		return
	}
	defer t.Rollback(ctx) // which publishes what was read
	t.Behind = true
	r, g := c.Lookup(t, it.key)
	switch {
	case g != b.g || g.Flight(t, it.key) != it.flight || c.HidesTags(t):
		return
	case r.Found.Known():
		it.Result = r
		b.finish(it, nil)
		return
	}
	b.h = transaction.Handle{Transaction: t, User: user}
	b.load = func(ctx context.Context, keys []K) ([]transaction.Result[V], error) {
		v, life, err := (*c.refresher.Load())(ctx, b.h, keys[0])
		return c.oneResult(b.h, keys[0], v, life, err)
	}
	b.toFetch = []*item[K, V]{it}
	_ = b.run(loaderContext(ctx, it.call.Leader)) // its callers get the error
}

// recovered runs f, and logs if it panics or ends its goroutine. runLoader has counted that.
func (c *Cache[K, V]) recovered(ctx context.Context, message, database string, f func()) {
	returned := false
	defer func() {
		p := recover()
		if !returned {
			c.Core.Store.Log.Warn(ctx, message, "database", database, "cache", c.Name, "panic", fmt.Sprintf("%T", p), "at", panicOrigin())
		}
	}()
	f()
	returned = true
}

// limitOf returns for how long a loader in the background may run. The backend's TTL is no limit for it: while
// loaders hang, nothing else is loaded in the background.
func (c *Cache[K, V]) limitOf() time.Duration {
	switch {
	case c.limit > 0:
		return c.limit
	case c.duration > 0:
		return c.duration
	}
	return time.Minute
}
