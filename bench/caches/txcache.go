package caches

import (
	"context"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

// Database is the database in which values are kept where one is enough.
const Database = "shop"

type txCache struct {
	store *txcache.Store
	cache *txcache.Cache[string, int]
	user  bool
	open  []*txcache.Tx
}

func openTxCache(o Options) (Local, error) {
	store, err := txcache.New(memorybackend.New(), nil)
	if err != nil {
		return nil, err
	}
	cache, err := txcache.NewCache[string, int](store, "cache", &txcache.CacheOptions{Size: o.Size, Duration: o.Duration, ContextFree: !o.Context})
	return &txCache{store: store, cache: cache, user: o.Context}, err
}

// Session begins a read-only transaction, in which a value that is set is kept
// at once, as it is by the others.
func (c *txCache) Session() Session {
	tx := txcache.Must(c.store.BeginReadOnly(context.Background(), Database)) // fails only when closed
	if c.user {
		tx = tx.WithUser(7).WithContext(map[string]any{"language": "en", "company": 3})
	}
	c.open = append(c.open, tx)
	return txSession{c.cache, tx}
}

func (c *txCache) Wait() {}

func (c *txCache) Clear() error {
	ctx := context.Background()
	return c.store.Update(ctx, Database, func(tx *txcache.Tx) error { return c.cache.Clear(tx) })
}

func (c *txCache) Close() {
	for _, tx := range c.open {
		_ = tx.Rollback() // nothing to roll back
	}
	_ = c.store.Close() // there is nothing outside of memory
}

type txSession struct {
	cache *txcache.Cache[string, int]
	tx    *txcache.Tx
}

func (s txSession) Get(key string) (int, bool) { return s.cache.Get(context.Background(), s.tx, key) }
func (s txSession) Set(key string, value int)  { s.cache.Set(s.tx, key, value) }

func (s txSession) Hits(keys []string, from, n int) (sum uint64, misses int) {
	ctx := context.Background()
	for i := range n {
		v, ok := s.cache.Get(ctx, s.tx, keys[(from+i)&(len(keys)-1)])
		if !ok {
			misses++
		}
		sum += uint64(v)
	}
	return sum, misses
}
