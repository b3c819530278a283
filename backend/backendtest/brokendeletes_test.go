package backendtest_test

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/seed-dad15c92/txcache/backend"
)

// clearsWith makes Clear clear what change makes of the fence.
func clearsWith(b *broken, change func(database string, f *backend.Fence)) {
	b.clear = func(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
		f.Caches, f.Keys = slices.Clone(f.Caches), slices.Clone(f.Keys)
		for i := range f.Keys {
			f.Keys[i].Hashes = slices.Clone(f.Keys[i].Hashes)
		}
		change(database, &f)
		return b.server.Clear(ctx, database, f)
	}
}

// rebuilt returns deletes of the keys that the rules use, with the numbers that change makes
// of the right ones. A delete whose number is 0 then is left out.
func rebuilt(d *backend.Deletes, change func(cache string, last, before uint64) (uint64, uint64)) *backend.Deletes {
	type event struct {
		number uint64
		keys   backend.Keys
	}
	var events []event
	for _, cache := range []string{"", "a", "b", "c", "x", "y", "z", "busy", "quiet"} {
		for hash := range uint64(501) {
			last, before := d.Of(cache).Last(hash)
			if last == 0 {
				continue
			}
			last, before = change(cache, last, before)
			for _, n := range []uint64{before, last} {
				if n > 0 {
					events = append(events, event{n, backend.Keys{Cache: cache, Hashes: []uint64{hash}}})
				}
			}
		}
	}
	slices.SortStableFunc(events, func(a, b event) int { return cmp.Compare(a.number, b.number) })
	var made *backend.Deletes
	for _, e := range events {
		made = made.Add(e.number, e.keys)
	}
	return made
}

// without returns d as if nothing had been deleted in a cache.
func without(d *backend.Deletes, cache string) *backend.Deletes {
	return rebuilt(d, func(of string, last, before uint64) (uint64, uint64) {
		if of == cache {
			return 0, 0
		}
		return last, before
	})
}

func forgetsBefore(b *broken) {
	altered(b, func(s *backend.State) {
		s.Deletes = rebuilt(s.Deletes, func(_ string, last, _ uint64) (uint64, uint64) { return last, 0 })
	})
}

