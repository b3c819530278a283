package txcache

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seed-dad15c92/txcache/internal/limits"
	"github.com/seed-dad15c92/txcache/internal/loading"
	"github.com/seed-dad15c92/txcache/internal/transaction"
)

// A Cache is a named map from K to V within every database, read and changed in
// transactions. It is safe for concurrent use. [NewCache] makes one.
//
// Keys that are equal in Go are the same key, others are not. Unless the cache
// is ContextFree, the user context of the transaction's handle is part of every
// key. A value may be nil, and is then a value like any other.
//
// The cache does not copy values: the caller must not change a value after Set, nor
// a value that Get returned.
type Cache[K comparable, V any] struct{ inner loading.Cache[K, V] }

// NewCache makes a cache of that name in s. opts may be nil.
//
// The name is any non-empty, valid UTF-8 string of at most 8192 bytes that no
// other cache of the store has; if one has it, the error is ErrDuplicate. Programs
// that share a backend share caches of the same name and the same shape of V.
//
// K must be a type whose values mean the same in every process and at any time:
// no pointer, channel or time.Time, nor a type that contains one. It may be an
// interface; a key that contains another kind of value, or a float that is NaN,
// misses and is not set.
//
// V may be any type. Where the backend keeps values, a value stays in this process
// if it cannot be encoded so that another process gets what was set. If that is so
// for every value of V, NewCache logs it at once, and names the part of V that is
// the reason.
func NewCache[K comparable, V any](s *Store, name string, opts *CacheOptions) (*Cache[K, V], error) {
	c, err := newCache[K, V](s, name, opts)
	switch {
	case errors.Is(err, ErrDuplicate), errors.Is(err, ErrClosed):
		return nil, fmt.Errorf("%w: cache %q", err, name)
	case err != nil && limits.CheckName("cache", name) != nil:
		return nil, err // it says what is wrong with the name, which may be too long to show
	case err != nil:
		return nil, fmt.Errorf("txcache: cache %q: %s", name, strings.TrimPrefix(err.Error(), "txcache: "))
	}
	return c, nil
}

func newCache[K comparable, V any](s *Store, name string, opts *CacheOptions) (*Cache[K, V], error) {
	if s == nil || s.databases == nil {
		return nil, errors.New("the store is nil")
	}
	if s.databases.Closed() {
		return nil, ErrClosed
	}
	if err := limits.CheckName("cache", name); err != nil {
		return nil, err
	}
	if opts == nil {
		opts = &CacheOptions{}
	}
	if err := opts.check(); err != nil {
		return nil, err
	}
	size := cmp.Or(max(0, s.opts.Sizes[name]), opts.Size, s.opts.Size)
	c := &Cache[K, V]{}
	added, err := c.inner.Cache.Init(s.inner, name, transaction.Settings{
		Size:          size,
		OverlaySize:   cmp.Or(s.opts.OverlaySize, max(defaultOverlaySize, size)),
		Duration:      opts.Duration,
		Absent:        opts.Absent,
		Jitter:        opts.Jitter,
		StaleFor:      opts.StaleFor,
		ContextFree:   opts.ContextFree,
		IgnoreContext: opts.IgnoreContext,
		Warm:          opts.Warm,
		Version:       opts.Version,
		Tables:        opts.Tables,
		RowsOf:        opts.RowsOf,
	})
	switch {
	case err != nil:
		return nil, err
	case !added:
		return nil, ErrDuplicate
	}
	c.inner.Init(s.loads, loading.Settings{Duration: opts.Duration, Lease: max(0, cmp.Or(opts.Lease, s.opts.Lease)), Limit: opts.LoadLimit, Verify: opts.Verify})
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
	return c.inner.Name
}

// Get returns the value under key as the transaction sees it, and whether there
// is one: one that the transaction has set, or one that others have committed. ctx
// bounds the call to the backend, if one is needed; an error of that call is a miss.
//
// A key that is known to be absent from the database has no value either; see
// [Cache.Absent].
func (c *Cache[K, V]) Get(ctx context.Context, tx *Tx, key K) (V, bool) {
	c.made()
	tx.made()
	if v, ok := c.inner.Near(tx.h, key); ok {
		return v, true
	}
	given(ctx)
	r := c.inner.Find(ctx, tx.h, key)
	if r.Found != transaction.Present {
		var none V
		return none, false
	}
	return r.Value, true
}

// GetOr returns the value under key, or def if there is none.
func (c *Cache[K, V]) GetOr(ctx context.Context, tx *Tx, key K, def V) V {
	if v, ok := c.Get(ctx, tx, key); ok {
		return v
	}
	return def
}

// GetMany returns the values that there are under keys. It calls the backend once
// for all of them, if it must.
func (c *Cache[K, V]) GetMany(ctx context.Context, tx *Tx, keys []K) map[K]V {
	c.made()
	tx.made()
	given(ctx)
	return c.inner.FindMany(ctx, tx.h, keys)
}

// Set sets the value under key. In a read-write transaction others see it after
// the commit. In a read-only one they may see it at once: set only what was
// read from the database in that transaction.
//
// Set fills the cache with a value that was read from the database. A transaction
// that changes the row must call Delete, or Clear; other processes keep the old value
// until it does.
//
// The caller must make sure that value is what the transaction would read now. If
// other goroutines use the transaction, none of them may write the row, clear the
// cache or undo a savepoint after the caller has read the row and before Set; Load
// needs no such care.
//
// Where the backend keeps values, a read-only transaction sends its values there
// when it ends, and before that each time about a thousand have gathered.
func (c *Cache[K, V]) Set(tx *Tx, key K, value V) {
	c.made()
	tx.made()
	c.inner.Set(tx.h, key, value)
}

