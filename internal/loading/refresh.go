package loading

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"time"

	"github.com/seed-dad15c92/txcache/internal/canon"
	"github.com/seed-dad15c92/txcache/internal/near"
	"github.com/seed-dad15c92/txcache/internal/singleflight"
	"github.com/seed-dad15c92/txcache/internal/transaction"
)

// RefreshEarly sets the function that loads hot values again before they expire.
//
// Each hit decides at random whether to refresh. The probability rises as the expiry
// comes closer, and with the time that the cache's loaders have taken so far. This is
// optimal to avoid both stampedes and needless loads: Vattani, Chierichetti and
// Lowenstein, "Optimal Probabilistic Cache Stampede Prevention", 2015, with their β
// at 1.
func (c *Cache[K, V]) RefreshEarly(load Refresher[K, V]) {
	c.refresher.Store(&load)
	maybeRefresh := c.maybeRefresh
	c.OnHit.Store(&maybeRefresh)
}

// maybeRefresh starts a refresh of a value that was hit in g, if it is time.
func (c *Cache[K, V]) maybeRefresh(h transaction.Handle, g *transaction.Generation[K, V], key transaction.Key[K]) {
	if !h.ReadOnly {
		return
	}
	expires, ok := g.Expires(key)
	if !ok {
		return
	}
	left, takes := float64(expires-near.Now()), c.Counts.MeanLoadTime()
	if left > 40*takes || left > -takes*math.Log(1-rand.Float64()) { // e⁻⁴⁰ is never drawn
		return
	}
	flight := g.Flight(h.Transaction, key)
	call, lead := g.Loads.Join(flight, nil, singleflight.Refresh, true)
	if !lead {
		return
	}
	database, user := h.Database(), h.User // not the transaction, which may have ended by then
	if !c.store.tasks.start(func(ctx context.Context) {
		defer g.Loads.Finish(flight, call)
		c.refresh(ctx, g, flight, database, user, expires)
	}) {
		g.Loads.Finish(flight, call)
	}
}

// refresh loads again a value that g has until expires, for user, unless another
// process has done so.
func (c *Cache[K, V]) refresh(ctx context.Context, g *transaction.Generation[K, V], flight transaction.Flight[K], database string, user *canon.Context, expires int64) {
	done := false
	defer func() {
		if !done {
			g.Loads.Rest(flight, c.rest(expires))
		}
	}()
	c.recovered(ctx, "the loader of an early refresh panicked or ended its goroutine", database, func() {
		done = c.refreshOnce(ctx, g, flight, database, user, expires)
	})
}

// rest returns for how long a value that expires then is not refreshed after a refresh has failed: no longer than
// it lives, which may be for a time of its own.
func (c *Cache[K, V]) rest(expires int64) time.Duration {
	left := time.Duration(expires - near.Now())
	if c.Lifetime() > 0 {
		left = min(left, c.Lifetime()/16)
	}
	return left
}

// refreshOnce is refresh, and reports whether there is a newer value now.
func (c *Cache[K, V]) refreshOnce(ctx context.Context, g *transaction.Generation[K, V], flight transaction.Flight[K], database string, user *canon.Context, expires int64) bool {
	key := flight.Key
	ctx, cancel := context.WithTimeout(ctx, c.limitOf())
	defer cancel()
	t, err := c.store.begin(ctx, database)
	if err != nil {
		return false
	}
	defer t.Rollback(context.Background())
	if c.Core.Store.Values != nil {
		c.Fetch(ctx, t, g, []transaction.Key[K]{key})
		if later, _ := g.Expires(key); later > expires {
			return true
		}
	}
	if c.Generation(t) != g || g.Flight(t, key) != flight { // cleared or deleted, or about to be: the value is of no use
		return false
	}
	t.Behind = true
	t.ReadAfresh(&c.Core)
	h := transaction.Handle{Transaction: t, User: user}
	results, cuts, err := c.runLoader(ctx, t, []K{key.Key}, func(ctx context.Context, keys []K) ([]transaction.Result[V], error) {
		v, life, err := (*c.refresher.Load())(ctx, h, keys[0])
		return c.oneResult(h, keys[0], v, life, err)
	})
	if err != nil {
		return false
	}
	c.Counts.EarlyRefreshes.Add(1)
	c.Replace(ctx, h, key.Key, results[0], cuts)
	return t.Rollback(ctx) == nil // which publishes what was read
}

// panicOrigin returns where a panic that is being recovered came from: functions
// and lines, and none of their arguments.
func panicOrigin() string {
	var calls [16]uintptr
	frames := runtime.CallersFrames(calls[:runtime.Callers(3, calls[:])])
	var place []string
	for {
		f, more := frames.Next()
		if !strings.HasPrefix(f.Function, "runtime.") {
			place = append(place, fmt.Sprintf("%s:%d", f.Function, f.Line))
		}
		if !more || len(place) == 3 {
			return strings.Join(place, " < ")
		}
	}
}
