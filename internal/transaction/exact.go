package transaction

import (
	"context"

	"github.com/seed-dad15c92/txcache/internal/near"
)

// exact returns the generation of transactions with one snapshot for the state of t, if t has
// none itself and such transactions use the cache. What is in it t may read too: it is not
// older than the state of t.
func (c *Cache[K, V]) exact(t *Transaction) *Generation[K, V] {
	g, _ := t.db.Exact(t.view, &c.Core.Cache).(*Generation[K, V])
	return g
}

// Validate gives what t has loaded under keys to transactions with one snapshot too, if they use
// the cache and t has none. It reads the state once more: if that has not changed since t
// began, nor had it when the values were loaded, in between; so they are what every
// snapshot of that state shows.
func (c *Cache[K, V]) Validate(ctx context.Context, t *Transaction, keys []Key[K], results []Result[V]) {
	if !t.ReadOnly || t.SQL == nil || t.InSavepoint() {
		return
	}
	g := c.exact(t)
	if g == nil || g.near == nil {
		return
	}
	state, err := t.Store.Databases.Enlister.State(ctx, t.SQL, t.Database())
	if err != nil || !t.view.SameState(state, &c.Core.Cache) {
		return
	}
	for i, r := range results {
		e := entry[V]{value: r.Value, absent: r.Found == Absent, loaded: true}
		if e.absent && !c.remembers() {
			continue
		}
		if e.expires = c.expiry(e.absent); e.expires == 0 || e.expires > near.Now() {
			g.set(keys[i], e, c.fill(t, keys[i].Key))
		}
	}
}
