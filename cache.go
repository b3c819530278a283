package txcache

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/canon"
	"github.com/seed-dad15c92/txcache/internal/codec"
)

// A Cache is a named map from K to V within every database, read and changed in
// transactions. It is safe for concurrent use. [NewCache] makes one.
//
// Keys that are equal in Go are the same key, others are not. Unless the cache
// is ContextFree, the user context of the transaction's handle is part of every
// key. A value may be nil, and is then a value like any other.
//
// Values are not copied: they must not be changed after Set, nor what Get
// returned.
type Cache[K comparable, V any] struct {
	core
	keys      *canon.Keys[K]
	codec     *codec.Codec[V]
	refresher atomic.Pointer[func(context.Context, *Tx, K) (V, error)] // nil: none
}

// A core is a cache without its types.
type core struct {
	store         *Store
	id            uint32
	bit           uint64 // of transaction.touched
	name          string
	size          int
	overlaySize   int
	lifetime      time.Duration // 0: until cleared
	limited       bool          // lifetime is the backend's
	timed         bool          // the backend is asked how old what it keeps is
	absence       time.Duration // of what is absent; 0: as for values, negative: none
	jitter        float64       // of lifetimes
	staleFor      time.Duration
	lease         time.Duration // 0: none
	contextFree   bool
	ignored       *canon.Ignored
	warm          bool
	verify        share // of the hits
	newGeneration func(backend.Token) generation
	stats         counters

	unencodableSeen atomic.Bool // the log has it
	oversizedSeen   atomic.Bool // the log has it
}

// NewCache makes a cache of that name in s. opts may be nil.
//
// The name is any non-empty, valid UTF-8 string of at most 8192 bytes that no
// other cache of the store has; if one has it, the error is ErrDuplicate. Programs that share a backend
// share caches of the same name and the same shape of V.
//
// K must be a type whose values mean the same in every process and at any time:
// no pointer, channel or time.Time, nor anything that holds one. It may be an
// interface; keys that hold something else than such a value, and floats that
// are no number, miss and are not set.
//
// V may be any type. Where the backend keeps values, what cannot be encoded so that another
// process gets what was set stays in this one. If no value of V can be, NewCache
// says so in the log at once, and names the part of V that is the reason.
func NewCache[K comparable, V any](s *Store, name string, opts *CacheOptions) (*Cache[K, V], error) {
	c, err := newCache[K, V](s, name, opts)
	switch {
	case errors.Is(err, ErrDuplicate), errors.Is(err, ErrClosed):
		return nil, fmt.Errorf("%w: cache %q", err, name)
	case err != nil && checkName("cache", name) != nil:
		return nil, err // it says what is wrong with the name, which may be too long to show
	case err != nil:
		return nil, fmt.Errorf("txcache: cache %q: %s", name, strings.TrimPrefix(err.Error(), "txcache: "))
	}
	return c, nil
}

func newCache[K comparable, V any](s *Store, name string, opts *CacheOptions) (*Cache[K, V], error) {
	if s == nil || s.backend == nil {
		return nil, errors.New("the store is nil")
	}
	if s.closed.Load() {
		return nil, ErrClosed
	}
	if err := checkName("cache", name); err != nil {
		return nil, err
	}
	if opts == nil {
		opts = &CacheOptions{}
	}
	if err := opts.check(); err != nil {
		return nil, err
	}
	keys, err := canon.NewKeys[K]()
	if err != nil {
		return nil, err
	}
	c := &Cache[K, V]{keys: keys, codec: codec.NewVersion[V](opts.Version), core: core{
		store:       s,
		name:        name,
		size:        s.opts.Size,
		lifetime:    opts.Duration,
		absence:     opts.Absent,
		jitter:      opts.Jitter,
		staleFor:    opts.StaleFor,
		lease:       max(0, cmp.Or(opts.Lease, s.opts.Lease)),
		contextFree: opts.ContextFree,
		ignored:     canon.NewIgnored(slices.Concat(opts.IgnoreContext, s.opts.ContextIgnoredKeys)...),
		warm:        opts.Warm,
	}}
	c.verify.set(opts.Verify)
	if opts.Size > 0 {
		c.size = opts.Size
	}
	if size := s.opts.Sizes[name]; size > 0 {
		c.size = size
	}
	c.overlaySize = cmp.Or(s.opts.OverlaySize, max(defaultOverlaySize, c.size))
	if c.lifetime == 0 {
		c.lifetime, c.limited = s.longest, s.longest > 0
	}
	// What a value is kept for is the sum, and when it expires is told from that.
	c.staleFor = min(c.staleFor, math.MaxInt64-c.lifetime)
	c.timed = s.timed != nil && (opts.Duration > 0 || opts.Absent > 0)
	c.newGeneration = c.generation
	if err := s.add(&c.core, opts.IgnoreContext); err != nil {
		return nil, err
	}
	if err := c.codec.Err(); err != nil && s.values != nil {
		c.unencodableSeen.Store(true)
		s.opts.Logger.Warn("txcache: values of this cache cannot be encoded; they are kept in this process only", "cache", name, "error", err)
	}
	return c, nil
}

// Must returns v, and panics if err is not nil. It is for caches and stores
// that a program makes when it starts.
func Must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Name returns the cache's name.
func (c *Cache[K, V]) Name() string {
	c.made()
	return c.name
}

