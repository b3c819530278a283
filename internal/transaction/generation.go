package transaction

import (
	"hash/maphash"
	"sync/atomic"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/canon"
	"github.com/seed-dad15c92/txcache/internal/near"
	"github.com/seed-dad15c92/txcache/internal/singleflight"
)

// A Key is a key in a user context.
type Key[K comparable] struct {
	Key  K
	user canon.ID
}

// A Generation is what a Cache[K, V] holds in one database under one token.
type Generation[K comparable, V any] struct {
	// Loads are the loads in progress. Only package loading uses it.
	Loads singleflight.Group[Key[K], *Transaction, Result[V]]

	of   *Core
	at   backend.Token
	near *near.Map[Key[K], V] // nil if no values are kept in the process

	// absences are the keys that are known to be absent; nil before the first.
	absences atomic.Pointer[near.Map[Key[K], struct{}]]
}

func (c *Cache[K, V]) newGeneration(at backend.Token) *Generation[K, V] {
	g := &Generation[K, V]{of: &c.Core, at: at}
	if !c.Store.NoNear {
		g.near = near.New[Key[K], V](c.size)
		g.near.CountEvictions(&c.Counts.Evictions)
	}
	return g
}

func (g *Generation[K, V]) len() int {
	if g.near == nil {
		return 0
	}
	return g.near.Len()
}

func (g *Generation[K, V]) empty() {
	if g.near != nil {
		g.near.Clear()
	}
	if absences := g.absences.Load(); absences != nil {
		absences.Clear()
	}
}

// get is Find for a caller that needs only a value.
func (g *Generation[K, V]) get(t *Transaction, key Key[K]) (v V, ok bool) {
	if g.near == nil {
		return v, false
	}
	return g.value(t, key, key.hash())
}

// value returns the value under key. If the backend's TTL is its only limit, value
// compares its expiry with the time when t began, which saves a reading of the clock
// for each hit.
func (g *Generation[K, V]) value(t *Transaction, key Key[K], hash uint64) (v V, ok bool) {
	if g.of.limited {
		return g.near.GetAt(key, hash, t.times.Began)
	}
	return g.near.Get(key, hash)
}

// Find returns what t may know of key in the process.
func (g *Generation[K, V]) Find(t *Transaction, key Key[K]) (r Result[V]) {
	if g.near == nil {
		return r
	}
	hash := key.hash()
	if v, ok := g.value(t, key, hash); ok {
		return Result[V]{Value: v, Found: Present}
	}
	if absences := g.absences.Load(); absences != nil {
		if _, ok := absences.Get(key, hash); ok {
			r.Found = Absent
		}
	}
	return r
}

// Expires returns when the value under key expires or has expired, as near.Now
// counts; ok is false if there is no value, or it never expires.
func (g *Generation[K, V]) Expires(key Key[K]) (at int64, ok bool) {
	if g.near == nil {
		return 0, false
	}
	_, expires, ok := g.near.Peek(key, key.hash())
	return expires, ok && expires != 0
}

// Expired returns the value under key if it expired less than within ago.
func (g *Generation[K, V]) Expired(key Key[K], within time.Duration) (v V, ok bool) {
	if g.near == nil {
		return v, false
	}
	v, expires, ok := g.near.Peek(key, key.hash())
	return v, ok && expires != 0 && near.Now()-expires < int64(within)
}

// set stores e under key, in place of what was known of key before.
func (g *Generation[K, V]) set(key Key[K], e entry[V]) {
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
		g.absences.CompareAndSwap(nil, near.New[Key[K], struct{}](g.of.size))
		absences = g.absences.Load()
	}
	absences.Set(key, hash, struct{}{}, e.expires)
	g.near.Expire(key, hash)
}

// forget removes the value under key.
func (g *Generation[K, V]) forget(key Key[K]) {
	if g.near != nil {
		g.near.Expire(key, key.hash())
	}
}

var seed = maphash.MakeSeed()

func (k Key[K]) hash() uint64 {
	return maphash.Comparable(seed, k.Key) ^ k.user.Hash()
}