var brokenDeletes = []variant{
	{"delete-is-shown", "Clear overlooks the keys", func(b *broken) {
		clearsWith(b, func(_ string, f *backend.Fence) { f.Keys = nil })
	}},
	{"delete-is-shown", "Clear overlooks the tags", func(b *broken) {
		clearsWith(b, func(_ string, f *backend.Fence) {
			f.Keys = slices.DeleteFunc(f.Keys, func(k backend.Keys) bool { return k.Cache == "" })
		})
	}},
	{"delete-is-shown", "Clear deletes the first key of each cache", func(b *broken) {
		clearsWith(b, func(_ string, f *backend.Fence) {
			for i := range f.Keys {
				f.Keys[i].Hashes = f.Keys[i].Hashes[:1]
			}
		})
	}},
	{"delete-is-shown", "deletes have the number of the State before", func(b *broken) {
		altered(b, func(s *backend.State) { s.Number++ })
	}},
	{"delete-is-shown", "deletes have a number that is yet to come", func(b *broken) {
		altered(b, func(s *backend.State) { s.Number = max(s.Number, 2) - 1 })
	}},
	{"delete-is-shown", "deletes are known to the server that made them", func(b *broken) {
		own := map[*backend.Deletes]bool{}
		clear := b.server.Clear
		b.clear = func(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
			s, err := clear(ctx, database, f)
			if err == nil {
				own[s.Deletes] = true
			}
			return s, err
		}
		b.sync = func(ctx context.Context, database string) (*backend.State, error) {
			s, err := b.server.Sync(ctx, database)
			if err != nil || own[s.Deletes] {
				return s, err
			}
			clone := *s
			clone.Deletes = nil
			return &clone, nil
		}
	}},
	{"delete-is-of-its-key", "delete raises the floor of its cache", func(b *broken) {
		altered(b, func(s *backend.State) {
			for _, cache := range []string{"", "a", "b"} {
				s.Deletes = s.Deletes.Raise(cache, s.Deletes.Of(cache).Latest())
			}
		})
	}},
	{"delete-is-of-its-key", "hashes lose a bit above that of a float", func(b *broken) {
		clearsWith(b, func(_ string, f *backend.Fence) {
			for _, k := range f.Keys {
				for i, hash := range k.Hashes {
					if hash > 1<<53 {
						k.Hashes[i] = hash &^ 1
					}
				}
			}
		})
	}},
	{"delete-is-of-its-key", "hashes lose their sign", func(b *broken) {
		clearsWith(b, func(_ string, f *backend.Fence) {
			for _, k := range f.Keys {
				for i := range k.Hashes {
					k.Hashes[i] &^= 1 << 63
				}
			}
		})
	}},
	{"delete-is-of-its-key", "delete clears the cache", func(b *broken) {
		clearsWith(b, func(_ string, f *backend.Fence) {
			for _, k := range f.Keys {
				if k.Cache != "" {
					f.Caches = append(f.Caches, backend.Generation{Cache: k.Cache})
				}
			}
		})
	}},
	{"delete-is-of-its-key", "delete is of the key in every cache", func(b *broken) {
		clearsWith(b, func(_ string, f *backend.Fence) {
			if len(f.Keys) == 1 {
				f.Keys = []backend.Keys{{Cache: "a", Hashes: f.Keys[0].Hashes}, {Cache: "b", Hashes: f.Keys[0].Hashes}}
			}
		})
	}},
	{"delete-knows-every-name", "names of caches are trimmed where keys are deleted", func(b *broken) {
		clearsWith(b, func(_ string, f *backend.Fence) {
			for i := range f.Keys {
				f.Keys[i].Cache = strings.TrimSpace(f.Keys[i].Cache)
			}
		})
	}},
	{"delete-tells-the-one-before", "deletes forget the one before", forgetsBefore},
	{"delete-tells-the-one-before", "deletes take the latest of the cache for the one before", func(b *broken) {
		latest := map[string]uint64{}
		b.clear = func(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
			s, err := b.server.Clear(ctx, database, f)
			if err != nil {
				return nil, err
			}
			clone := *s
			clone.Deletes = rebuilt(s.Deletes, func(cache string, last, _ uint64) (uint64, uint64) { return last, latest[cache] })
			for _, k := range f.Keys {
				latest[k.Cache] = s.Number
			}
			return &clone, nil
		}
	}},
	{"delete-can-be-repeated", "delete that is repeated passes for the only one", forgetsBefore},
	{"delete-can-be-repeated", "Clear does nothing the second time, whatever is fenced", func(b *broken) {
		done := map[backend.Token]bool{}
		b.clear = func(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
			if done[f.ID] {
				return b.server.Sync(ctx, database)
			}
			done[f.ID] = true
			return b.server.Clear(ctx, database, f)
		}
	}},
	{"delete-needs-no-fence", "Clear deletes the keys of fences that stand", func(b *broken) {
		clearsWith(b, func(database string, f *backend.Fence) {
			if !slices.ContainsFunc(b.standing(database), func(g backend.Fence) bool { return g.ID == f.ID }) {
				f.Keys = nil
			}
		})
	}},
	{"delete-that-is-forgotten-raises-the-floor", "deletes are forgotten, and the floor stays", func(b *broken) {
		altered(b, func(s *backend.State) {
			s.Deletes = rebuilt(s.Deletes, func(_ string, last, before uint64) (uint64, uint64) {
				if last+10 < s.Number {
					return 0, 0
				}
				return last, before
			})
		})
	}},
	{"delete-that-is-forgotten-raises-the-floor", "deletes of quiet caches are forgotten, and the floor of the busy one rises", func(b *broken) {
		altered(b, func(s *backend.State) {
			if s.Deletes.Of("busy").Floor() > 0 {
				floor := s.Deletes.Of("busy").Floor()
				s.Deletes = without(s.Deletes, "quiet").Raise("busy", floor)
			}
		})
	}},
	{"delete-that-is-forgotten-raises-the-floor", "server that was away is not told the floors", func(b *broken) {
		before := uint64(0)
		altered(b, func(s *backend.State) {
			if s.Number > before+10 {
				var busy []uint64
				for hash := range uint64(100_000) {
					if last, _ := s.Deletes.Of("busy").Last(hash); last > s.Deletes.Of("busy").Floor() {
						busy = append(busy, hash)
					}
				}
				s.Deletes = (*backend.Deletes)(nil).Add(s.Number, backend.Keys{Cache: "busy", Hashes: busy})
			}
			before = s.Number
		})
	}},
	{"delete-and-clear-at-once", "Clear of caches overlooks the keys", func(b *broken) {
		clearsWith(b, func(_ string, f *backend.Fence) {
			if len(f.Caches) > 0 {
				f.Keys = nil
			}
		})
	}},
	{"delete-and-clear-at-once", "Clear of keys overlooks the caches", func(b *broken) {
		clearsWith(b, func(_ string, f *backend.Fence) {
			if len(f.Keys) > 0 {
				f.Caches = nil
			}
		})
	}},
	{"delete-and-clear-at-once", "Clear of some caches forgets the deletes of all", func(b *broken) {
		altered(b, func(s *backend.State) {
			if s.Token("a") != s.Base {
				s.Deletes = without(s.Deletes, "b")
			}
		})
	}},
	{"clear-raises-the-floor-to-the-last-delete", "Clear of a cache forgets its deletes", func(b *broken) {
		altered(b, func(s *backend.State) {
			if s.Token("a") != s.Base {
				s.Deletes = without(s.Deletes, "a")
			}
		})
	}},
	{"clear-raises-the-floor-to-the-last-delete", "Clear of all forgets the tags", func(b *broken) {
		base := backend.Token("")
		altered(b, func(s *backend.State) {
			if base == "" {
				base = s.Base
			} else if s.Base != base {
				s.Deletes = without(s.Deletes, "")
			}
		})
	}},
	{"delete-goes-with-its-database", "Drop leaves the deletes", func(b *broken) {
		var left *backend.Deletes
		b.drop = func(ctx context.Context, database string) error {
			if s, err := b.server.Sync(ctx, database); err == nil {
				left = s.Deletes
			}
			return b.server.Drop(ctx, database)
		}
		altered(b, func(s *backend.State) {
			if s.Deletes == nil {
				s.Deletes = left
			}
		})
	}},
	{"delete-goes-with-its-database", "Drop leaves the fences on keys", func(b *broken) {
		b.drop = func(ctx context.Context, database string) error {
			fences := b.standing(database)
			err := b.server.Drop(ctx, database)
			for _, f := range fences {
				b.server.Fence(ctx, database, f)
			}
			return err
		}
	}},
	{"restart-keeps-deletes-or-begins-an-epoch", "restart keeps the epoch and forgets the deletes", func(b *broken) {
		altered(b, func(s *backend.State) { s.Epoch = "e" })
	}},
	{"restart-keeps-deletes-or-begins-an-epoch", "restart keeps the epoch and counts anew", func(b *broken) {
		b.behind = true
		altered(b, func(s *backend.State) { s.Epoch = "e" })
	}},
	{"tag-is-no-cache", "tags are cleared like caches", func(b *broken) {
		clearsWith(b, func(_ string, f *backend.Fence) {
			if slices.ContainsFunc(f.Keys, func(k backend.Keys) bool { return k.Cache == "" }) {
				f.Caches = append([]backend.Generation{{}}, f.Caches...)
			}
		})
	}},
	{"tag-is-no-cache", "tags are fenced like caches", func(b *broken) {
		altered(b, func(s *backend.State) {
			if len(s.FencedKeys) > 0 && s.FencedKeys[0].Cache == "" {
				s.Fenced = slices.Insert(s.Fenced, 0, "")
			}
		})
	}},
	{"tag-is-no-cache", "Clear of caches forgets the tags", func(b *broken) {
		altered(b, func(s *backend.State) {
			if s.Token("c") != s.Base {
				s.Deletes = without(s.Deletes, "")
			}
		})
	}},
}

