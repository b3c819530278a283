package transaction

import (
	"context"
	"math"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/near"
)

// An entry is one value that a transaction sets.
type entry[V any] struct {
	value   V
	expires int64         // as near.Now counts; 0: never
	life    time.Duration // of its own, at most; 0: as others of the cache
	tags    *[]uint64     // that the value bears; nil: none
	cut     uint32        // how many cuts there were when it was set
	step    uint32        // the step that recorded what was there before, for a savepoint; 0: none
	absent  bool          // there is no value: the database has nothing there
	loaded  bool          // a loader has returned it
	near    bool          // in the near cache already
	remote  bool          // in the backend already
}

func (e *entry[V]) tagged() []uint64 {
	if e.tags == nil {
		return nil
	}
	return *e.tags
}

func (e *entry[V]) setTags(tags []uint64) {
	if len(tags) > 0 {
		kept := tags // only where there are tags does anything escape
		e.tags = &kept
	}
}

// short returns a number of a cut or a step in 32 bits. A lower one is right too: a
// value is then older than it is, or its step recorded again.
func short(n uint64) uint32 { return uint32(min(n, math.MaxUint32)) }

// Set sets the value under key, if it can be kept.
func (c *Cache[K, V]) Set(h Handle, key K, value V) { c.put(h, key, entry[V]{value: value}) }

// SetFor is Set for a value that lives for life: 0 is as long as others of the cache, and one that is
// negative is over, so that there is nothing under the key.
func (c *Cache[K, V]) SetFor(h Handle, key K, value V, life time.Duration) {
	c.put(h, key, entry[V]{value: value, life: life})
}

// SetAbsent is Set for a key under which the database has nothing.
func (c *Cache[K, V]) SetAbsent(h Handle, key K) {
	if c.remembers() {
		c.put(h, key, entry[V]{absent: true})
	}
}

// put sets an entry under a key, if it can be kept.
func (c *Cache[K, V]) put(h Handle, key K, e entry[V]) {
	k, ok := c.Key(h, key)
	if !ok {
		return
	}
	e.setTags(c.tags(key, e.value, e.absent))
	t := h.Transaction
	if c.set(t, k, e) {
		t.Flush(context.Background())
	}
}

// set puts an entry where the transaction may put it. It reports whether the
// transaction has enough to flush.
func (c *Cache[K, V]) set(t *Transaction, key Key[K], e entry[V]) (full bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c.setLocked(t, key, e)
	return t.ReadOnly && t.work != nil && t.work.unsent >= pieceValues
}

// setLocked is set. t.mu must be held.
func (c *Cache[K, V]) setLocked(t *Transaction, key Key[K], e entry[V]) {
	if t.done {
		return
	}
	e.expires = c.expiry(e.life, e.absent)
	if w := c.Store.Witness.Load(); w != nil && !e.absent {
		(*w)(c.Name, key.Key, e.value)
	}
	if t.ReadOnly && (t.work == nil || t.work.savepoints == 0) {
		if g := c.Generation(t); g != nil && g.near != nil && c.useful(t, key.Key, &e) {
			g.set(key, e, c.fill(t, key.Key), c.placeOf(t, key.Key))
			if !t.Sends() {
				return
			}
			e.near = true
		}
	}
	l := t.local(&c.Core)
	o, _ := l.overlay.(*overlay[K, V])
	if o == nil {
		if o, _ = c.overlays.Get().(*overlay[K, V]); o == nil {
			o = &overlay[K, V]{values: map[Key[K]]entry[V]{}}
		}
		l.overlay = o
	}
	o.set(&c.Core, t.work, key, e, t.ReadOnly)
	t.work.unsent++
}

