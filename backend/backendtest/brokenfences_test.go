package backendtest_test

import (
	"context"
	"errors"
	"slices"

	"github.com/seed-dad15c92/txcache/backend"
)

var brokenFences = []variant{
	{"fence-stands", "Fence does nothing", func(b *broken) {
		b.fence = func(context.Context, string, backend.Fence) error { return nil }
	}},
	{"fence-is-one-of-several", "Unfence lifts all fences of the cache", func(b *broken) {
		b.unfence = func(ctx context.Context, database string, f backend.Fence) error {
			for _, g := range b.standing(database) {
				b.server.Unfence(ctx, database, g)
			}
			return nil
		}
	}},
	{"fence-can-be-repeated", "fences are counted", func(b *broken) {
		placed := map[backend.Token]bool{}
		b.fence = func(ctx context.Context, database string, f backend.Fence) error {
			if placed[f.ID] {
				f.ID = backend.NewToken()
			}
			placed[f.ID] = true
			return b.server.Fence(ctx, database, f)
		}
	}},
	{"fence-on-all", "Fence overlooks All", func(b *broken) {
		b.fence = func(ctx context.Context, database string, f backend.Fence) error {
			f.All = false
			return b.server.Fence(ctx, database, f)
		}
	}},
	{"unfence-clears-nothing", "Unfence clears", func(b *broken) {
		b.unfence = func(ctx context.Context, database string, f backend.Fence) error {
			_, err := b.server.Clear(ctx, database, f)
			return err
		}
	}},
	{"unfence-lifts-its-own-fence-only", "Unfence lifts a fence of the same caches", func(b *broken) {
		b.unfence = func(ctx context.Context, database string, f backend.Fence) error {
			for _, g := range b.standing(database) {
				if slices.Equal(f.Caches, g.Caches) {
					f.ID = g.ID
				}
			}
			return b.server.Unfence(ctx, database, f)
		}
	}},
	{"unfence-lifts-its-own-fence-only", "Unfence of an unknown fence is an error", func(b *broken) {
		b.unfence = func(ctx context.Context, database string, f backend.Fence) error {
			for _, g := range b.standing(database) {
				if g.ID == f.ID {
					return b.server.Unfence(ctx, database, f)
				}
			}
			return errors.New("no such fence")
		}
	}},
}

var brokenLeases = []variant{
	{"lease-ends-as-a-clear", "fences that lapse are lifted without a clear", func(b *broken) {
		b.lapse = func(database string, f backend.Fence) { b.generations.Unfence(context.Background(), database, f) }
	}},
	{"lease-ends-as-a-clear", "fences never lapse", func(b *broken) {
		b.lapse = func(string, backend.Fence) {}
	}},
	{"lease-ends-as-a-clear", "fences lapse early", func(b *broken) {
		b.fence = func(ctx context.Context, database string, f backend.Fence) error {
			f.Lease /= 3
			return b.server.Fence(ctx, database, f)
		}
	}},
	{"lease-ends-without-the-fence-id", "fences that lapse are cleared under their ID", func(b *broken) {
		b.lapse = func(database string, f backend.Fence) { b.generations.Clear(context.Background(), database, f) }
	}},
	{"lease-is-renewed", "Fence renews nothing", func(b *broken) {
		placed := map[backend.Token]bool{}
		b.fence = func(ctx context.Context, database string, f backend.Fence) error {
			if placed[f.ID] {
				return nil
			}
			placed[f.ID] = true
			return b.server.Fence(ctx, database, f)
		}
	}},
	{"lease-ends-for-one-of-several", "fences that lapse while another stands are forgotten", func(b *broken) {
		right := b.lapse
		b.lapse = func(database string, f backend.Fence) {
			if len(b.leases[database]) == 0 {
				right(database, f)
			} else {
				b.generations.Unfence(context.Background(), database, f)
			}
		}
	}},
	{"lease-ends-for-one-of-several", "fences that lapse take the others with them", func(b *broken) {
		right := b.lapse
		b.lapse = func(database string, f backend.Fence) {
			for _, l := range b.leases[database] {
				b.generations.Unfence(context.Background(), database, l.fence)
			}
			right(database, f)
		}
	}},
	{"lease-ends-with-the-fence", "Unfence forgets the lease", func(b *broken) {
		b.unfence = b.generations.Unfence
	}},
	{"lease-ends-with-the-fence", "Drop forgets the leases", func(b *broken) {
		b.drop = b.generations.Drop
	}},
	{"lease-may-end-before-unfence", "Unfence goes back to the State before the fence", func(b *broken) {
		before := map[backend.Token]*backend.State{}
		var frozen *backend.State
		b.fence = func(ctx context.Context, database string, f backend.Fence) error {
			before[f.ID], _ = b.server.Sync(ctx, database)
			return b.server.Fence(ctx, database, f)
		}
		b.unfence = func(ctx context.Context, database string, f backend.Fence) error {
			frozen = before[f.ID]
			return b.server.Unfence(ctx, database, f)
		}
		b.sync = func(ctx context.Context, database string) (*backend.State, error) {
			if frozen != nil {
				return frozen, nil
			}
			return b.server.Sync(ctx, database)
		}
	}},
}
