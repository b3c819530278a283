package txcache

import (
	"context"
	"math"
	"math/rand/v2"

	"github.com/seed-dad15c92/txcache/internal/canon"
	"github.com/seed-dad15c92/txcache/internal/near"
)

// RefreshEarly lets values that are asked for be loaded again before they
// expire, so that nobody has to wait for that. It concerns caches with a
// Duration, in read-only transactions.
//
// load is called in the background, one call for a key at a time in a process.
// It gets a transaction of its own, read-only, for the same database and user
// context, and must read from a database transaction that it begins itself: that
// of whoever asked may be long over. Its context ends after the cache's Duration,
// and with the store. Its errors are counted; the value then expires as if
// nothing had been tried.
//
// When to load is decided at random with each hit, the likelier the nearer the
// expiry is and the longer loaders of the cache have taken so far, as is optimal
// to avoid both stampedes and needless loads: Vattani, Chierichetti and
// Lowenstein, "Optimal Probabilistic Cache Stampede Prevention", 2015, with
// their β at 1.
//
// RefreshEarly is safe for concurrent use. The last call counts.
func (c *Cache[K, V]) RefreshEarly(load func(ctx context.Context, tx *Tx, key K) (V, error)) {
	c.refresher.Store(&load)
}

// early begins to refresh a value that was hit, if it is time.
func (c *Cache[K, V]) early(tx *Tx, g *generationOf[K, V], key entryKey[K]) {
	if !tx.t.readOnly {
		return
	}
	_, expires, ok := g.near.Peek(key, key.hash())
	if !ok || expires == 0 {
		return
	}
	now := near.Now()
	left, takes := float64(expires-now), c.stats.meanLoadTime()
	if now < c.noRefresh.Load() || left > 40*takes || left > -takes*math.Log(1-rand.Float64()) { // e⁻⁴⁰ is never drawn
		return
	}
	f, lead := g.join(key, nil, true)
	if !lead {
		return
	}
	database, user := tx.t.db.name, tx.user // not the transaction, which may be long over
	if !c.store.tasks.start(func(ctx context.Context) {
		defer g.land(key, f)
		c.refresh(ctx, g, key, database, user, expires)
	}) {
		g.land(key, f)
	}
}

// refresh loads a value anew that g has until expires, for user, unless another
// process has done so.
func (c *Cache[K, V]) refresh(ctx context.Context, g *generationOf[K, V], key entryKey[K], database string, user *canon.Context, expires int64) {
	done := false
	defer func() {
		_ = recover() // the loader's; call has counted it
		if !done {    // hits go on meanwhile, and must not each try again
			c.noRefresh.Store(near.In(c.lifetime / 16))
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, c.lifetime)
	defer cancel()
	first, err := c.store.BeginReadOnly(ctx, database)
	if err != nil {
		return
	}
	defer first.Rollback()
	if c.store.values != nil {
		c.fetch(ctx, first.t, g, []entryKey[K]{key})
		if _, later, _ := g.near.Peek(key, key.hash()); later > expires {
			done = true
			return
		}
	}
	if first.t.shared(&c.core) != generation(g) { // cleared, or about to be: it is not wanted any more
		return
	}
	first.t.readAfresh(&c.core)
	tx := &Tx{t: first.t, user: user}
	results, err := c.call(context.WithValue(ctx, leading{}, true), first.Database(), []K{key.key}, func(ctx context.Context, keys []K) ([]result[V], error) {
		v, err := (*c.refresher.Load())(ctx, tx, keys[0])
		return single(v, err)
	})
	if err != nil {
		return
	}
	c.stats.earlyRefreshes.Add(1)
	c.keep(tx, key.key, results[0])
	done = tx.Commit(ctx) == nil
}

// readAfresh hides from the transaction what others have set in c: the loader of a
// refresh may be one that looks into the cache first.
func (t *transaction) readAfresh(c *core) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.local(c).afresh = true
}
