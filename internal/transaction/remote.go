package transaction

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/codec"
	"github.com/seed-dad15c92/txcache/internal/near"
)

// Fetch asks the backend, if it keeps values, once for those under keys in generation
// g, and stores them in the near cache. A value that could not be read because of an
// error is a miss. // P8, P9
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
	asked := near.Now() // before the call: the time left is rather too short than too long
	data, left, err := c.get(ctx, remote)
	end(err)
	if err != nil && ctx.Err() == nil { // else the caller has ended, and the backend is well
		c.Counts.RemoteErrors.Add(1)
		s.Log.Warn(ctx, "remote read", "database", t.Database(), "cache", c.Name, "error", err)
	}
	for i, d := range data {
		if d == nil || i >= len(results) {
			continue
		}
		k := kept{data: d, asked: asked, timed: left != nil}
		if i < len(left) {
			k.left = left[i]
		}
		results[i], _ = c.take(ctx, t, g, keys[i], k)
	}
	return results
}

// get asks the backend for values; left is nil if it does not say for how long it keeps them.
func (c *Core) get(ctx context.Context, keys []backend.Key) (data [][]byte, left []time.Duration, err error) {
	if !c.timed.Load() {
		if data, err = c.Store.Values.Get(ctx, keys); !slices.ContainsFunc(data, c.meetsLife) {
			return data, nil, err
		}
	}
	return c.Store.timed.GetTimed(ctx, keys)
}

// meetsLife reports whether data has a life of its own, of which the backend must be asked
// how much is left. After the first one the cache always asks.
func (c *Core) meetsLife(data []byte) bool {
	if codec.Life(data) == 0 {
		return false
	}
	c.live()
	return c.timed.Load()
}

// Receive decodes the backend's answer for key, outside of Fetch, and stores it near if
// it is valid. leased reports that the answer is the record of another process's lease.
func (c *Cache[K, V]) Receive(ctx context.Context, t *Transaction, g *Generation[K, V], key Key[K], data []byte) (r Result[V], leased bool) {
	if c.timed.Load() || c.meetsLife(data) {
		if _, _, err := c.Codec.Decode(data); err != codec.ErrLease {
			return c.Fetch(ctx, t, g, []Key[K]{key})[0], false // Fetch learns how old it is
		}
	}
	return c.take(ctx, t, g, key, kept{data: data, asked: near.Now()})
}

// A kept is what the backend has under a key.
type kept struct {
	data  []byte
	timed bool          // the backend has said how long it stays there: left
	left  time.Duration // negative for ever
	asked int64         // when the backend was asked, as near.Now counts
}

// take is Receive for an answer whose age is known.
func (c *Cache[K, V]) take(ctx context.Context, t *Transaction, g *Generation[K, V], key Key[K], k kept) (r Result[V], leased bool) {
	value, expires, err := c.Codec.Decode(k.data)
	e := entry[V]{value: value, life: codec.Life(k.data), absent: err == codec.ErrAbsent}
	marks, _ := t.marks(&c.Core)
	fill := codec.Fill(k.data)
	switch {
	case err == nil, e.absent:
		if v := c.judge(marks, key.Key, fill, func() []uint64 { return c.tags(key.Key, value, e.absent) }); v != good {
			c.Counts.count(v)
			return r, false
		}
		if c.clearsTagOf(t, key.Key, value, e.absent) { // P1
			return r, false
		}
	case err == codec.ErrLease:
		return r, fill >= c.since(marks, key.Key) || t.view.Unordered // else what it loads will not be good
	default: // P9
		c.Counts.BadPayloads.Add(1)
		c.Store.Log.Warn(ctx, "bad payload", "database", t.Database(), "cache", c.Name, "error", err)
		return r, false
	}
	if r.Value, r.Found = value, Present; e.absent {
		r.Found = Absent
	}
	left, limited, ok := c.left(k, expires, e.life, e.absent)
	switch {
	case !ok:
		return Result[V]{}, false
	case limited && left <= 0:
		if r.Found = Expired; e.absent || left <= -c.StaleFor {
			return Result[V]{}, false
		}
		if k.timed {
			r.Gone = near.After(k.asked, left+c.StaleFor)
		}
		return r, false
	case limited:
		e.expires = near.After(k.asked, left)
	}
	if e.life > 0 {
		c.live()
	}
	if w := c.Store.Witness.Load(); w != nil && !e.absent {
		(*w)(c.Name, key.Key, e.value)
	}
	g.set(key, e, max(fill, t.Number()), c.placeOf(t, key.Key)) // as Generation.check; where states have no order the number is 0
	return r, false
}

// left returns how long a value that the backend has stays valid, if that is limited.
// It is never longer than the TTL of the cache's own values, or the value's own life. ok is false if the time
// cannot be right.
//
// The backend gives the time by its own clock, if it can: how long it keeps
// the value, which is StaleFor longer than the value is valid. If that is longer than
// the value may live, the value was set with another Duration, or the clock was
// set back. If the backend cannot give the time, left uses the expiry in the payload,
// which comes from the clock of the process that has set the value.
func (c *Core) left(k kept, expires time.Time, life time.Duration, absent bool) (left time.Duration, limited, ok bool) {
	ttl := cmp.Or(life, c.ttl(absent))
	if !k.timed {
		if expires.IsZero() {
			return ttl, ttl > 0, true
		}
		if left = time.Until(expires); ttl > 0 {
			left = min(left, ttl)
		}
		return left, true, true
	}
	if k.left < 0 {
		return 0, false, ttl == 0
	}
	if left = k.left; !absent {
		left -= c.StaleFor
	}
	return left, true, ttl == 0 || left <= ttl
}

// encode returns what the backend should keep of an entry that stays valid for left, 0
// for no limit; ok is false if its value cannot be encoded, or is too large.
func (c *Cache[K, V]) encode(database string, g *Generation[K, V], key Key[K], e entry[V], left time.Duration, fill uint64) (backend.Value, bool) {
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
	codec.SetFill(data, fill)
	if e.life > 0 {
		data = codec.WithLife(data, e.life)
	}
	if left > 0 && !e.absent {
		left = time.Duration(min(uint64(left)+uint64(c.StaleFor), math.MaxInt64))
	}
	return backend.Value{Key: c.RemoteKey(database, g, key), Data: data, TTL: left}, true
}

// LeaseRecord returns a payload with that text that says that t loads the value.
func (c *Cache[K, V]) LeaseRecord(t *Transaction, text string) []byte {
	record := c.Codec.AppendLease(nil, text)
	codec.SetFill(record, t.Number())
	return record
}

// RemoteKey returns the address of a value. Keys of context-dependent caches begin with
// a tilde. No key text begins with one, so they differ from keys of a context-free
// cache of the same name.
func (c *Cache[K, V]) RemoteKey(database string, g *Generation[K, V], key Key[K]) backend.Key {
	text := c.Keys.Text(key.Key)
	if !c.contextFree {
		text = "~" + text + "~" + key.user.Text()
	}
	return backend.Key{Database: database, Cache: c.Name, Schema: c.Codec.Schema(), Token: g.at, Key: text}
}

// SetRemote sends values to the backend in one call, and reports whether it succeeded.
// Values that were not stored are misses later.
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
