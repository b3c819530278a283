package backendtest_test

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/enlistertest"
)

var brokenEnlisters = []enlisterVariant{
	{"epoch-comes-before-sharing", "states are shared without an epoch", func(b *brokenEnlister) {
		b.changes(func(s *backend.State) {
			if s.AllFenced {
				s.AllFenced, s.Base = false, "0-0"
			}
		})
	}},
	{"epoch-comes-before-sharing", "states are private for ever", func(b *brokenEnlister) {
		b.changes(func(s *backend.State) { s.AllFenced = true })
	}},
	{"state-is-that-of-the-own-snapshot", "State returns the newest state", func(b *brokenEnlister) {
		b.state = func(ctx context.Context, _ backend.Querier, database string) (*backend.State, error) {
			return b.Backend.Sync(ctx, database)
		}
	}},
	{"state-is-that-of-the-own-snapshot", "State returns what it has read first", func(b *brokenEnlister) {
		first := map[string]*backend.State{}
		b.state = func(ctx context.Context, q backend.Querier, database string) (*backend.State, error) {
			if s := first[database]; s != nil {
				return s, nil
			}
			s, err := b.Backend.State(ctx, q, database)
			if err == nil && !s.AllFenced {
				first[database] = s
			}
			return s, err
		}
	}},
	{"same-state-is-the-same-pointer", "State returns a new one each time", func(b *brokenEnlister) {
		b.state = func(ctx context.Context, q backend.Querier, database string) (*backend.State, error) {
			s, err := b.Backend.State(ctx, q, database)
			if err != nil {
				return nil, err
			}
			clone := *s
			return &clone, nil
		}
	}},
	{"same-state-is-the-same-pointer", "State knows the last one only", func(b *brokenEnlister) {
		var last, made *backend.State
		b.state = func(ctx context.Context, q backend.Querier, database string) (*backend.State, error) {
			s, err := b.Backend.State(ctx, q, database)
			if err != nil {
				return nil, err
			}
			if s != last {
				clone := *s
				last, made = s, &clone
			}
			return made, nil
		}
	}},
	{"read-committed-sees-what-is-committed", "State is read once a transaction", func(b *brokenEnlister) {
		first := map[backend.Querier]*backend.State{}
		b.state = func(ctx context.Context, q backend.Querier, database string) (*backend.State, error) {
			var err error
			if first[q] == nil {
				first[q], err = b.Backend.State(ctx, q, database)
			}
			return first[q], err
		}
	}},
	{"read-committed-sees-what-is-committed", "every state is exact", func(b *brokenEnlister) {
		b.exact = func(bool) bool { return true }
	}},
	{"processes-agree", "tokens are the process's own", func(b *brokenEnlister) {
		own := backend.NewToken()
		b.changes(func(s *backend.State) {
			for i := range s.Caches {
				s.Caches[i].Token += own
			}
		})
	}},
	{"later-states-of-a-chain-show-more", "a state that comes later is later", func(b *brokenEnlister) {
		step := uint64(0)
		b.changes(func(s *backend.State) {
			step++
			s.Chain, s.Step = 1, step
		})
	}},
	{"later-states-of-a-chain-show-more", "tags have no steps", func(b *brokenEnlister) {
		b.changes(func(s *backend.State) { s.TagSteps = nil })
	}},
	{"record-is-invisible-until-the-commit", "Record writes beside the transaction", func(b *brokenEnlister) {
		b.record = func(ctx context.Context, _ backend.Querier, database string, from *backend.State, f backend.Fence) ([]backend.Generation, error) {
			tx := b.db.Begin(false)
			generations, err := b.Backend.Record(ctx, tx, database, from, f)
			return generations, errors.Join(err, tx.Commit())
		}
	}},
	{"rollback-leaves-nothing", "Record writes beside the transaction", func(b *brokenEnlister) {
		b.record = func(ctx context.Context, _ backend.Querier, database string, from *backend.State, f backend.Fence) ([]backend.Generation, error) {
			tx := b.db.Begin(false)
			generations, err := b.Backend.Record(ctx, tx, database, from, f)
			return generations, errors.Join(err, tx.Commit())
		}
	}},
	{"record-names-the-generations", "Record returns the fence's ID", func(b *brokenEnlister) {
		b.record = func(ctx context.Context, q backend.Querier, database string, from *backend.State, f backend.Fence) ([]backend.Generation, error) {
			generations, err := b.Backend.Record(ctx, q, database, from, f)
			for i := range generations {
				generations[i].Token = f.ID
			}
			return generations, err
		}
	}},
	{"record-names-the-generations", "Record clears all caches", func(b *brokenEnlister) {
		b.record = func(ctx context.Context, q backend.Querier, database string, from *backend.State, f backend.Fence) ([]backend.Generation, error) {
			f.All = true
			return b.Backend.Record(ctx, q, database, from, f)
		}
	}},
	{"record-names-the-generations", "Record overlooks All", func(b *brokenEnlister) {
		b.record = func(ctx context.Context, q backend.Querier, database string, from *backend.State, f backend.Fence) ([]backend.Generation, error) {
			f.All = false
			return b.Backend.Record(ctx, q, database, from, f)
		}
	}},
	{"a-private-state-starts-no-generation", "Record takes a private state for one without clears", func(b *brokenEnlister) {
		b.record = func(ctx context.Context, q backend.Querier, database string, from *backend.State, f backend.Fence) ([]backend.Generation, error) {
			state := *from
			if state.AllFenced {
				state.Base, state.AllFenced = "0-0", false
			}
			return b.Backend.Record(ctx, q, database, &state, f)
		}
	}},
	{"writers-do-not-conflict", "Record counts in one row", func(b *brokenEnlister) {
		b.record = func(ctx context.Context, q backend.Querier, database string, from *backend.State, f backend.Fence) ([]backend.Generation, error) {
			if err := q.(*enlistertest.Tx).Put("counter", 1); err != nil {
				return nil, err
			}
			return b.Backend.Record(ctx, q, database, from, f)
		}
	}},
	{"clear-without-a-transaction", "Clear does nothing", func(b *brokenEnlister) {
		b.clear = func(ctx context.Context, database string, _ backend.Fence) (*backend.State, error) {
			return b.Sync(ctx, database)
		}
	}},
	{"clear-without-a-transaction", "Clear overlooks keys", func(b *brokenEnlister) {
		b.clear = func(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
			f.Keys = nil
			return b.Backend.Clear(ctx, database, f)
		}
	}},
	{"fences-change-nothing", "Fence clears", func(b *brokenEnlister) {
		b.fence = func(ctx context.Context, database string, f backend.Fence) error {
			_, err := b.Backend.Clear(ctx, database, f)
			return err
		}
	}},
	{"sums-are-of-all-deletes", "a delete clears the cache", func(b *brokenEnlister) {
		b.record = func(ctx context.Context, q backend.Querier, database string, from *backend.State, f backend.Fence) ([]backend.Generation, error) {
			caches := slices.Clone(f.Caches)
			for _, k := range f.Keys {
				if k.Cache != "" {
					f.Caches = append(f.Caches, backend.Generation{Cache: k.Cache})
				}
			}
			generations, err := b.Backend.Record(ctx, q, database, from, f)
			return generations[:len(caches)], err
		}
	}},
	{"sums-are-of-all-deletes", "the last delete of a key counts", func(b *brokenEnlister) {
		last := map[uint64]uint64{}
		b.record = func(ctx context.Context, q backend.Querier, database string, from *backend.State, f backend.Fence) ([]backend.Generation, error) {
			for _, k := range f.Keys {
				for _, hash := range k.Hashes {
					last[hash] = f.ID.Number()
				}
			}
			return b.Backend.Record(ctx, q, database, from, f)
		}
		b.changes(func(s *backend.State) {
			for hash, number := range last {
				if was := s.Sums.Of("a").Key(hash); was != 0 {
					s.Sums = s.Sums.Add("a", hash, backend.Negative(was)).Add("a", hash, number)
				}
			}
		})
	}},
	{"sums-are-exact", "sums are floating-point numbers", func(b *brokenEnlister) {
		b.changes(func(s *backend.State) {
			if was := s.Sums.Of("a").Key(7); was != 0 {
				s.Sums = s.Sums.Add("a", 7, backend.Negative(was)).Add("a", 7, uint64(float64(was)))
			}
		})
	}},
	{"drop-begins-anew", "Drop does nothing", func(b *brokenEnlister) {
		b.drop = func(context.Context, string) error { return nil }
	}},
	{"drop-begins-anew", "Drop leaves no epoch", func(b *brokenEnlister) {
		b.drop = func(_ context.Context, database string) error {
			b.db.Lose(database)
			return nil
		}
		b.changes(func(s *backend.State) {
			if s.AllFenced {
				s.AllFenced, s.Base = false, "0-0"
			}
		})
	}},
	{"drop-begins-anew", "Drop drops all databases", func(b *brokenEnlister) {
		b.drop = func(ctx context.Context, database string) error {
			return errors.Join(b.Backend.Drop(ctx, database), b.Backend.Drop(ctx, "shop2"))
		}
	}},
	{"fold-changes-nothing", "tokens count the rows", func(b *brokenEnlister) {
		b.state = func(ctx context.Context, q backend.Querier, database string) (*backend.State, error) {
			s, err := b.Backend.State(ctx, q, database)
			if err != nil {
				return nil, err
			}
			clone := *s
			clone.Caches = slices.Clone(s.Caches)
			for i := range clone.Caches {
				clone.Caches[i].Token += backend.Token(strings.Repeat("x", b.db.Rows(database)))
			}
			return &clone, nil
		}
	}},
	{"lost-records-begin-anew", "states without a record are at one token", func(b *brokenEnlister) {
		b.changes(func(s *backend.State) {
			if s.AllFenced || strings.HasPrefix(string(s.Base), "1-") {
				s.AllFenced, s.Base = false, "0-0"
			}
		})
	}},
	{"restore-is-an-old-state", "tokens count the clears", func(b *brokenEnlister) {
		b.changes(func(s *backend.State) {
			for i, g := range s.Caches {
				n, _, _ := strings.Cut(string(g.Token), "-")
				s.Caches[i].Token = backend.Token(n)
			}
		})
	}},
	{"restore-is-an-old-state", "State returns no older one", func(b *brokenEnlister) {
		newest := map[string]*backend.State{}
		b.state = func(ctx context.Context, q backend.Querier, database string) (*backend.State, error) {
			s, err := b.Backend.State(ctx, q, database)
			if err != nil {
				return nil, err
			}
			if old := newest[database]; old == nil || len(s.Token("a")) >= len(old.Token("a")) && s.Token("a")[:1] >= old.Token("a")[:1] {
				newest[database] = s
			}
			return newest[database], nil
		}
	}},
	{"names-are-islands", "names of databases are trimmed", func(b *brokenEnlister) {
		b.clear = func(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
			return b.Backend.Clear(ctx, trimmed(database), f)
		}
		b.state = func(ctx context.Context, q backend.Querier, database string) (*backend.State, error) {
			return b.Backend.State(ctx, q, trimmed(database))
		}
	}},
	{"names-are-islands", "names of caches are folded to lower case", func(b *brokenEnlister) {
		b.record = func(ctx context.Context, q backend.Querier, database string, from *backend.State, f backend.Fence) ([]backend.Generation, error) {
			caches := slices.Clone(f.Caches)
			for i := range f.Caches {
				f.Caches[i].Cache = strings.ToLower(f.Caches[i].Cache)
			}
			generations, err := b.Backend.Record(ctx, q, database, from, f)
			for i := range generations {
				generations[i].Cache = caches[i].Cache
			}
			copy(f.Caches, caches)
			return generations, err
		}
	}},
	{"closed-and-done", "Close does nothing", func(b *brokenEnlister) {
		b.close = func() error { return nil }
	}},
	{"closed-and-done", "Clear forgets its context", func(b *brokenEnlister) {
		b.clear = func(_ context.Context, database string, f backend.Fence) (*backend.State, error) {
			return b.Backend.Clear(context.Background(), database, f)
		}
	}},
}
