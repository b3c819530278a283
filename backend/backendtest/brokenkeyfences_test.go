package backendtest_test

import (
	"context"
	"errors"
	"slices"

	"github.com/seed-dad15c92/txcache/backend"
)

var brokenKeyFences = []variant{
	{"fence-of-keys-stands", "Fence overlooks the keys", func(b *broken) {
		b.fence = func(ctx context.Context, database string, f backend.Fence) error {
			f.Keys = nil
			return b.server.Fence(ctx, database, f)
		}
	}},
	{"fence-of-keys-stands", "fence of a key is on its cache", func(b *broken) {
		altered(b, func(s *backend.State) {
			for _, k := range s.FencedKeys {
				s.Fenced = append(s.Fenced, k.Cache)
			}
			slices.Sort(s.Fenced)
			s.Fenced = slices.Compact(s.Fenced)
		})
	}},
	{"fence-of-keys-stands", "fences of keys are known to the server that placed them", func(b *broken) {
		own := map[backend.Token]bool{}
		b.fence = func(ctx context.Context, database string, f backend.Fence) error {
			own[f.ID] = true
			return b.server.Fence(ctx, database, f)
		}
		altered(b, func(s *backend.State) {
			if len(own) == 0 {
				s.FencedKeys = nil
			}
		})
	}},
	{"fence-of-keys-stands", "renewals of fences on keys make new States", func(b *broken) {
		b.fence = func(ctx context.Context, database string, f backend.Fence) error {
			touch := backend.Fence{ID: backend.NewToken()}
			return errors.Join(b.server.Fence(ctx, database, f),
				b.generations.Fence(ctx, database, touch), b.generations.Unfence(ctx, database, touch))
		}
	}},
	{"fence-of-keys-stands", "FencedKeys are not sorted", func(b *broken) {
		altered(b, func(s *backend.State) {
			for i, k := range s.FencedKeys {
				s.FencedKeys[i].Hashes = slices.Clone(k.Hashes)
				slices.Reverse(s.FencedKeys[i].Hashes)
			}
		})
	}},
	{"fence-of-keys-stands", "Clear leaves the fence on keys", func(b *broken) {
		b.clear = func(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
			if _, err := b.server.Clear(ctx, database, f); err != nil {
				return nil, err
			}
			if err := b.server.Fence(ctx, database, f); err != nil {
				return nil, err
			}
			return b.server.Sync(ctx, database)
		}
	}},
	{"fence-of-keys-is-one-of-several", "fenced keys are a set, out of which the first to end takes a key", func(b *broken) {
		lifted := map[string]bool{}
		b.unfence = func(ctx context.Context, database string, f backend.Fence) error {
			for _, k := range f.Keys {
				lifted[k.Cache] = true
			}
			return b.server.Unfence(ctx, database, f)
		}
		altered(b, func(s *backend.State) {
			s.FencedKeys = slices.DeleteFunc(s.FencedKeys, func(k backend.Keys) bool { return lifted[k.Cache] })
		})
	}},
	{"unfence-deletes-nothing", "Unfence deletes", func(b *broken) {
		b.unfence = func(ctx context.Context, database string, f backend.Fence) error {
			_, err := b.server.Clear(ctx, database, f)
			return err
		}
	}},
	{"unfence-deletes-nothing", "Unfence raises the floor", func(b *broken) {
		unfenced := false
		b.unfence = func(ctx context.Context, database string, f backend.Fence) error {
			unfenced = true
			return b.server.Unfence(ctx, database, f)
		}
		altered(b, func(s *backend.State) {
			if unfenced {
				s.Deletes = s.Deletes.Raise("a", s.Number)
			}
		})
	}},
	{"fence-does-not-keep-the-keys", "Fence changes the keys", func(b *broken) {
		b.fence = func(ctx context.Context, database string, f backend.Fence) error {
			err := b.server.Fence(ctx, database, f)
			for _, k := range f.Keys {
				k.Hashes[0] = 0
			}
			return err
		}
	}},
	{"fence-does-not-keep-the-keys", "Fence keeps the hashes of the keys", func(b *broken) {
		var kept [][]backend.Keys
		b.fence = func(ctx context.Context, database string, f backend.Fence) error {
			kept = append(kept, slices.Clone(f.Keys))
			return b.server.Fence(ctx, database, f)
		}
		altered(b, func(s *backend.State) { s.FencedKeys = slices.Concat(kept...) })
	}},
	{"lease-of-keys-ends-as-a-delete", "fences on keys that lapse are lifted without a delete", func(b *broken) {
		b.lapse = func(database string, f backend.Fence) { b.generations.Unfence(context.Background(), database, f) }
	}},
	{"lease-of-keys-ends-as-a-delete", "fences on keys never lapse", func(b *broken) {
		b.lapse = func(string, backend.Fence) {}
	}},
	{"lease-of-keys-ends-as-a-delete", "fences on keys that lapse clear all", func(b *broken) {
		right := b.lapse
		b.lapse = func(database string, f backend.Fence) {
			f.All = true
			right(database, f)
		}
	}},
	{"lease-of-keys-ends-as-a-delete", "late Clear of a fence that has lapsed passes for the only delete", forgetsBefore},
	{"lease-of-keys-ends-as-a-delete", "fences on keys that lapse while another stands are forgotten", func(b *broken) {
		right := b.lapse
		b.lapse = func(database string, f backend.Fence) {
			if len(b.leases[database]) == 0 {
				right(database, f)
			} else {
				b.generations.Unfence(context.Background(), database, f)
			}
		}
	}},
	{"lease-of-keys-ends-as-a-delete", "Unfence forgets the lease on keys", func(b *broken) {
		b.unfence = b.generations.Unfence
	}},
}
