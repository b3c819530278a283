package txcache

import (
	"time"

	"github.com/seed-dad15c92/txcache/internal/near"
)

// An overlay is what one transaction has set in one cache.
type overlay interface {
	// publish puts the values into g, and into out what the backend is to keep.
	// It returns how many there were.
	publish(g generation, out *outbox) (published int)

	size() int // how many values there are
	lose()     // forgets all values, as if there had been no room for them
}

// overlayOf is an overlay of a Cache[K, V]. The transaction's mutex guards it.
type overlayOf[K comparable, V any] struct {
	cache  *Cache[K, V]
	values map[entryKey[K]]entry[V]

	// partial is set once a value of a read-write transaction had to go because
	// of Options.OverlaySize. From then on the cache's other values are not looked
	// at: one of them may be older than the one that went. // P1
	partial bool
}

// An entry is one value that a transaction has set.
type entry[V any] struct {
	value   V
	absent  bool  // there is none: the database has nothing there
	expires int64 // as near.Now counts; 0: never
	near    bool  // in the near cache already
	remote  bool  // in the backend already

	step uint64 // the step in which a savepoint has recorded what was there before; 0: none
}

// get returns what the transaction has set under key. If it has set nothing,
// open says whether to look further.
func (o *overlayOf[K, V]) get(key entryKey[K]) (r result[V], open bool) {
	e, ok := o.values[key]
	switch {
	case !ok:
		return r, !o.partial
	case e.expires != 0 && near.Now() >= e.expires:
		return r, false
	case e.absent:
		return result[V]{found: absent}, true
	}
	return result[V]{value: e.value, found: present}, true
}

func (o *overlayOf[K, V]) size() int { return len(o.values) }

func (o *overlayOf[K, V]) lose() {
	o.values = map[entryKey[K]]entry[V]{}
	o.partial = true
}

// set keeps e under key, for a transaction that has done w.
func (o *overlayOf[K, V]) set(w *work, key entryKey[K], e entry[V], readOnly bool) {
	before, was := o.values[key]
	if w.savepoints > 0 {
		if e.step = before.step; e.step <= w.mark { // once a savepoint is enough
			w.record(0, func() {
				if was {
					o.values[key] = before
				} else {
					delete(o.values, key)
				}
			})
			e.step = w.steps
		}
	}
	if !was && len(o.values) >= o.cache.overlaySize {
		for victim := range o.values {
			delete(o.values, victim)
			o.cache.stats.overflows.Add(1)
			o.partial = !readOnly
			break
		}
	}
	o.values[key] = e
}

func (o *overlayOf[K, V]) publish(to generation, out *outbox) (published int) {
	g := to.(*generationOf[K, V])
	for key, e := range o.values {
		left := time.Duration(0)
		if e.expires != 0 {
			if left = time.Duration(e.expires - near.Now()); left <= 0 {
				continue
			}
		}
		published++
		if !e.near {
			g.set(key, e)
		}
		if o.cache.store.values == nil || e.remote {
			continue
		}
		if v, ok := o.cache.encode(out.database, g, key, e, left); ok {
			out.add(&o.cache.core, v)
		}
	}
	return published
}
