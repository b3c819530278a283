package workloads

import (
	"context"

	"github.com/maypok86/otter/v2"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/bench/caches"
	"github.com/seed-dad15c92/txcache/bench/measure"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

// transactions are whole transactions beside what they do to the cache alone.
func transactions(Env) []measure.Pair {
	var pairs []measure.Pair
	for _, readOnly := range []bool{true, false} {
		name := "begin, ten hits, commit"
		if readOnly {
			name = "begin read-only, ten hits, commit"
		}
		pairs = append(pairs, measure.Pair{
			Section: sectionTransaction, Name: name,
			Subject: tenHits(readOnly), Peer: tenOfOtter(),
			Bars: []measure.Bar{{Of: measure.Ratio, Limit: 1.2}},
		})
	}
	return pairs
}

func tenHits(readOnly bool) measure.Side {
	return side("txcache", func(ctx context.Context) (*measure.Work, error) {
		store, err := txcache.New(memorybackend.New(), nil)
		if err != nil {
			return nil, err
		}
		cache, err := txcache.NewCache[string, int](store, "cache", &txcache.CacheOptions{Size: room, ContextFree: true})
		if err != nil {
			return nil, err
		}
		keys := keysOf(cached)
		err = store.View(ctx, caches.Database, func(tx *txcache.Tx) error {
			for i, key := range keys {
				cache.Set(tx, key, i)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		begin := store.Begin
		if readOnly {
			begin = store.BeginReadOnly
		}
		at := 0
		return &measure.Work{
			Run: func(_, n int) (sum uint64, err error) {
				for range n {
					tx, err := begin(ctx, caches.Database)
					if err != nil {
						return sum, err
					}
					for range 10 {
						v, ok := cache.Get(ctx, tx, keys[at%cached])
						if !ok || v != at%cached {
							return sum, errMiss
						}
						sum += uint64(v)
						at++
					}
					if err := tx.Commit(ctx); err != nil {
						return sum, err
					}
				}
				return sum, nil
			},
			Close: func() { _ = store.Close() },
		}, nil
	})
}

func tenOfOtter() measure.Side {
	return side("otter", func(context.Context) (*measure.Work, error) {
		c, err := otter.New(&otter.Options[string, int]{MaximumSize: room})
		if err != nil {
			return nil, err
		}
		keys := keysOf(cached)
		for i, key := range keys {
			c.Set(key, i)
		}
		c.CleanUp()
		at := 0
		return &measure.Work{
			Run: func(_, n int) (sum uint64, err error) {
				for range 10 * n {
					v, ok := c.GetIfPresent(keys[at%cached])
					if !ok || v != at%cached {
						return sum, errMiss
					}
					sum += uint64(v)
					at++
				}
				return sum, nil
			},
			Close: func() { c.StopAllGoroutines() },
		}, nil
	})
}
