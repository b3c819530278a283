package transaction

import (
	"hash/maphash"
	"sync/atomic"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/canon"
	"github.com/seed-dad15c92/txcache/internal/databases"
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
	Loads singleflight.Group[Flight[K], *Transaction, Result[V]]

	of   *Cache[K, V]
	at   backend.Token
	base uint64               // fills are kept as what they are above it; see short
	near *near.Map[Key[K], V] // nil if no values are kept in the process
	sums *fills               // if states have no numbers; else nil

	account   *databases.Database // nil: what it keeps is not counted
	discarded atomic.Bool

	// absences are the keys that are known to be absent; nil before the first.
	absences atomic.Pointer[near.Map[Key[K], struct{}]]
}

func (c *Cache[K, V]) newGeneration(at backend.Token, number uint64, unordered bool, account *databases.Database) *Generation[K, V] {
	g := &Generation[K, V]{of: c, at: at, base: number - min(number, earlier), account: account}
	if unordered {
		g.sums = &fills{}
	}
	if !c.Store.NoNear {
		g.near = near.New[Key[K], V](c.size)
		if account != nil {
			g.near.SetOwner((*values[K, V])(g))
		}
	}
	g.count(0, generationBytes)
	return g
}

func (g *Generation[K, V]) len() int {
	if g.near == nil {
		return 0
	}
	return g.near.Len()
}

// discard removes all values. What transactions that still refer to g keep in it is not counted.
func (g *Generation[K, V]) discard() {
	if g.discarded.Swap(true) {
		return
	}
	if g.near != nil {
		g.near.Retire()
	}
	if absences := g.absences.Load(); absences != nil {
		absences.Retire()
	}
	g.count(0, -generationBytes)
}

// earlier is how many changes before the state under which a generation was made its fills begin: a
// transaction that is older than that state may fill it too. With the changes after it, of which
// package databases counts at most twice as many, they stay below near.MaxFill. // P11
const earlier = 1 << 28

// short returns the number that an entry is given for a fill, as it has few bits for it: 0
// for one below the base. fill is the other way round. What is lost by them makes a fill
// lower, which can cost a miss.
func (g *Generation[K, V]) short(fill uint64, at place) uint64 {
	if g.sums != nil {
		return g.sums.number(fill, at)
	}
	if fill < g.base {
		return 0
	}
	return fill - g.base + 1
}

func (g *Generation[K, V]) fill(short uint64) uint64 {
	if short == 0 {
		return 0
	}
	return g.base + short - 1
}

// least returns the number from which on that of an entry stands for a fill that is
// not below good.
func (g *Generation[K, V]) least(good uint64) uint64 {
	if good <= g.base {
		return 1
	}
	return min(good-g.base, near.MaxFill) + 1
}

// value returns the value that t may know under key, for a hit. If the backend's TTL is its
// only limit, its expiry is compared with the time when t began, which saves a reading of the clock for each hit.
func (g *Generation[K, V]) value(t *Transaction, key Key[K], hash uint64, marks *databases.Marks) (v V, ok bool) {
	e := g.near.Find(key, hash)
	if e == nil {
		return v, false
	}
	if g.of.limited.Load() {
		if e.ExpiredAt(t.times.Began) {
			return v, false
		}
	} else if e.Expired() {
		return v, false
	}
	if marks != nil && e.Fill() < g.least(marks.Good) && !g.check(t, key, e, marks) { // keys were deleted
		return v, false
	}
	return e.Use(), true
}

// check reports whether an entry is good for t, and raises its fill so that the next look-up
// need not ask: it is what t would load. Nothing else may raise a fill.
func (g *Generation[K, V]) check(t *Transaction, key Key[K], e *near.Entry[Key[K], V], marks *databases.Marks) bool {
	v, now := g.verdict(t, key, e, marks)
	if v != good {
		return false
	}
	e.Raise(now)
	return true
}

func (g *Generation[K, V]) verdict(t *Transaction, key Key[K], e *near.Entry[Key[K], V], marks *databases.Marks) (v verdict, now uint64) {
	return g.judge(t, marks, key, e.Fill(), func() []uint64 {
		value, _, _ := e.Peek()
		return g.of.tags(key.Key, value, false)
	})
}

