package transaction

import (
	"context"

	"github.com/seed-dad15c92/txcache/internal/canon"
	"github.com/seed-dad15c92/txcache/internal/databases"
)

// Near looks for a value in the near cache, if the transaction may read it without
// further checks. It counts only hits.
//
// This is the path of every hit: what it needs is in place here, or in functions that the compiler puts in place.
func (c *Cache[K, V]) Near(h Handle, key K) (v V, ok bool) {
	t := h.Transaction
	if t.Store != c.Store || t.touched.Load()&c.bit != 0 || t.newest() != t.view {
		return v, false
	}
	g, marks, _ := databases.Resolved[*Generation[K, V]](t.view, c.ID)
	if g == nil || g.near == nil || c.Keys.Checked() && !c.Keys.Stable(key) {
		return v, false
	}
	user, ok := c.userOf(h)
	if !ok {
		return v, false
	}
	k := Key[K]{key, user}
	if v, ok = g.value(t, k, k.hash(), marks); ok {
		if all := c.Counts.spread.Load(); all != nil { // as Counters.hit, in place
			own(all).hits.Add(1)
		} else {
			c.Counts.hit()
		}
		if on := c.OnHit.Load(); on != nil {
			(*on)(h, g, k)
		}
	}
	return v, ok
}

// userOf returns the user context's part of the key; ok is false if the context has no
// canonical form, so that nothing may be shared.
func (c *Cache[K, V]) userOf(h Handle) (canon.ID, bool) {
	if c.contextFree {
		return canon.ID{}, true
	}
	return h.User.ID(c.ignored)
}

// Key returns key in the user context of the handle; ok is false if nothing can be
// cached under it.
func (c *Cache[K, V]) Key(h Handle, key K) (Key[K], bool) {
	if h.Store != c.Store || c.Keys.Checked() && !c.Keys.Stable(key) {
		return Key[K]{Key: key}, false
	}
	user, ok := c.userOf(h)
	return Key[K]{key, user}, ok
}

// Find looks for a key in all places that the transaction may read, and counts.
func (c *Cache[K, V]) Find(ctx context.Context, h Handle, key K) Result[V] {
	k, r, g := c.findHere(h, key)
	switch {
	case g == nil || r.Found.Known():
		return r
	case c.Store.Values == nil:
		c.Counts.Miss()
		return r
	}
	return c.Ask(ctx, h.Transaction, g, []Key[K]{k})[0]
}

// FindMany is Find for several keys. It returns the values that it finds.
func (c *Cache[K, V]) FindMany(ctx context.Context, h Handle, keys []K) map[K]V {
	values := make(map[K]V, len(keys))
	var missing []Key[K]
	var from *Generation[K, V]
	for _, key := range keys {
		k, r, g := c.findHere(h, key)
		if r.Found == Present {
			values[key] = r.Value
		} else if g != nil && r.Found != Absent {
			missing, from = append(missing, k), g
		}
	}
	if len(missing) == 0 {
		return values
	}
	for i, r := range c.Ask(ctx, h.Transaction, from, missing) {
		if r.Found == Present {
			values[missing[i].Key] = r.Value
		}
	}
	return values
}

// findHere looks for a key within the process, and counts, unless the caller must ask
// the backend, in g.
func (c *Cache[K, V]) findHere(h Handle, key K) (k Key[K], r Result[V], g *Generation[K, V]) {
	k, ok := c.Key(h, key)
	if ok {
		r, g = c.Lookup(h.Transaction, k)
	}
	if r.Found.Known() {
		c.Hit(h, g, k, r)
	} else if g == nil {
		c.Counts.Bypass()
	} else {
		g.CountGone(h.Transaction, k)
	}
	return k, r, g
}

// Hit counts what was found in g, which is nil where the transaction's own was found.
func (c *Cache[K, V]) Hit(h Handle, g *Generation[K, V], key Key[K], r Result[V]) {
	c.Counts.Count(r.Found)
	if r.Found == Present && g != nil {
		if on := c.OnHit.Load(); on != nil {
			(*on)(h, g, key)
		}
	}
}

// Ask asks the backend for values that are not in the process, and counts.
func (c *Cache[K, V]) Ask(ctx context.Context, t *Transaction, g *Generation[K, V], keys []Key[K]) []Result[V] {
	results := c.Fetch(ctx, t, g, keys)
	for _, r := range results {
		c.Counts.Count(r.Found)
		if r.Found.Known() {
			c.Counts.RemoteHits.Add(1)
		}
	}
	return results
}

// Lookup looks for a key within the process. If nothing is known of the key, g is the
// generation for which the caller may fetch and load it, or nil if the cache is
// private.
func (c *Cache[K, V]) Lookup(t *Transaction, key Key[K]) (r Result[V], g *Generation[K, V]) {
	if t.touched.Load()&c.bit != 0 {
		r, open := c.own(t, key)
		if r.Found.Known() || !open {
			return r, nil
		}
	}
	if g = c.Generation(t); g == nil || c.isPrivate(t, key.Key) {
		return r, nil
	}
	if r = g.Find(t, key); !r.Found.Known() && t.view.Unordered {
		if exact := c.exact(t); exact != nil {
			r = exact.Find(t, key)
		}
	}
	if r.Found.Known() && c.clearsTagOf(t, key.Key, r.Value, r.Found == Absent) {
		return Result[V]{}, nil
	}
	return r, g
}

// own looks for what the transaction itself has set under key. If it has set nothing
// there, open says whether it may read the entries of other transactions.
func (c *Cache[K, V]) own(t *Transaction, key Key[K]) (r Result[V], open bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.done || t.detached() {
		return r, false
	}
	w := t.work
	if w == nil {
		return r, true
	}
	l := w.caches[&c.Core]
	if l == nil {
		return r, !w.cleared
	}
	open = true
	if o, _ := l.overlay.(*overlay[K, V]); o != nil {
		if e, there := o.values[key]; there && c.hidden(t, w, l, key.Key, &e) {
			return r, false
		}
		r, open = o.get(key)
		open = open || t.ReadOnly // what it has set there is no change
	}
	if len(l.deleted) > 0 && l.deleted[c.Keys.Hash(key.Key)] > 0 {
		open = false
	}
	return r, open && !l.cleared && !w.cleared && !l.afresh
}

// ReadAfresh hides from the transaction what other transactions have set in c: the
// loader of a refresh may look into the cache first.
func (t *Transaction) ReadAfresh(c *Core) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.local(c).afresh = true
}