// SetFor is Set for a value that lives for a time of its own, in place of CacheOptions.Duration:
// it stays valid for d from now on, be that shorter or longer. A hit does not extend it. With
// d = 0 the value lives as any other of the cache. With a negative d it has expired already: it takes the place of what the
// transaction has set under key, and nobody finds it. So the time that is left to something is a good d.
//
// What the options say of values that expire (Jitter, StaleFor, RefreshEarly) counts for
// such a value in any cache.
func (c *Cache[K, V]) SetFor(tx *Tx, key K, value V, d time.Duration) {
	c.made()
	tx.made()
	c.inner.SetFor(tx.h, key, value, d)
}

// SetMany sets all of values.
func (c *Cache[K, V]) SetMany(tx *Tx, values map[K]V) {
	c.made()
	tx.made()
	for key, value := range values {
		c.Set(tx, key, value)
	}
}

// Absent reports whether the transaction knows that the database has nothing under
// key: a loader has returned ErrAbsent, or SetAbsent was called. Get finds no value
// under such a key, as under a key of which nothing is known. A look-up by Absent
// counts like one by Get.
func (c *Cache[K, V]) Absent(ctx context.Context, tx *Tx, key K) bool {
	c.made()
	tx.made()
	if _, ok := c.inner.Near(tx.h, key); ok {
		return false
	}
	given(ctx)
	return c.inner.Find(ctx, tx.h, key).Found == transaction.Absent
}

// SetAbsent is Set for a key under which the database has nothing. It does
// nothing if CacheOptions.Absent is negative.
func (c *Cache[K, V]) SetAbsent(tx *Tx, key K) {
	c.made()
	tx.made()
	c.inner.SetAbsent(tx.h, key)
}

// Clear clears the cache: the transaction sees none of its values from now on, and
// other transactions see none of them after the commit. It costs the same for any
// number of values. It answers ErrReadOnly in a read-only transaction.
func (c *Cache[K, V]) Clear(tx *Tx) error {
	c.made()
	tx.made()
	if err := c.inner.Usable(tx.h.Transaction); err != nil {
		return tx.h.Refuse(err)
	}
	return tx.h.Clear(&c.inner.Core)
}

// Delete deletes what is kept under keys, in every user context: the transaction sees
// nothing of it from now on, and other transactions see nothing of it after the commit. All
// other keys keep their values. It answers ErrReadOnly in a read-only transaction.
//
// A transaction that changes rows deletes their keys. If it also sets the new value
// after that, the value is published with the commit, unless another transaction has
// deleted the key or cleared the cache since this one began.
//
// A process remembers some ten thousand deletes of a database; when it forgets the
// oldest, values that were loaded before them are misses. A transaction that deletes more
// than 4096 keys of a cache clears the cache. So does one of a backend that does
// not count changes.
func (c *Cache[K, V]) Delete(tx *Tx, keys ...K) error {
	c.made()
	tx.made()
	if err := c.inner.Usable(tx.h.Transaction); err != nil {
		return tx.h.Refuse(err)
	}
	hashes := make([]uint64, 0, len(keys))
	for _, key := range keys {
		if c.inner.Keys.Stable(key) { // else no cache keeps it
			hashes = append(hashes, c.inner.Keys.Hash(key))
		}
	}
	return tx.h.Delete(&c.inner.Core, hashes)
}

// TagBy sets the function that returns the tags of a value, for [Tx.ClearTags]: names of
// whatever the value was made from besides the row of its key. A known absence has no
// tags. It is called once, before the cache is used, by every program that shares the
// cache.
//
// tags is called when a value is set, and when one is found that was loaded before a
// tag was cleared. It may be called by several goroutines. It must return the same for
// the same key and value at any time, and must not change the value.
func (c *Cache[K, V]) TagBy(tags func(key K, value V) []string) {
	c.made()
	if tags == nil {
		panic("txcache: TagBy needs a function")
	}
	c.inner.TagBy(tags)
}

// WeighBy sets the function that returns about how many bytes a key and a value refer to, besides
// their own size: the length of a string, what a pointer leads to. It is for values of which the store's
// own estimate is wrong, as they share what they refer to, or have a lock in them, so that the
// estimate does not look into them; see [Options].Memory. It is called once, before the cache is used.
//
// weigh is called when a value is kept in the process. It may be called by several goroutines, and
// must not use the store. A negative result counts as 0.
func (c *Cache[K, V]) WeighBy(weigh func(key K, value V) int) {
	c.made()
	if weigh == nil {
		panic("txcache: WeighBy needs a function")
	}
	c.inner.WeighBy(weigh)
}

// SyncSince reports whether the state that tx began with was synchronised
// before t; see [Tx.SyncedAt]. If so, the transaction may not see here what was
// committed at t or later.
func (c *Cache[K, V]) SyncSince(tx *Tx, t time.Time) bool {
	c.made()
	return tx.SyncedAt().Before(t)
}

// Stats returns the cache's counts.
func (c *Cache[K, V]) Stats() Stats {
	c.made()
	return counts(&c.inner.Core)
}

// KeyText returns the canonical form of key, in which the command txcache lists
// and takes keys. The form of a structure, and of a string of more than 64 bytes, is
// a digest, which only this method can tell. KeyText returns "" for a key
// that no cache keeps, such as NaN.
func (c *Cache[K, V]) KeyText(key K) string {
	c.made()
	if !c.inner.Keys.Stable(key) {
		return ""
	}
	return c.inner.Keys.Text(key)
}
