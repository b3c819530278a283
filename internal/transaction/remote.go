package transaction

import (
	"context"
	"math"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/codec"
	"github.com/seed-dad15c92/txcache/internal/near"
)

// Fetch asks the backend, if it keeps any, for the values under keys in
// generation g, in one call, and keeps what it finds near. What an error has
// kept from being found is a miss. // P8, P9
func (c *Cache[K, V]) Fetch(ctx context.Context, t *Transaction, g *Generation[K, V], keys []Key[K]) []Result[V] {
	results := make([]Result[V], len(keys))
	s := c.Store
	if s.Values == nil {
		return results
	}
	remote := make([]backend.Key, len(keys))
	for i, k := range keys {
		remote[i] = c.RemoteKey(t.Database(), g, k)
	}
	ctx, end := s.Trace(ctx, "get", t.Database(), c.Name, len(keys))
	var data [][]byte
	var left []time.Duration
	var err error
	asked := near.Now() // before the call: what is left is rather less
	if c.timed {
		data, left, err = s.timed.GetTimed(ctx, remote)
	} else {
		data, err = s.Values.Get(ctx, remote)
	}
	end(err)
	if err != nil && ctx.Err() == nil { // else the caller has left, and the backend is well
		c.Counts.RemoteErrors.Add(1)
		s.Log.Warn(ctx, "remote read", "database", t.Database(), "cache", c.Name, "error", err)
	}
	for i, d := range data {
		if d == nil || i >= len(results) {
			continue
		}
		k := kept{data: d, asked: asked}
		if i < len(left) {
			k.left = left[i]
		}
		results[i], _ = c.take(ctx, t, g, keys[i], k)
	}
	return results
}

// Receive takes what the backend has answered with for key, outside of Fetch, and
// keeps it near if it is any good. If it is not, leased says that another process
// is loading the value.
func (c *Cache[K, V]) Receive(ctx context.Context, t *Transaction, g *Generation[K, V], key Key[K], data []byte) (r Result[V], leased bool) {
	if c.timed {
		if _, _, err := c.Codec.Decode(data); err != codec.ErrLease {
			return c.Fetch(ctx, t, g, []Key[K]{key})[0], false // which tells how old it is
		}
	}
	return c.take(ctx, t, g, key, kept{data: data, asked: near.Now()})
}

// kept is what the backend has under a key.
type kept struct {
	data  []byte
	left  time.Duration // how long it stays there, negative for ever; if the cache is timed
	asked int64         // when the backend was asked, as near.Now counts
}

// take is Receive for what the backend has told all of.
func (c *Cache[K, V]) take(ctx context.Context, t *Transaction, g *Generation[K, V], key Key[K], k kept) (r Result[V], leased bool) {
	value, expires, err := c.Codec.Decode(k.data)
	e := entry[V]{value: value, absent: err == codec.ErrAbsent}
	switch {
	case err == nil, e.absent:
	case err == codec.ErrLease:
		return r, true
	default: // P9
		c.Counts.BadPayloads.Add(1)
		c.Store.Log.Warn(ctx, "bad payload", "database", t.Database(), "cache", c.Name, "error", err)
		return r, false
	}
	if r.Value, r.Found = value, Present; e.absent {
		r.Found = Absent
	}
	left, limited, ok := c.left(k.left, expires, e.absent)
	switch {
	case !ok:
		return Result[V]{}, false
	case limited && left <= 0:
		if r.Found = Expired; e.absent || left <= -c.StaleFor {
			return Result[V]{}, false
		}
		if c.timed {
			r.Gone = near.After(k.asked, left+c.StaleFor)
		}
		return r, false
	case limited:
		e.expires = near.After(k.asked, left)
	}
	if w := c.Store.Witness.Load(); w != nil && !e.absent {
		(*w)(c.Name, key.Key, e.value)
	}
	g.set(key, e)
	return r, false
}

// left returns how long what the backend has kept is good for yet, if that is
// limited; not ok if it is not to be believed. It is never more than the cache's
// own values have.
//
// The backend tells it by its own clock, if it can: stays is how long it keeps
// the value, which has StaleFor to go when it expires. Where that is longer than
// any value of the cache is kept, it was set with another Duration, or the clock
// was set back. Else it rests on the clock of the process that has set the value,
// which has said when it expires.
func (c *Core) left(stays time.Duration, expires time.Time, absent bool) (left time.Duration, limited, ok bool) {
	life := c.life(absent)
	if !c.timed {
		if expires.IsZero() {
			return life, life > 0, true
		}
		if left = time.Until(expires); life > 0 {
			left = min(left, life)
		}
		return left, true, true
	}
	if stays < 0 {
		return 0, false, life == 0
	}
	if left = stays; !absent {
		left -= c.StaleFor
	}
	return left, true, life == 0 || left <= life
}

// encode returns what is to be kept remotely of an entry that has left to live,
// 0 for no limit; not ok if its value cannot be encoded, or is too large.
func (c *Cache[K, V]) encode(database string, g *Generation[K, V], key Key[K], e entry[V], left time.Duration) (backend.Value, bool) {
	var expires time.Time
	if left > 0 {
		expires = time.Now().Add(left)
	}
	var data []byte
	var err error
	if e.absent {
		data = c.Codec.AppendAbsent(nil, expires)
	} else if data, err = c.Codec.Append(nil, e.value, expires); err != nil {
		c.Counts.Unencodable.Add(1)
		if !c.unencodableSeen.Swap(true) {
			c.Store.Logger.Warn("txcache: value cannot be encoded; such values are kept in this process only", "cache", c.Name, "error", err)
		}
		return backend.Value{}, false
	}
	if most := c.Store.largest; most > 0 && len(data) > most {
		c.Counts.Oversized.Add(1)
		if !c.oversizedSeen.Swap(true) {
			c.Store.Logger.Warn("txcache: value is larger than the backend keeps; such values are kept in this process only",
				"cache", c.Name, "size", len(data), "largest", most)
		}
		return backend.Value{}, false
	}
	if left > 0 && !e.absent {
		left = time.Duration(min(uint64(left)+uint64(c.StaleFor), math.MaxInt64))
	}
	return backend.Value{Key: c.RemoteKey(database, g, key), Data: data, TTL: left}, true
}

// RemoteKey returns the address of a value. Keys of caches that depend on the
// context begin with a tilde, which no key's own text does, so that they never
// meet those of a cache of that name that does not.
func (c *Cache[K, V]) RemoteKey(database string, g *Generation[K, V], key Key[K]) backend.Key {
	text := c.Keys.Text(key.Key)
	if !c.contextFree {
		text = "~" + text + "~" + key.user.Text()
	}
	return backend.Key{Database: database, Cache: c.Name, Schema: c.Codec.Schema(), Token: g.at, Key: text}
}

// SetRemote keeps values in the backend, all in one call, and reports whether it
// did. What it cannot keep is loaded again by whoever needs it.
func (s *Store) SetRemote(ctx context.Context, database string, values []backend.Value) bool {
	if len(values) == 0 {
		return true
	}
	ctx, end := s.Trace(ctx, "set", database, "", len(values))
	err := s.Values.Set(ctx, values)
	if end(err); err != nil {
		s.Log.Warn(ctx, "remote write", "database", database, "error", err)
	}
	return err == nil
}
