package backendtest_test

import (
	"context"
	"sync"

	"github.com/seed-dad15c92/txcache/backend"
)

var brokenNumbers = []variant{
	{"number-is-there-always-or-never", "States count from the first clear on", func(b *broken) {
		altered(b, func(s *backend.State) {
			if len(s.Caches) == 0 {
				s.Number = 0
			}
		})
	}},
	{"number-is-there-always-or-never", "number is told by Clear alone", func(b *broken) {
		b.sync = func(ctx context.Context, database string) (*backend.State, error) {
			s, err := b.server.Sync(ctx, database)
			if err != nil {
				return nil, err
			}
			clone := *s
			clone.Number = 0
			return &clone, nil
		}
	}},
	{"number-rises-with-each-change", "number rises with every tenth change", func(b *broken) {
		altered(b, func(s *backend.State) { s.Number = s.Number/10 + 1 })
	}},
	{"number-rises-with-each-change", "number counts clears, not deletes", func(b *broken) {
		clears := map[backend.Token]uint64{}
		altered(b, func(s *backend.State) {
			id := s.Base + s.Token("a")
			if clears[id] == 0 {
				clears[id] = uint64(len(clears) + 1)
			}
			s.Number = clears[id]
		})
	}},
	{"number-rises-with-each-change", "number counts deletes, not clears", func(b *broken) {
		altered(b, func(s *backend.State) {
			s.Number = 1
			for _, cache := range []string{"", "a", "b", "c"} {
				s.Number = max(s.Number, s.Deletes.Of(cache).Latest())
			}
		})
	}},
	{"number-is-the-same-for-everybody", "servers count what they have seen", func(b *broken) {
		n := uint64(0)
		altered(b, func(s *backend.State) { n++; s.Number = n })
	}},
	{"concurrent-use-keeps-the-numbers", "State before comes with the Number of the last at times", func(b *broken) {
		var mu sync.Mutex
		calls, last := 0, map[string]*backend.State{}
		b.sync = func(ctx context.Context, database string) (*backend.State, error) {
			s, err := b.server.Sync(ctx, database)
			if err != nil {
				return nil, err
			}
			mu.Lock()
			defer mu.Unlock()
			calls++
			before := last[database]
			last[database] = s
			if calls%3 == 0 && before != nil {
				clone := *before
				clone.Number = s.Number
				return &clone, nil
			}
			return s, nil
		}
	}},
	{"concurrent-use-keeps-the-numbers", "Clear returns what others have not seen, of the Number of before", func(b *broken) {
		b.clear = func(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
			s, err := b.server.Clear(ctx, database, f)
			if err != nil {
				return nil, err
			}
			clone := *s
			clone.Number--
			return &clone, nil
		}
	}},
}
