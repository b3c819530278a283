package backendtest_test

import (
	"context"

	"github.com/seed-dad15c92/txcache/backend"
)

var brokenForgets = []variant{
	{"forget-takes-nothing-from-others", "Forget drops the database", func(b *broken) {
		b.forget = func(database string) bool { return b.drop(context.Background(), database) == nil }
	}},
	{"forget-takes-nothing-from-others", "Forget forgets the neighbours too", func(b *broken) {
		b.forget = func(database string) bool { return b.server.Forget(database) && b.server.Forget("neighbour") }
	}},
	{"forget-takes-nothing-from-others", "Forget makes Sync return what was before it", func(b *broken) {
		first, forgotten := map[string]*backend.State{}, map[string]bool{}
		b.forget = func(database string) bool {
			forgotten[database] = true
			return true
		}
		b.sync = func(ctx context.Context, database string) (*backend.State, error) {
			s, err := b.server.Sync(ctx, database)
			if first[database] == nil {
				first[database] = s
			}
			if forgotten[database] {
				return first[database], err
			}
			return s, err
		}
	}},
}
