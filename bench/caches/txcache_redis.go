package caches

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/redisbackend"
)

// OpenStore returns a store on the Redis server at addr. With sync = "channel"
// or "lease" it waits until announcements arrive.
func OpenStore(ctx context.Context, addr string, mode config.Sync, near bool) (*txcache.Store, error) {
	cfg := config.Default()
	cfg.Redis.URI, cfg.Sync = "redis://"+addr+"/0", mode
	// On a busy machine an answer may be late: that is to be measured, not to
	// become a miss.
	cfg.Redis.DialTimeout, cfg.Redis.Timeout = time.Second, 3*time.Second
	b, err := redisbackend.Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	store, err := txcache.New(b, &txcache.Options{NoNear: !near})
	if err != nil {
		return nil, err
	}
	const patience = 10 * time.Second
	for start := time.Now(); mode != config.SyncBegin && !b.Stats().Listening; time.Sleep(time.Millisecond) {
		if err := store.Sync(ctx, Database); err != nil {
			return nil, err
		}
		if time.Since(start) > patience {
			return nil, fmt.Errorf("no announcement within %v", patience)
		}
	}
	return store, nil
}

// TxCacheOn is txcache on Redis, with or without the near cache, and with a duration
// of its values or, as is the default, that of the configuration. All reads are in one transaction.
func TxCacheOn[V any](near bool, duration time.Duration) RemoteKind[V] {
	name := "txcache, no near cache"
	if near {
		name = "txcache, near cache"
	} else if duration > 0 {
		name = "txcache, no near cache, values with a duration"
	}
	return RemoteKind[V]{name, func(addr string, size int) (Remote[V], error) {
		ctx := context.Background()
		store, err := OpenStore(ctx, addr, config.SyncBegin, near)
		if err != nil {
			return nil, err
		}
		cache, err := txcache.NewCache[string, V](store, "cache", &txcache.CacheOptions{Size: size, ContextFree: true, Duration: duration})
		if err != nil {
			return nil, err
		}
		tx, err := store.BeginReadOnly(ctx, Database)
		return &txRemote[V]{store, cache, tx}, err
	}}
}

type txRemote[V any] struct {
	store *txcache.Store
	cache *txcache.Cache[string, V]
	tx    *txcache.Tx
}

func (c *txRemote[V]) Get(ctx context.Context, key string) (V, bool, error) {
	v, ok := c.cache.Get(ctx, c.tx, key)
	return v, ok, nil
}

// SetMany is a transaction, from its begin to its commit.
func (c *txRemote[V]) SetMany(ctx context.Context, values map[string]V) error {
	return c.store.Update(ctx, Database, func(tx *txcache.Tx) error {
		c.cache.SetMany(tx, values)
		return nil
	})
}

func (c *txRemote[V]) Close() {
	_ = c.tx.Rollback() // nothing to roll back
	_ = c.store.Close() // nothing is under way
}
