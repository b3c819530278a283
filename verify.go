package txcache

import (
	"bytes"
	"context"
	"math/rand/v2"
	"reflect"
	"time"
)

// A StaleHit is a value that was cached and is not what its loader returns now,
// although nobody has cleared the cache: somebody changed the database and
// forgot to clear, or the value depends on more than its key and user context.
type StaleHit struct {
	Database string
	Cache    string
	Key      any
	Cached   any // must not be changed
	Loaded   any // must not be changed
}

// verified is what Load returns of a hit if the cache verifies some: mostly the
// hit itself.
//
// Only read-only transactions verify: the loader of others may see what they
// have written themselves and are still going to clear.
func (c *Cache[K, V]) verified(ctx context.Context, tx *Tx, key K, cached V, load func(context.Context) (V, error)) V {
	t := tx.t
	if !t.readOnly || rand.Float64() >= c.verify {
		return cached
	}
	c.stats.loads.Add(1)
	loaded, err := load(ctx)
	if err != nil {
		c.stats.loadErrors.Add(1)
		return cached
	}
	c.stats.verified.Add(1)
	if c.same(cached, loaded) || !c.uncleared(ctx, t) {
		return cached
	}
	c.stats.mismatches.Add(1)
	c.store.quiet.warn(ctx, "stale hit", "database", t.db.name, "cache", c.name)
	if c.store.opts.OnStale != nil {
		c.store.opts.OnStale(ctx, StaleHit{t.db.name, c.name, key, cached, loaded})
	}
	c.Set(tx, key, loaded)
	return loaded
}

// uncleared reports whether c is, for sure, at the generation still that t
// reads. A commit whose change a loader has seen has been fenced before: the
// backend knows of it by now.
func (c *core) uncleared(ctx context.Context, t *transaction) bool {
	_, _, _, err := c.store.sync(ctx, t.db.name, 0)
	return err == nil && !t.ended() && t.shared(c) != nil
}

// same reports whether two values are deeply equal, or their encodings are: a
// time in UTC is the same as where it came from.
func (c *Cache[K, V]) same(a, b V) bool {
	if reflect.DeepEqual(a, b) {
		return true
	}
	one, err := c.codec.Append(nil, a, time.Time{})
	if err != nil {
		return false
	}
	other, err := c.codec.Append(nil, b, time.Time{})
	return err == nil && bytes.Equal(one, other)
}
