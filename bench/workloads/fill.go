package workloads

import (
	"context"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/bench/caches"
	"github.com/seed-dad15c92/txcache/bench/measure"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

// filled is how many values a transaction sets.
const filled = 20

// fills are transactions that set twenty values, beside setting them.
func fills(Env) []measure.Pair {
	var pairs []measure.Pair
	for _, readOnly := range []bool{true, false} {
		name := "begin, 20 fills, commit, in the process"
		if readOnly {
			name = "begin read-only, 20 fills, commit, in the process"
		}
		for _, peer := range caches.Locals[:2] {
			p := measure.Pair{Section: sectionFill, Name: name, Subject: filling(readOnly), Peer: fillingPeer(peer)}
			if peer.Name == "otter" {
				p.Bars = []measure.Bar{{Of: measure.Ratio, Limit: 1.2}}
			}
			pairs = append(pairs, p)
		}
	}
	return pairs
}

func filling(readOnly bool) measure.Side {
	return side("txcache", func(ctx context.Context) (*measure.Work, error) {
		store, err := txcache.New(memorybackend.New(), nil)
		if err != nil {
			return nil, err
		}
		cache, err := txcache.NewCache[string, int](store, "cache", &txcache.CacheOptions{Size: room, ContextFree: true})
		if err != nil {
			return nil, err
		}
		run := store.Update
		if readOnly {
			run = store.View
		}
		keys := keysOf(cached)
		at := 0
		fill := func(tx *txcache.Tx) error {
			for range filled {
				cache.Set(tx, keys[at%cached], at)
				at++
			}
			return nil
		}
		return &measure.Work{
			Run: func(_, n int) (uint64, error) {
				for range n {
					if err := run(ctx, caches.Database, fill); err != nil {
						return 0, err
					}
				}
				err := store.View(ctx, caches.Database, func(tx *txcache.Tx) error {
					if v, ok := cache.Get(ctx, tx, keys[(at-1)%cached]); !ok || v != at-1 {
						return errMiss
					}
					return nil
				})
				return uint64(at), err
			},
			Close: func() { _ = store.Close() },
		}, nil
	})
}

func fillingPeer(kind caches.LocalKind) measure.Side {
	return side(kind.Name, func(context.Context) (*measure.Work, error) {
		c, err := kind.Open(caches.Options{Size: room})
		if err != nil {
			return nil, err
		}
		s := c.Session()
		keys := keysOf(cached)
		at := 0
		return &measure.Work{
			Run: func(_, n int) (uint64, error) {
				for range filled * n {
					s.Set(keys[at%cached], at)
					at++
				}
				if v, ok := s.Get(keys[(at-1)%cached]); !ok || v != at-1 {
					return 0, errMiss
				}
				return uint64(at), nil
			},
			Close: c.Close,
		}, nil
	})
}