// judge is Cache.judge for what an entry has of a fill, and returns what it would have if it
// were filled by t, if it is good.
func (g *Generation[K, V]) judge(t *Transaction, m *databases.Marks, key Key[K], short uint64, tags func() []uint64) (v verdict, now uint64) {
	if g.sums == nil {
		if v = g.of.judge(m, key.Key, g.fill(short), tags); v == good {
			now = g.short(t.Number(), place{})
		}
		return v, now
	}
	sum := g.of.sum(m, key.Key)
	switch {
	case short == noSum:
		return deleted, 0
	case short == g.sums.find(sum):
		return good, short
	case g.of.stays(m, key.Key, g.sums.place(short), tags):
		return good, g.sums.number(sum, g.of.place(m, key.Key))
	}
	return deleted, 0
}

// CountGone counts the value that a delete has taken away from a look-up of t that found
// nothing, if there is one. It is apart from the look-up, which is repeated for some keys.
func (g *Generation[K, V]) CountGone(t *Transaction, key Key[K]) {
	marks, _ := t.marks(&g.of.Core)
	if g.near == nil || marks == nil {
		return
	}
	hash := key.hash()
	if e := g.near.Find(key, hash); e != nil && !e.Expired() {
		v, _ := g.verdict(t, key, e, marks)
		g.of.Counts.count(v)
	} else if absences := g.absences.Load(); absences != nil {
		if e := absences.Find(key, hash); e != nil && !e.Expired() {
			v, _ := g.judge(t, marks, key, e.Fill(), noTags)
			g.of.Counts.count(v)
		}
	}
}

// isAbsent reports whether the key is known to be absent.
func (g *Generation[K, V]) isAbsent(t *Transaction, key Key[K], hash uint64, marks *databases.Marks) bool {
	absences := g.absences.Load()
	if absences == nil {
		return false
	}
	e := absences.Find(key, hash)
	if e == nil || e.Expired() {
		return false
	}
	v, now := g.judge(t, marks, key, e.Fill(), noTags)
	if v != good {
		return false
	}
	if marks != nil {
		e.Raise(now)
	}
	e.Use()
	return true
}

func noTags() []uint64 { return nil }

// Find returns what t may know of key in the process.
func (g *Generation[K, V]) Find(t *Transaction, key Key[K]) (r Result[V]) {
	if g.near == nil {
		return r
	}
	hash := key.hash()
	marks, _ := t.marks(&g.of.Core)
	if v, ok := g.value(t, key, hash, marks); ok {
		return Result[V]{Value: v, Found: Present}
	}
	if g.isAbsent(t, key, hash, marks) {
		r.Found = Absent
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

// Expired returns the value under key if it expired less than within ago and is good for
// t otherwise.
func (g *Generation[K, V]) Expired(t *Transaction, key Key[K], within time.Duration) (v V, ok bool) {
	if g.near == nil {
		return v, false
	}
	e := g.near.Find(key, key.hash()) // the fill and the value of one entry: another may take its place
	v, expires, ok := e.Peek()
	if !ok || expires == 0 || near.Now()-expires >= int64(within) {
		return v, false
	}
	if marks, _ := t.marks(&g.of.Core); marks != nil && e.Fill() < g.least(marks.Good) && !g.check(t, key, e, marks) {
		return v, false
	}
	return v, true
}

// set stores e under key, in place of what was known of key before.
func (g *Generation[K, V]) set(key Key[K], e entry[V], fill uint64, at place) {
	if g.near == nil {
		return
	}
	hash, absences := key.hash(), g.absences.Load()
	if !e.absent {
		if absences != nil {
			absences.Expire(key, hash)
		}
		g.near.Set(key, hash, e.value, e.expires, g.short(fill, at))
		g.relieve()
		return
	}
	if absences == nil {
		absences = g.makeAbsences()
	}
	absences.Set(key, hash, struct{}{}, e.expires, g.short(fill, at))
	g.near.Expire(key, hash)
	g.relieve()
}

// forget removes the value under key.
func (g *Generation[K, V]) forget(key Key[K]) {
	if g.near != nil {
		g.near.Expire(key, key.hash())
	}
}

var seed = maphash.MakeSeed()

func (k Key[K]) hash() uint64 {
	h := maphash.Comparable(seed, k.Key)
	if k.user != (canon.ID{}) {
		h ^= k.user.Hash()
	}
	return h
}
