package txcache

import (
	"context"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/near"
)

// A result is what a remote look-up found for one key.
type result[V any] struct {
	value V
	ok    bool
}

// fetch asks the backend for the values under keys in generation g, in one
// call, and keeps what it finds near. An error is a miss. // P8, P9
func (c *Cache[K, V]) fetch(ctx context.Context, t *transaction, g *generationOf[K, V], keys []entryKey[K]) []result[V] {
	results := make([]result[V], len(keys))
	s := c.store
	if s.values == nil || len(keys) == 0 {
		return results
	}
	remote := make([]backend.Key, len(keys))
	for i, k := range keys {
		remote[i] = c.remoteKey(t.db.name, g, k)
	}
	data, err := s.values.Get(ctx, remote)
	if err != nil {
		c.stats.remoteErrors.Add(1)
		s.quiet.warn(ctx, "remote read", "database", t.db.name, "cache", c.name, "error", err)
		return results
	}
	for i, d := range data {
		if d == nil || i >= len(results) {
			continue
		}
		value, expires, err := c.codec.Decode(d)
		if err != nil {
			c.stats.badPayloads.Add(1)
			s.quiet.warn(ctx, "bad payload", "database", t.db.name, "cache", c.name, "error", err)
			continue
		}
		until := int64(0)
		if !expires.IsZero() {
			left := time.Until(expires)
			if left <= 0 {
				continue
			}
			until = near.Now() + int64(left)
		}
		g.set(keys[i], value, until)
		c.stats.remoteHits.Add(1)
		results[i] = result[V]{value, true}
	}
	return results
}

// encode returns what is to be kept remotely of a value that has left to live,
// 0 for no limit; not ok if it cannot be encoded.
func (c *Cache[K, V]) encode(database string, g *generationOf[K, V], key entryKey[K], value V, left time.Duration) (backend.Value, bool) {
	var expires time.Time
	if left > 0 {
		expires = time.Now().Add(left)
	}
	data, err := c.codec.Append(nil, value, expires)
	if err != nil {
		c.stats.unencodable.Add(1)
		if !c.unencodableSeen.Swap(true) {
			c.store.opts.Logger.Warn("txcache: value cannot be encoded; such values are kept in this process only", "cache", c.name, "error", err)
		}
		return backend.Value{}, false
	}
	return backend.Value{Key: c.remoteKey(database, g, key), Data: data, TTL: left}, true
}

// remoteKey returns the address of a value. Keys of caches that depend on the
// context begin with a tilde, which no key's own text does, so that they never
// meet those of a cache of that name that does not.
func (c *Cache[K, V]) remoteKey(database string, g *generationOf[K, V], key entryKey[K]) backend.Key {
	text := c.keys.Text(key.key)
	if !c.contextFree {
		text = "~" + text + "~" + key.user.Text()
	}
	return backend.Key{Database: database, Cache: c.name, Schema: c.codec.Schema(), Token: g.at, Key: text}
}

// setRemote keeps values in the backend, all in one call, and reports whether it
// did. What it cannot keep is loaded again by whoever needs it.
func (s *Store) setRemote(ctx context.Context, database string, values []backend.Value) bool {
	if len(values) == 0 {
		return true
	}
	if err := s.values.Set(ctx, values); err != nil {
		s.quiet.warn(ctx, "remote write", "database", database, "error", err)
		return false
	}
	return true
}