// Get returns the value under key as the transaction sees it, and whether there
// is one: its own, or what others have committed. ctx bounds the call to the
// backend, if one is needed; an error of it is a miss.
//
// A key that is known to be absent from the database has no value either; see
// [Cache.Absent].
func (c *Cache[K, V]) Get(ctx context.Context, tx *Tx, key K) (V, bool) {
	if v, ok := c.near(tx, key); ok {
		return v, true
	}
	r := c.find(ctx, tx, key)
	if r.found != present {
		var none V
		return none, false
	}
	return r.value, true
}

// GetOr returns the value under key, or def if there is none.
func (c *Cache[K, V]) GetOr(ctx context.Context, tx *Tx, key K, def V) V {
	if v, ok := c.Get(ctx, tx, key); ok {
		return v
	}
	return def
}

// GetMany returns the values that there are under keys. It asks the backend, if
// need be, once for all of them.
func (c *Cache[K, V]) GetMany(ctx context.Context, tx *Tx, keys []K) map[K]V {
	c.made()
	tx.made()
	given(ctx)
	values := make(map[K]V, len(keys))
	var missing []entryKey[K]
	var from *generationOf[K, V]
	for _, key := range keys {
		k, ok := c.entryKey(tx, key)
		if !ok {
			c.stats.bypass()
			continue
		}
		r, g := c.lookup(tx.t, k)
		switch {
		case r.found.known():
			c.stats.count(r.found)
			c.refreshHit(tx, g, k, r)
			if r.found == present {
				values[key] = r.value
			}
		case g == nil:
			c.stats.bypass()
		default:
			missing, from = append(missing, k), g
		}
	}
	if len(missing) == 0 {
		return values
	}
	for i, r := range c.ask(ctx, tx.t, from, missing) {
		if r.found == present {
			values[missing[i].key] = r.value
		}
	}
	return values
}

// Set sets the value under key. In a read-write transaction others see it after
// the commit. In a read-only one they may see it at once: set only what was
// read from the database in that transaction.
//
// Set fills the cache with a value that was read from the database. A transaction
// that changes the row must call Clear; other processes keep the old value until
// it does.
//
// Set takes the caller's word for it that value is what the transaction reads now.
// If other goroutines use the transaction, none may write the row, clear the
// cache or undo a savepoint between the caller's reading it and Set; Load needs
// no such care.
//
// Where the backend keeps values, a read-only transaction gives them to it when it
// ends, and before that each time a thousand or so have gathered.
func (c *Cache[K, V]) Set(tx *Tx, key K, value V) {
	if c.put(tx, key, entry[V]{value: value}) {
		tx.t.flush(context.Background())
	}
}

// SetMany sets all of values.
func (c *Cache[K, V]) SetMany(tx *Tx, values map[K]V) {
	c.made()
	tx.made()
	for key, value := range values {
		c.Set(tx, key, value)
	}
}

// Clear clears the cache: the transaction sees none of its values from now on,
// others when it has committed. It costs the same for any number of values. It
// answers ErrReadOnly in a read-only transaction.
func (c *Cache[K, V]) Clear(tx *Tx) error {
	c.made()
	if err := c.usable(tx); err != nil {
		tx.t.mu.Lock()
		defer tx.t.mu.Unlock()
		return tx.t.refuse(err)
	}
	return tx.t.clear(&c.core)
}

// SyncSince reports whether the state that tx began with was synchronised
// before t; see [Tx.SyncedAt]. Then what was committed at t or later may be
// missing from what the transaction reads here.
func (c *Cache[K, V]) SyncSince(tx *Tx, t time.Time) bool {
	c.made()
	return tx.SyncedAt().Before(t)
}

// Stats returns the cache's counts. It looks at every database that the process
// has used; for all caches at once, Store.Stats does so once.
func (c *Cache[K, V]) Stats() Stats {
	c.made()
	return c.store.statsOf([]*core{&c.core})[0]
}

// usable returns the error for using the cache in tx, if that cannot be.
func (c *core) usable(tx *Tx) error {
	tx.made()
	if tx.t.store != c.store {
		return fmt.Errorf("txcache: cache %q and the transaction are of different stores", c.name)
	}
	return nil
}

// put sets what is known of a key, if it can be kept. It reports whether the
// transaction has enough to flush.
func (c *Cache[K, V]) put(tx *Tx, key K, e entry[V]) (full bool) {
	k, ok := c.entryKey(tx, key)
	if !ok {
		return false
	}
	t := tx.t
	t.mu.Lock()
	defer t.mu.Unlock()
	c.set(t, k, e)
	return t.readOnly && t.work != nil && t.work.unsent >= pieceValues
}

// set puts what is known of a key where the transaction may put it. t.mu is
// held.
func (c *Cache[K, V]) set(t *transaction, key entryKey[K], e entry[V]) {
	if t.done {
		return
	}
	e.expires = c.expiry(e.absent)
	if w := c.store.witness.Load(); w != nil && !e.absent {
		(*w)(c.name, key.key, e.value)
	}
	if t.readOnly && (t.work == nil || t.work.savepoints == 0) {
		if g, _ := t.shared(&c.core).(*generationOf[K, V]); g != nil && g.near != nil {
			g.set(key, e)
			if c.store.values == nil {
				return
			}
			e.near = true
		}
	}
	l := t.local(&c.core)
	o, _ := l.overlay.(*overlayOf[K, V])
	if o == nil {
		o = &overlayOf[K, V]{cache: c, values: map[entryKey[K]]entry[V]{}}
		l.overlay = o
	}
	o.set(t.work, key, e, t.readOnly)
	t.work.unsent++
}