// Keep sets a loaded value unless a cut that concerns the cache has happened since the
// loader was called; cuts is their number before that call.
func (c *Cache[K, V]) Keep(h Handle, key K, r Result[V], cuts uint64) {
	if r.Found == Absent && !c.remembers() {
		if h.ReadOnly { // the absence is not kept, but nor is what was there before
			c.drop(h, key)
		}
		return
	}
	k, ok := c.Key(h, key)
	if !ok {
		return
	}
	t := h.Transaction
	e := entry[V]{value: r.Value, life: r.Life, absent: r.Found == Absent, loaded: true}
	e.setTags(c.tags(key, e.value, e.absent))
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cutSince(cuts, &c.Core) { // P1, P2
		return
	}
	if w := t.work; w != nil {
		if l := w.caches[&c.Core]; c.tagsCut(t, w, cuts, &e) || l != nil && len(l.deleted) > 0 && l.deleted.since(cuts, c.Keys.Hash(key)) {
			return
		}
	}
	c.setLocked(t, k, e)
}

// Replace keeps r, as Keep does, in place of a cached value.
func (c *Cache[K, V]) Replace(ctx context.Context, h Handle, key K, r Result[V], cuts uint64) {
	c.Keep(h, key, r, cuts)
	if r.Life >= 0 && (r.Found != Absent || c.remembers()) || !h.Sends() {
		return
	}
	// It is not kept: a placeholder that nobody takes for a value or an absence, and that goes at once, replaces what
	// the backend has.
	k, ok := c.Key(h, key)
	g := c.Generation(h.Transaction)
	if !ok || g == nil || h.InSavepoint() {
		return
	}
	v := backend.Value{Key: c.RemoteKey(h.Database(), g, k), Data: c.LeaseRecord(h.Transaction, ""), TTL: time.Millisecond}
	if !c.Store.SetRemote(ctx, h.Database(), []backend.Value{v}) {
		c.Counts.RemoteErrors.Add(1)
	}
}

// drop removes what this read-only transaction and this process have under key.
func (c *Cache[K, V]) drop(h Handle, key K) {
	k, ok := c.Key(h, key)
	if !ok {
		return
	}
	t := h.Transaction
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.done {
		return
	}
	if t.work == nil || t.work.savepoints == 0 {
		if g := c.Generation(t); g != nil {
			g.forget(k)
		}
	}
	if o := c.overlayOf(t); o != nil {
		if _, there := o.values[k]; there {
			o.set(&c.Core, t.work, k, entry[V]{absent: true, expires: 1}, t.ReadOnly) // long ago
		}
	}
}

// Unsent returns the value that the backend should keep under a key that the
// transaction has set, and notes that the backend has it. ok is false if there is no
// such value, if it is about to expire, or if a savepoint is open, which may be undone.
func (c *Cache[K, V]) Unsent(t *Transaction, g *Generation[K, V], key Key[K]) (v backend.Value, ok bool) {
	e, ok := c.entryOf(t, key)
	left := time.Duration(0)
	if ok && e.expires != 0 {
		left = time.Duration(e.expires - near.Now())
		ok = left >= time.Millisecond
	}
	if !ok || !c.useful(t, key.Key, &e) {
		return v, false
	}
	return c.encode(t.Database(), g, key, e, left, c.fill(t, key.Key))
}

func (c *Cache[K, V]) entryOf(t *Transaction, key Key[K]) (e entry[V], ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.done || t.work == nil || t.work.savepoints > 0 {
		return e, false
	}
	o := c.overlayOf(t)
	if o == nil {
		return e, false
	}
	if e, ok = o.values[key]; ok && c.hidden(t, t.work, t.work.caches[&c.Core], key.Key, &e) {
		return e, false
	}
	if ok {
		marked := e
		marked.remote = true
		o.values[key] = marked
	}
	return e, ok
}

// overlayOf returns what t has set in the cache, or nil if it has set nothing. t.mu
// must be held.
func (c *Cache[K, V]) overlayOf(t *Transaction) *overlay[K, V] {
	if t.work == nil || t.work.caches[&c.Core] == nil {
		return nil
	}
	o, _ := t.work.caches[&c.Core].overlay.(*overlay[K, V])
	return o
}

// Generation returns the generation that t shares with other transactions, or nil if
// the cache is private because of what others do.
func (c *Cache[K, V]) Generation(t *Transaction) *Generation[K, V] {
	g, _ := t.shared(&c.Core).(*Generation[K, V])
	return g
}
