package transaction

import (
	"slices"
	"time"

	"github.com/seed-dad15c92/txcache/internal/databases"
	"github.com/seed-dad15c92/txcache/internal/near"
)

// An overlay is what one transaction has set in a Cache[K, V]. The transaction's
// mutex guards it.
type overlay[K comparable, V any] struct {
	values map[Key[K]]entry[V]
	most   int // values that there have been at once: the map has room for so many for good

	// partial is set when a value of a read-write transaction was dropped because
	// of Options.OverlaySize. From then on the transaction does not read other
	// transactions' values of this cache: one of them may be older than the dropped
	// one. // P1
	partial bool
}

// get returns what the transaction has set under key. If it has set nothing, open says
// whether the caller may look further.
func (o *overlay[K, V]) get(key Key[K]) (r Result[V], open bool) {
	e, ok := o.values[key]
	switch {
	case !ok:
		return r, !o.partial
	case e.expires != 0 && near.Now() >= e.expires:
		return r, false
	case e.absent:
		return Result[V]{Found: Absent}, true
	}
	return Result[V]{Value: e.value, Found: Present}, true
}

// set stores e under key of c, for the transaction whose work is w.
func (o *overlay[K, V]) set(c *Core, w *work, key Key[K], e entry[V], readOnly bool) {
	e.cut = short(w.cuts)
	before, was := o.values[key]
	if w.savepoints > 0 {
		if e.step = before.step; uint64(e.step) <= w.savedAt { // once a savepoint is enough
			w.record(0, func() {
				if was {
					o.values[key] = before
				} else {
					delete(o.values, key)
				}
			})
			e.step = short(w.steps)
		}
	}
	if !was && len(o.values) >= c.overlaySize {
		for victim := range o.values {
			delete(o.values, victim)
			c.Counts.Overflows.Add(1)
			o.partial = !readOnly
			break
		}
	}
	o.values[key] = e
	o.most = max(o.most, len(o.values))
}

func (c *Cache[K, V]) count(of any) int { return len(of.(*overlay[K, V]).values) }

func (c *Cache[K, V]) lose(of any) {
	o := of.(*overlay[K, V])
	o.values, o.most = map[Key[K]]entry[V]{}, 0
	o.partial = true
}

// maxReleased is how many values an overlay may have had at once that is used again: each
// transaction that uses it walks over the room for all of them.
const maxReleased = 1000

func (c *Cache[K, V]) release(of any) {
	if o := of.(*overlay[K, V]); o.most <= maxReleased {
		clear(o.values)
		o.partial = false
		c.overlays.Put(o)
	}
}

func (c *Cache[K, V]) publish(p publication, to any) (published int) {
	g := to.(*Generation[K, V])
	_, marks := p.t.marks(&c.Core)
	for key, e := range p.local.overlay.(*overlay[K, V]).values {
		left := time.Duration(0)
		if e.expires != 0 {
			if left = time.Duration(e.expires - near.Now()); left <= 0 {
				continue
			}
		}
		if c.hidden(p.t, p.work, p.local, key.Key, &e) || !c.publishable(&p, marks, key.Key, &e) {
			continue
		}
		published++
		fill, at := c.publishedFill(&p, key.Key)
		if !e.near {
			g.set(key, e, fill, at)
		}
		if !p.t.Sends() || e.remote {
			continue
		}
		if v, ok := c.encode(p.out.database, g, key, e, left, fill); ok {
			p.out.add(&c.Core, v)
		}
	}
	return published
}

// publishable reports whether a value is good for transactions that begin with the
// newest view: nobody has deleted its key, nor cleared a tag of it, since the
// transaction began, but the transaction itself. What it loaded after a delete of its
// own is not: it may have loaded before it changed the row. // P4
func (c *Cache[K, V]) publishable(p *publication, m *databases.Marks, key K, e *entry[V]) bool {
	if e.loaded && c.deletes(p, key, e) {
		return false
	}
	if p.t.view.Unordered {
		return true
	}
	began := p.t.Number()
	if m == nil || m.Good <= began {
		return true
	}
	hash := c.Keys.Hash(key)
	last, before := m.Key(hash)
	own := p.announced && !p.local.cleared && !p.work.cleared && p.local.deleted[hash] > 0 // else its delete is not among them
	if m.KeyFenced(hash) || own && e.loaded || !unchanged(began, last, before, own) {
		return false
	}
	for _, tag := range e.tagged() {
		last, before := m.Tag(tag)
		own := p.announced && !p.work.cleared && p.work.tags[tag] > 0
		if m.TagFenced(tag) || own && e.loaded || !unchanged(began, last, before, own) {
			return false
		}
	}
	return true
}

// publishedFill returns the fill of a value that is published, and where it was filled.
func (c *Cache[K, V]) publishedFill(p *publication, key K) (fill uint64, at place) {
	if !p.t.view.Unordered {
		return p.fill, at
	}
	m, _ := p.t.marks(&c.Core)
	at = c.placeOf(p.t, key)
	keys, tags := c.sums(m, key)
	clears := p.work.cleared || p.local.cleared // so the generation is of those who see its record
	if !clears && p.local.deleted[c.Keys.Hash(key)] > 0 {
		keys = (keys + p.recorded) & sumMask
		at.keys, clears = keys, true
	}
	if n := uint64(len(p.work.tags)); n > 0 && c.Tagged.Load() && !p.work.cleared {
		tags += n * p.recorded
		if !clears {
			at = place{} // a state of the chain may not show its record
		}
	}
	return (keys + tags) & sumMask, at
}

// deletes reports whether the transaction has deleted the key, or cleared a tag of the
// value, be it that so many deletes have become a clear.
func (c *Cache[K, V]) deletes(p *publication, key K, e *entry[V]) bool {
	return len(p.local.deleted) > 0 && p.local.deleted[c.Keys.Hash(key)] > 0 ||
		slices.ContainsFunc(e.tagged(), func(tag uint64) bool { return p.work.tags[tag] > 0 })
}

// unchanged reports whether there was no delete since the state of that number. If own
// is set there was one, the caller's: then it reports whether that was the only one.
func unchanged(began, last, before uint64, own bool) bool {
	if own {
		return last > began && before <= began
	}
	return last <= began
}
