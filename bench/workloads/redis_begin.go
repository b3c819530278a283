package workloads

import (
	"context"
	"errors"

	"github.com/seed-dad15c92/txcache/bench/caches"
	"github.com/seed-dad15c92/txcache/bench/measure"
	"github.com/seed-dad15c92/txcache/config"
)

// begins are begins of a transaction beside the least that a client can ask of
// the server, a PING.
func begins(e Env) []measure.Pair {
	if e.Redis == "" {
		return nil
	}
	var pairs []measure.Pair
	for _, goroutines := range []int{1, 64} {
		limit := 1.15
		if goroutines > 1 {
			limit = 0.25
		}
		pairs = append(pairs,
			measure.Pair{
				Section: sectionBegin, Name: `begin and roll back, sync = "begin"`, Goroutines: goroutines,
				Subject: beginning(e, config.SyncBegin), Peer: pinging(e),
				Bars: []measure.Bar{{Of: measure.Ratio, Limit: limit}},
			},
			measure.Pair{
				Section: sectionBegin, Name: `begin and roll back, sync = "channel"`, Goroutines: goroutines,
				Subject: beginning(e, config.SyncChannel), Peer: pinging(e),
				Bars: []measure.Bar{{Of: measure.Time, Limit: 1000}},
			},
			measure.Pair{
				Section: sectionBegin, Name: `begin and roll back, sync = "lease"`, Goroutines: goroutines,
				Subject: beginning(e, config.SyncLease), Peer: pinging(e),
				Bars: []measure.Bar{{Of: measure.Time, Limit: 1000}},
			})
	}
	return pairs
}

func beginning(e Env, mode config.Sync) measure.Side {
	return side("txcache", func(ctx context.Context) (*measure.Work, error) {
		store, err := caches.OpenStore(ctx, e.Redis, mode, true)
		if err != nil {
			return nil, err
		}
		return &measure.Work{
			Run: func(_, n int) (uint64, error) {
				for i := range n {
					tx, err := store.Begin(ctx, caches.Database)
					if err != nil {
						return 0, err
					}
					if i == n-1 && tx.SyncedAt().IsZero() {
						return 0, errors.New("a transaction began without a state")
					}
					if err := tx.Rollback(); err != nil {
						return 0, err
					}
				}
				return uint64(n), nil
			},
			Close: func() { _ = store.Close() },
		}, nil
	})
}

func pinging(e Env) measure.Side {
	return side("go-redis, PING", func(ctx context.Context) (*measure.Work, error) {
		client := caches.NewClient(e.Redis)
		return &measure.Work{
			Run: func(_, n int) (uint64, error) {
				for range n {
					if err := client.Ping(ctx).Err(); err != nil {
						return 0, err
					}
				}
				return uint64(n), nil
			},
			Close: func() { _ = client.Close() },
		}, nil
	})
}
