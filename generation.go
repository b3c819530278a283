package txcache

import (
	"hash/maphash"
	"sync/atomic"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/canon"
	"github.com/seed-dad15c92/txcache/internal/near"
)

// An entryKey is a key in a user context.
type entryKey[K comparable] struct {
	key  K
	user canon.ID
}

// A generationOf is one generation of a Cache[K, V].
type generationOf[K comparable, V any] struct {
	of   *core
	at   backend.Token
	near *near.Map[entryKey[K], V] // nil with Options.NoNear
	flights[K, V]

	// absences are the keys that are known to be absent; nil before the first.
	absences atomic.Pointer[near.Map[entryKey[K], struct{}]]
}

func (c *Cache[K, V]) generation(at backend.Token) generation {
	g := &generationOf[K, V]{of: &c.core, at: at}
	if !c.store.opts.NoNear {
		g.near = near.New[entryKey[K], V](c.size)
		g.near.CountEvictions(&c.stats.evictions)
	}
	return g
}

func (g *generationOf[K, V]) cache() *core         { return g.of }
func (g *generationOf[K, V]) token() backend.Token { return g.at }

func (g *generationOf[K, V]) size() int {
	if g.near == nil {
		return 0
	}
	return g.near.Len()
}

func (g *generationOf[K, V]) empty() {
	if g.near != nil {
		g.near.Clear()
	}
	if absences := g.absences.Load(); absences != nil {
		absences.Clear()
	}
}

// get is find where only a value is of interest.
func (g *generationOf[K, V]) get(t *transaction, key entryKey[K]) (v V, ok bool) {
	if g.near == nil {
		return v, false
	}
	return g.value(t, key, key.hash())
}

// value returns the value under key. One that has no duration of its own, and
// goes because the backend keeps none for longer than some hours, is good for t
// if it was when t began, which saves the reading of the clock.
func (g *generationOf[K, V]) value(t *transaction, key entryKey[K], hash uint64) (v V, ok bool) {
	if g.of.limited {
		return g.near.GetAt(key, hash, t.began)
	}
	return g.near.Get(key, hash)
}

// find returns what t may know of key in the process.
func (g *generationOf[K, V]) find(t *transaction, key entryKey[K]) (r result[V]) {
	if g.near == nil {
		return r
	}
	hash := key.hash()
	if v, ok := g.value(t, key, hash); ok {
		return result[V]{value: v, found: present}
	}
	if absences := g.absences.Load(); absences != nil {
		if _, ok := absences.Get(key, hash); ok {
			r.found = absent
		}
	}
	return r
}

// expired returns a value that has expired since, if that is less than within
// ago.
func (g *generationOf[K, V]) expired(key entryKey[K], within time.Duration) (v V, ok bool) {
	if g.near == nil {
		return v, false
	}
	v, expires, ok := g.near.Peek(key, key.hash())
	return v, ok && expires != 0 && near.Now()-expires < int64(within)
}

// set keeps what is known of key, in place of what was known before.
func (g *generationOf[K, V]) set(key entryKey[K], e entry[V]) {
	if g.near == nil {
		return
	}
	hash, absences := key.hash(), g.absences.Load()
	if !e.absent {
		if absences != nil {
			absences.Expire(key, hash)
		}
		g.near.Set(key, hash, e.value, e.expires)
		return
	}
	if absences == nil {
		g.absences.CompareAndSwap(nil, near.New[entryKey[K], struct{}](g.of.size))
		absences = g.absences.Load()
	}
	absences.Set(key, hash, struct{}{}, e.expires)
	g.near.Expire(key, hash)
}

var seed = maphash.MakeSeed()

func (k entryKey[K]) hash() uint64 {
	return maphash.Comparable(seed, k.key) ^ k.user.Hash()
}
