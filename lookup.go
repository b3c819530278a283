package txcache

import (
	"context"

	"github.com/seed-dad15c92/txcache/internal/canon"
)

// near is Get where it is fast: nothing stands between the transaction and a
// value in the near cache. It counts only hits.
func (c *Cache[K, V]) near(tx *Tx, key K) (v V, ok bool) {
	g := c.direct(tx)
	if g == nil || c.keys.Checked() && !c.keys.Stable(key) {
		return v, false
	}
	user, ok := c.userOf(tx)
	if !ok {
		return v, false
	}
	k := entryKey[K]{key, user}
	if v, ok = g.get(tx.t, k); ok {
		c.stats.hit()
		if c.refresher.Load() != nil {
			c.early(tx, g, k)
		}
	}
	return v, ok
}

// direct returns the generation to read where nothing stands between it and the
// transaction, nil where find has to look closer.
func (c *Cache[K, V]) direct(tx *Tx) *generationOf[K, V] {
	c.made()
	tx.made()
	t := tx.t
	if t.store != c.store {
		return nil
	}
	if t.touched.Load()&c.bit != 0 || t.db.newest.Load() != t.view {
		return nil
	}
	g, _ := t.view.slots.Load().get(c.id)
	of, _ := g.(*generationOf[K, V])
	return of
}

// userOf returns the part of the key that tx's user context is; not ok if it
// has no canonical form, so that nothing may be shared.
func (c *Cache[K, V]) userOf(tx *Tx) (canon.ID, bool) {
	if c.contextFree {
		return canon.ID{}, true
	}
	return tx.user.ID(c.ignored)
}

// entryKey returns key in the user context of tx; not ok if nothing can be
// cached under it.
func (c *Cache[K, V]) entryKey(tx *Tx, key K) (entryKey[K], bool) {
	c.made()
	if c.usable(tx) != nil || c.keys.Checked() && !c.keys.Stable(key) {
		return entryKey[K]{}, false
	}
	user, ok := c.userOf(tx)
	return entryKey[K]{key, user}, ok
}

// find is Get in full.
func (c *Cache[K, V]) find(ctx context.Context, tx *Tx, key K) (r result[V]) {
	given(ctx)
	k, ok := c.entryKey(tx, key)
	if !ok {
		c.stats.bypass()
		return r
	}
	r, g := c.lookup(tx.t, k)
	switch {
	case r.found.known():
		c.stats.count(r.found)
		c.refreshHit(tx, g, k, r)
		return r
	case g == nil:
		c.stats.bypass()
		return r
	case c.store.values == nil:
		c.stats.miss()
		return r
	}
	return c.ask(ctx, tx.t, g, []entryKey[K]{k})[0]
}

// ask asks the backend for values that are not in the process, and counts.
func (c *Cache[K, V]) ask(ctx context.Context, t *transaction, g *generationOf[K, V], keys []entryKey[K]) []result[V] {
	results := c.fetch(ctx, t, g, keys)
	for _, r := range results {
		c.stats.count(r.found)
		if r.found.known() {
			c.stats.remoteHits.Add(1)
		}
	}
	return results
}

// lookup looks for a key within the process. If nothing is known of it, g is
// the generation to ask the backend for it, and to load for; nil if the cache is
// private.
func (c *Cache[K, V]) lookup(t *transaction, key entryKey[K]) (r result[V], g *generationOf[K, V]) {
	if t.touched.Load()&c.bit != 0 {
		r, open := c.own(t, key)
		if r.found.known() || !open {
			return r, nil
		}
	}
	if g, _ = t.shared(&c.core).(*generationOf[K, V]); g != nil {
		r = g.find(t, key)
	}
	return r, g
}

// own looks for what the transaction itself has set. If it has set nothing
// there, open says whether it may see what others have.
func (c *Cache[K, V]) own(t *transaction, key entryKey[K]) (r result[V], open bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.done || t.detached() {
		return r, false
	}
	w := t.work
	if w == nil {
		return r, true
	}
	l := w.caches[&c.core]
	if l == nil {
		return r, !w.cleared
	}
	open = true
	if o, _ := l.overlay.(*overlayOf[K, V]); o != nil {
		r, open = o.get(key)
		open = open || t.readOnly // what it has set there is no change
	}
	return r, open && !l.cleared && !w.cleared && !l.afresh
}
