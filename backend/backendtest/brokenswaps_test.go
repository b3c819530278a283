package backendtest_test

import (
	"context"
	"slices"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
)

var brokenSwaps = []variant{
	{"swap-depends-on-what-is-there", "swaps are always done", eachSwap(func(b *broken, s *backend.Swap) {
		s.Old = nil
		b.mu.Lock()
		defer b.mu.Unlock()
		if e, ok := b.values[s.Key]; ok {
			s.Old = e.data
		}
	})},
	{"swap-depends-on-what-is-there", "swaps are never done", eachSwap(func(_ *broken, s *backend.Swap) { s.Old = []byte("never") })},
	{"swap-depends-on-what-is-there", "swaps take empty for nothing", eachSwap(func(_ *broken, s *backend.Swap) {
		if len(s.Old) == 0 {
			s.Old = nil
		}
	})},
	{"swap-depends-on-what-is-there", "swaps keep empty instead of nothing", eachSwap(func(_ *broken, s *backend.Swap) {
		s.New = append([]byte{}, s.New...)
	})},
	{"swap-depends-on-what-is-there", "swaps say what they have made of it", func(b *broken) {
		b.swap = func(ctx context.Context, swaps []backend.Swap) ([][]byte, error) {
			if _, err := b.server.Swap(ctx, swaps); err != nil {
				return nil, err
			}
			keys := make([]backend.Key, len(swaps))
			for i, s := range swaps {
				keys[i] = s.Key
			}
			return b.server.Get(ctx, keys)
		}
	}},
	{"swaps-keep-the-order", "swaps leave out what is missing", func(b *broken) {
		b.swap = func(ctx context.Context, swaps []backend.Swap) ([][]byte, error) {
			found, err := b.server.Swap(ctx, swaps)
			n := len(found)
			found = slices.DeleteFunc(found, func(data []byte) bool { return data == nil })
			return append(found, make([][]byte, n-len(found))...), err
		}
	}},
	{"swap-expires", "leases are for ever", eachSwap(func(_ *broken, s *backend.Swap) { s.TTL = 0 })},
	{"swap-expires", "leases are over at once", eachSwap(func(_ *broken, s *backend.Swap) { s.TTL = time.Nanosecond })},
	{"swap-has-one-winner", "swaps look first and change then", func(b *broken) {
		b.swap = func(ctx context.Context, swaps []backend.Swap) ([][]byte, error) {
			found, err := b.server.Get(ctx, []backend.Key{swaps[0].Key})
			if err != nil || found[0] != nil {
				return found, err
			}
			time.Sleep(time.Millisecond)
			return found, b.server.Set(ctx, []backend.Value{{Key: swaps[0].Key, Data: swaps[0].New}})
		}
	}},
}

// eachSwap returns what makes Swap do what change makes of the swaps.
func eachSwap(change func(*broken, *backend.Swap)) func(*broken) {
	return func(b *broken) {
		b.swap = func(ctx context.Context, swaps []backend.Swap) ([][]byte, error) {
			swaps = slices.Clone(swaps)
			for i := range swaps {
				change(b, &swaps[i])
			}
			return b.server.Swap(ctx, swaps)
		}
	}
}
