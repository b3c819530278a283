package txcache

import (
	"hash/maphash"

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
}

func (c *Cache[K, V]) generation(at backend.Token) generation {
	g := &generationOf[K, V]{of: &c.core, at: at}
	if !c.store.opts.NoNear {
		g.near = near.New[entryKey[K], V](c.size)
	}
	return g
}

func (g *generationOf[K, V]) cache() *core         { return g.of }
func (g *generationOf[K, V]) token() backend.Token { return g.at }

func (g *generationOf[K, V]) size() (values int, evictions uint64) {
	if g.near == nil {
		return 0, 0
	}
	return g.near.Len(), g.near.Evictions()
}

func (g *generationOf[K, V]) empty() {
	if g.near != nil {
		g.near.Clear()
	}
}

func (g *generationOf[K, V]) get(key entryKey[K]) (v V, ok bool) {
	if g.near == nil {
		return v, false
	}
	return g.near.Get(key, key.hash())
}

func (g *generationOf[K, V]) set(key entryKey[K], value V, expires int64) {
	if g.near != nil {
		g.near.Set(key, key.hash(), value, expires)
	}
}

var seed = maphash.MakeSeed()

func (k entryKey[K]) hash() uint64 {
	return maphash.Comparable(seed, k.key) ^ k.user.Hash()
}
