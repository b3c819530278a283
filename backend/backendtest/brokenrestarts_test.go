package backendtest_test

import (
	"context"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
)

var brokenRestarts = []variant{
	{"restart-is-noticed", "versions begin anew, and servers keep the State with the highest", func(b *broken) {
		b.behind = true
		newest := map[string]*backend.State{}
		keep := func(database string, s *backend.State, err error) (*backend.State, error) {
			if err != nil {
				return nil, err
			}
			b.mu.Lock()
			defer b.mu.Unlock()
			if last := newest[database]; last == nil || s.Version > last.Version {
				newest[database] = s
			}
			return newest[database], nil
		}
		b.sync = func(ctx context.Context, database string) (*backend.State, error) {
			s, err := b.server.Sync(ctx, database)
			return keep(database, s, err)
		}
		b.clear = func(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
			s, err := b.server.Clear(ctx, database, f)
			return keep(database, s, err)
		}
	}},
	{"restart-is-noticed", "versions begin anew", func(b *broken) { b.behind = true }},
}

// brokenTimes break the rule on what GetTimed tells.
var brokenTimes = []variant{
	{"value-tells-its-time", "values tell the time that they were set with", func(b *broken) {
		given := map[backend.Key]time.Duration{}
		b.set = func(ctx context.Context, values []backend.Value) error {
			b.mu.Lock()
			for _, v := range values {
				given[v.Key] = v.TTL
			}
			b.mu.Unlock()
			return b.server.Set(ctx, values)
		}
		b.timed = func(ctx context.Context, keys []backend.Key) ([][]byte, []time.Duration, error) {
			data, left, err := b.server.GetTimed(ctx, keys)
			b.mu.Lock()
			defer b.mu.Unlock()
			for i, k := range keys {
				if d, ok := given[k]; ok {
					left[i] = d
				}
			}
			return data, left, err
		}
	}},
	{"value-tells-its-time", "values tell no time", func(b *broken) {
		b.timed = func(ctx context.Context, keys []backend.Key) ([][]byte, []time.Duration, error) {
			data, err := b.server.Get(ctx, keys)
			left := make([]time.Duration, len(keys))
			for i := range left {
				left[i] = -1
			}
			return data, left, err
		}
	}},
	{"value-tells-its-time", "times come in another order", func(b *broken) {
		b.timed = func(ctx context.Context, keys []backend.Key) ([][]byte, []time.Duration, error) {
			data, left, err := b.server.GetTimed(ctx, keys)
			return data, append(left[1:], left[0]), err
		}
	}},
}
