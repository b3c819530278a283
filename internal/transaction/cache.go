package transaction

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/canon"
	"github.com/seed-dad15c92/txcache/internal/codec"
	"github.com/seed-dad15c92/txcache/internal/databases"
	"github.com/seed-dad15c92/txcache/internal/memsize"
)

// Settings are those of a cache; see txcache.CacheOptions.
type Settings struct {
	Size          int
	OverlaySize   int
	Duration      time.Duration // 0: until cleared
	Absent        time.Duration // of absences; 0: as for values, negative: none
	Jitter        float64       // of Duration
	StaleFor      time.Duration
	ContextFree   bool
	IgnoreContext []string // besides Options.Ignored
	Warm          bool
	Version       int
	Tables        []string
	RowsOf        []string
}

// A Core is a cache without the types of its keys and values.
type Core struct {
	databases.Cache
	Store *Store

	// What each hit reads comes first, and what is written meanwhile, last.
	bit         uint64 // of Transaction.touched
	contextFree bool
	limited     atomic.Bool // lifetime is the backend's, and no value has a life of its own
	timed       atomic.Bool // the backend must say how old its values are, as it can
	lived       atomic.Bool // values may have lives of their own
	Warm        bool
	ignored     *canon.Ignored

	types       types
	size        int
	overlaySize int
	lifetime    time.Duration // 0: until cleared
	absence     time.Duration // as Settings.Absent
	StaleFor    time.Duration
	jitter      float64

	unencodableSeen atomic.Bool // the log has it
	oversizedSeen   atomic.Bool // the log has it
	Counts          Counters
}

// types has what a Core cannot do without the types of its keys and values. Its Cache
// does it: only the Cache looks into its generations and overlays.
type types interface {
	databases.Contents

	// publish puts the values of p into a generation, and those that the backend should
	// keep into the outbox. It returns how many values there were.
	publish(p publication, generation any) (published int)

	// hashes returns the hashes of keys whose type is not known, but for those that no
	// cache keeps. It returns false if it is in doubt which keys of the cache these are.
	hashes(keys []any) ([]uint64, bool)

	count(overlay any) int // how many values there are
	lose(overlay any)      // drops all values, as if there had been no room for them
	release(overlay any)   // takes an overlay back that nobody uses any more
}

// A Cache is a cache as transactions read and set it. It is safe for concurrent
// use.
type Cache[K comparable, V any] struct {
	Keys  *canon.Keys[K]
	Codec *codec.Codec[V]

	// OnHit, if set, is called with each hit of a value that other transactions may
	// read too.
	OnHit atomic.Pointer[func(h Handle, g *Generation[K, V], key Key[K])]

	tagger atomic.Pointer[func(K, V) []string] // nil: the values bear no tags
	weigh  atomic.Pointer[func(K, V) int]      // of WeighBy; nil: by the estimates

	// overlays has *overlay[K, V] without values, for the next transactions. The runtime holds on to a pool
	// beyond its use: so it is not a part of c, and nothing in it refers to c.
	overlays *sync.Pool

	keySize   func(*K) int // what a key refers to; nil: nothing
	valueSize func(*V) int

	Core
}

// Init makes c a cache of s by that name, which must be valid. It returns false if
// the name is taken. An error concerns the type of the keys or the names of tables.
func (c *Cache[K, V]) Init(s *Store, name string, o Settings) (added bool, err error) {
	if c.Keys, err = canon.NewKeys[K](); err != nil {
		return false, err
	}
	tables, err := newShown(&c.Core, o)
	if err != nil {
		return false, err
	}
	c.Codec = codec.NewVersion[V](o.Version)
	c.overlays = new(sync.Pool)
	c.keySize, c.valueSize = memsize.Of[K](), memsize.Of[V]()
	core := &c.Core
	core.Name, core.Contents = name, c
	core.Store, core.types, core.Warm = s, c, o.Warm
	core.size, core.overlaySize = o.Size, o.OverlaySize
	core.lifetime, core.absence, core.jitter = o.Duration, o.Absent, o.Jitter
	core.contextFree, core.ignored = o.ContextFree, canon.NewIgnored(slices.Concat(o.IgnoreContext, s.Ignored)...)
	core.timed.Store(s.timed != nil && (o.Duration > 0 || o.Absent > 0))
	if core.lifetime == 0 {
		core.lifetime = s.longest
		core.limited.Store(s.longest > 0)
	}
	// A stored value's TTL is lifetime plus StaleFor; its expiry is computed from
	// that sum.
	core.StaleFor = min(o.StaleFor, math.MaxInt64-core.lifetime)
	if !s.add(core, o.IgnoreContext, tables) {
		return false, nil
	}
	if err := c.Codec.Err(); err != nil && s.Values != nil {
		core.unencodableSeen.Store(true)
		s.Logger.Warn("txcache: values of this cache cannot be encoded; they are kept in this process only", "cache", name, "error", err)
	}
	return true, nil
}

// Usable returns an error if the cache cannot be used in t.
func (c *Core) Usable(t *Transaction) error {
	if t.Store != c.Store {
		return fmt.Errorf("txcache: cache %q and the transaction are of different stores", c.Name)
	}
	return nil
}

// TagBy makes tags the function that returns the tags of a value.
func (c *Cache[K, V]) TagBy(tags func(key K, value V) []string) {
	c.tagger.Store(&tags)
	c.Tagged.Store(true)
}

// tags returns the hashes of the tags that an entry bears. It calls a function of the
// user's, so the caller must not hold a lock.
func (c *Cache[K, V]) tags(key K, value V, absent bool) []uint64 {
	tagger := c.tagger.Load()
	if tagger == nil || absent {
		return nil
	}
	tags := (*tagger)(key, value)
	hashes := make([]uint64, len(tags))
	for i, tag := range tags {
		hashes[i] = canon.Hash(tag)
	}
	return hashes
}

// remembers reports whether the cache keeps absences.
func (c *Core) remembers() bool { return c.absence >= 0 }

// Lifetime returns how long a value stays valid; 0 for ever.
func (c *Core) Lifetime() time.Duration { return c.lifetime }

// New is for databases.
func (c *Cache[K, V]) New(at backend.Token, number uint64, unordered bool, account *databases.Database) any {
	return c.newGeneration(at, number, unordered, account)
}

// Len is for databases.
func (c *Cache[K, V]) Len(contents any) int { return contents.(*Generation[K, V]).len() }

// Trim is for databases.
func (c *Cache[K, V]) Trim(contents any, slots int) (end bool) {
	return contents.(*Generation[K, V]).trim(slots)
}

// Discard is for databases.
func (c *Cache[K, V]) Discard(contents any) { contents.(*Generation[K, V]).discard() }
