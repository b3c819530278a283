package workloads

import (
	"context"
	"runtime"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/bench/caches"
	"github.com/seed-dad15c92/txcache/bench/measure"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

// clears are clears of many values beside those of few, and beside others'.
// Filling the cache again is not measured.
func clears(e Env) []measure.Pair {
	few, many := 1000, e.size(1_000_000)
	pairs := []measure.Pair{{
		Section: sectionClear, Name: "clear and commit, beside that of 1 000 values",
		Subject: removing("txcache, "+grouped(many)+" values", many, clearing),
		Peer:    removing("txcache, 1 000 values", few, clearing),
		Bars:    []measure.Bar{{Of: measure.Ratio, Limit: 2}},
	}}
	for _, n := range []int{few, many} {
		for _, peer := range caches.Locals {
			if !peer.Forever {
				continue
			}
			pairs = append(pairs, measure.Pair{
				Section: sectionClear, Name: "clear of " + grouped(n) + " values", Rounds: 11,
				Subject: removing("txcache, and commit", n, clearing),
				Peer:    clearingPeer(peer, n),
			})
		}
	}
	return pairs
}

// drops are drops of a whole database.
func drops(e Env) []measure.Pair {
	few, many := 1000, e.size(1_000_000)
	return []measure.Pair{{
		Section: sectionClear, Name: "drop of a database, beside that of 1 000 values",
		Subject: removing("txcache, "+grouped(many)+" values", many, dropping),
		Peer:    removing("txcache, 1 000 values", few, dropping),
	}}
}

func clearing(ctx context.Context, s *txcache.Store, c *txcache.Cache[string, int]) error {
	tx, err := s.Begin(ctx, caches.Database)
	if err != nil {
		return err
	}
	if err := c.Clear(tx); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

func dropping(ctx context.Context, s *txcache.Store, _ *txcache.Cache[string, int]) error {
	return s.Drop(ctx, caches.Database)
}

// removing fills a cache with n values each time before it measures remove.
func removing(name string, n int, remove func(context.Context, *txcache.Store, *txcache.Cache[string, int]) error) measure.Side {
	return side(name, func(ctx context.Context) (*measure.Work, error) {
		store, err := txcache.New(memorybackend.New(), nil)
		if err != nil {
			return nil, err
		}
		cache, err := txcache.NewCache[string, int](store, "cache", &txcache.CacheOptions{Size: n, ContextFree: true})
		if err != nil {
			return nil, err
		}
		keys := keysOf(n)
		fill := func(tx *txcache.Tx) error {
			for i, key := range keys {
				cache.Set(tx, key, i)
			}
			return nil
		}
		gone := func(tx *txcache.Tx) error {
			if _, ok := cache.Get(ctx, tx, keys[n/2]); ok {
				return errStill
			}
			return nil
		}
		return &measure.Work{
			Sample: func() (float64, error) {
				if err := store.View(ctx, caches.Database, fill); err != nil {
					return 0, err
				}
				runtime.GC() // what the filling has left is no cost of the removal
				start := time.Now()
				err := remove(ctx, store, cache)
				took := time.Since(start)
				if err != nil {
					return 0, err
				}
				return float64(took), store.View(ctx, caches.Database, gone)
			},
			Close: func() { _ = store.Close() },
		}, nil
	})
}

func clearingPeer(kind caches.LocalKind, n int) measure.Side {
	return side(kind.Name, func(context.Context) (*measure.Work, error) {
		c, err := kind.Open(caches.Options{Size: n})
		if err != nil {
			return nil, err
		}
		keys := keysOf(n)
		s := c.Session()
		return &measure.Work{
			Sample: func() (float64, error) {
				for i, key := range keys {
					s.Set(key, i)
				}
				c.Wait()
				runtime.GC()
				start := time.Now()
				err := c.Clear()
				took := time.Since(start)
				if err != nil {
					return 0, err
				}
				c.Wait()
				if _, ok := s.Get(keys[n/2]); ok {
					return 0, errStill
				}
				return float64(took), nil
			},
			Close: c.Close,
		}, nil
	})
}