var brokenDifferences = []variant{
	{"state-is-the-same-however-far-behind", "server that is far behind learns the last changes only", func(b *broken) {
		before := uint64(0)
		altered(b, func(s *backend.State) {
			if s.Number > before+100 {
				s.Deletes = rebuilt(s.Deletes, func(_ string, last, before uint64) (uint64, uint64) {
					if last+100 < s.Number {
						return 0, 0
					}
					return last, before
				})
			}
			before = s.Number
		})
	}},
	{"state-is-the-same-however-far-behind", "server that is one behind overlooks the change", func(b *broken) {
		var before *backend.State
		b.sync = func(ctx context.Context, database string) (*backend.State, error) {
			s, err := b.server.Sync(ctx, database)
			if err != nil {
				return nil, err
			}
			last := before
			before = s
			if last != nil && s.Number == last.Number+1 {
				clone := *s
				clone.Deletes = last.Deletes
				return &clone, nil
			}
			return s, nil
		}
	}},
	{"state-is-the-same-however-far-behind", "server that is far behind overlooks clears", func(b *broken) {
		var before *backend.State
		altered(b, func(s *backend.State) {
			if before != nil && s.Number > before.Number+1000 {
				s.Caches = slices.Clone(before.Caches)
			}
			before = s
		})
	}},
	{"state-is-the-same-however-far-behind", "server that is far behind does not know the delete before the last", func(b *broken) {
		before := uint64(0)
		altered(b, func(s *backend.State) {
			if s.Number > before+1000 {
				s.Deletes = rebuilt(s.Deletes, func(_ string, last, _ uint64) (uint64, uint64) { return last, 0 })
			}
			before = s.Number
		})
	}},
	{"state-with-deletes-is-immutable", "States are brought up to date in place where keys are deleted", func(b *broken) {
		altered(b, func(*backend.State) {})
		shared, inner := map[string]*backend.State{}, b.sync
		b.sync = func(ctx context.Context, database string) (*backend.State, error) {
			s, err := inner(ctx, database)
			if shared[database] == nil {
				shared[database] = s
			} else if err == nil {
				shared[database].Deletes = s.Deletes
			}
			return shared[database], err
		}
	}},
	{"state-with-deletes-is-immutable", "FencedKeys are made in one slice", func(b *broken) {
		slice := make([]backend.Keys, 0, 16)
		altered(b, func(s *backend.State) { s.FencedKeys = append(slice[:0], s.FencedKeys...) })
	}},
}
