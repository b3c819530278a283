package backendtest_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
)

var brokenClears = []variant{
	{"clear-starts-generations", "Clear only lifts the fence", func(b *broken) {
		b.clear = func(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
			return b.server.Clear(ctx, database, backend.Fence{ID: f.ID})
		}
	}},
	{"clear-starts-generations", "Clear of one cache clears all", func(b *broken) {
		b.clear = func(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
			f.All = true
			return b.server.Clear(ctx, database, f)
		}
	}},
	{"clear-takes-the-fence-id", "Clear always makes a token of its own", func(b *broken) {
		b.clear = func(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
			if err := b.server.Unfence(ctx, database, f); err != nil {
				return nil, err
			}
			return b.server.Clear(ctx, database, f)
		}
	}},
	{"clear-needs-no-fence", "Clear takes the ID of a fence that does not stand", clearsUnfenced},
	{"clear-gives-way-to-an-earlier-one", "Clear overlooks the generation it is given", func(b *broken) {
		b.clear = func(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
			return b.server.Clear(ctx, database, atCurrent(ctx, b, database, f))
		}
	}},
	{"clear-gives-way-to-an-earlier-one", "Clear makes way for one cache and so for all", func(b *broken) {
		b.clear = func(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
			if !slices.Equal(f.Caches, atCurrent(ctx, b, database, f).Caches) {
				b.server.Unfence(ctx, database, f)
			}
			return b.server.Clear(ctx, database, f)
		}
	}},
	{"clear-can-be-repeated", "Clear does nothing the second time", func(b *broken) {
		done := map[backend.Token]bool{}
		b.clear = func(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
			if done[f.ID] {
				return b.server.Sync(ctx, database)
			}
			done[f.ID] = true
			return b.server.Clear(ctx, database, f)
		}
	}},
	{"clear-can-be-repeated", "Clear takes the ID again after a late Fence", func(b *broken) {
		b.clear = func(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
			return b.server.Clear(ctx, database, atCurrent(ctx, b, database, f))
		}
	}},
	{"clear-of-all", "Clear overlooks All", func(b *broken) {
		b.clear = func(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
			f.All = false
			return b.server.Clear(ctx, database, f)
		}
	}},
	{"clear-of-all", "Clear of all overlooks the caches it names", func(b *broken) {
		b.clear = func(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
			if f.All {
				f.Caches = nil
			}
			return b.server.Clear(ctx, database, f)
		}
	}},
	{"clear-lifts-its-own-fence-only", "Clear lifts all fences", func(b *broken) {
		b.clear = func(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
			for _, g := range b.standing(database) {
				if g.ID != f.ID {
					b.server.Unfence(ctx, database, g)
				}
			}
			return b.server.Clear(ctx, database, f)
		}
	}},
	{"concurrent-clears-have-one-winner", "Clear looks first and clears later", func(b *broken) {
		b.clear = func(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
			current := atCurrent(ctx, b, database, f)
			time.Sleep(time.Millisecond) // the others look
			if slices.Equal(f.Caches, current.Caches) {
				b.mu.Lock()
				defer b.mu.Unlock()
				s, err := b.generations.Sync(ctx, database)
				if err != nil {
					return nil, err
				}
				for i, g := range current.Caches {
					current.Caches[i].Token = s.Token(g.Cache)
				}
				return b.generations.Clear(ctx, database, current)
			}
			return b.server.Clear(ctx, database, f)
		}
	}},
	{"concurrent-use-keeps-the-order", "Sync returns the State before the last at times", func(b *broken) {
		var mu sync.Mutex
		calls, last := 0, map[string]*backend.State{}
		b.sync = func(ctx context.Context, database string) (*backend.State, error) {
			s, err := b.server.Sync(ctx, database)
			mu.Lock()
			defer mu.Unlock()
			calls++
			before := last[database]
			last[database] = s
			if calls%5 == 0 && before != nil {
				return before, nil
			}
			return s, err
		}
	}},
}

var brokenDrops = []variant{
	{"drop-begins-an-epoch", "Drop does nothing", func(b *broken) {
		b.drop = func(context.Context, string) error { return nil }
	}},
	{"drop-begins-an-epoch", "Drop clears and keeps the epoch", func(b *broken) {
		b.drop = func(ctx context.Context, database string) error {
			for _, f := range b.standing(database) {
				b.server.Unfence(ctx, database, f)
			}
			_, err := b.server.Clear(ctx, database, backend.Fence{ID: backend.NewToken(), All: true})
			return err
		}
	}},
	{"drop-begins-an-epoch", "Drop leaves the fences", func(b *broken) {
		b.drop = func(ctx context.Context, database string) error {
			fences := b.standing(database)
			err := b.server.Drop(ctx, database)
			for _, f := range fences {
				b.server.Fence(ctx, database, f)
			}
			return err
		}
	}},
	{"drop-leaves-the-name-usable", "names of dropped databases are dead", func(b *broken) {
		dead := map[string]bool{}
		b.drop = func(ctx context.Context, database string) error {
			dead[database] = true
			return b.server.Drop(ctx, database)
		}
		b.fence = func(ctx context.Context, database string, f backend.Fence) error {
			if dead[database] {
				return nil
			}
			return b.server.Fence(ctx, database, f)
		}
	}},
	{"drop-takes-the-fences", "Clear recognises fences from before Drop", clearsUnfenced},
	{"drop-leaves-the-neighbours", "Drop drops by prefix", dropsByPrefix},
	{"island-of-a-database", "names of databases are folded to lower case", func(b *broken) { renames(b, strings.ToLower) }},
	{"island-of-a-database", "names of databases are cut at a NUL", func(b *broken) {
		renames(b, func(name string) string { s, _, _ := strings.Cut(name+"?", "\x00"); return s })
	}},
	{"island-of-a-database", "names of databases are cut after 254 bytes", func(b *broken) {
		renames(b, func(name string) string { return name[:min(len(name), 254)] })
	}},
	{"island-of-a-cache", "names of caches are trimmed", func(b *broken) {
		trim := func(f backend.Fence) backend.Fence {
			f.Caches = slices.Clone(f.Caches)
			for i := range f.Caches {
				f.Caches[i].Cache = strings.TrimSpace(f.Caches[i].Cache)
			}
			return f
		}
		b.fence = func(ctx context.Context, database string, f backend.Fence) error {
			return b.server.Fence(ctx, database, trim(f))
		}
		b.clear = func(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
			return b.server.Clear(ctx, database, trim(f))
		}
	}},
	{"island-of-joined-names", "fences are kept under database:cache", func(b *broken) {
		fenced := map[string]bool{}
		b.fence = func(ctx context.Context, database string, f backend.Fence) error {
			for _, g := range f.Caches {
				fenced[database+":"+g.Cache] = true
			}
			return b.server.Fence(ctx, database, f)
		}
		b.sync = func(ctx context.Context, database string) (*backend.State, error) {
			s, err := b.server.Sync(ctx, database)
			if err != nil {
				return nil, err
			}
			clone := *s
			clone.Fenced = slices.Clone(s.Fenced)
			for name := range fenced {
				if cache, ok := strings.CutPrefix(name, database+":"); ok {
					clone.Fenced = append(clone.Fenced, cache)
				}
			}
			slices.Sort(clone.Fenced)
			return &clone, nil
		}
	}},
	{"island-of-joined-names", "fences are known by their ID alone", func(b *broken) {
		b.unfence = func(ctx context.Context, _ string, f backend.Fence) error {
			for _, database := range []string{"a", "ab", "a:b"} {
				b.server.Unfence(ctx, database, f)
			}
			return nil
		}
	}},
}

// clearsUnfenced makes Clear take the ID of the fence whenever it is given one.
func clearsUnfenced(b *broken) {
	b.clear = func(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
		if err := b.server.Fence(ctx, database, f); err != nil {
			return nil, err
		}
		return b.server.Clear(ctx, database, atCurrent(ctx, b, database, f))
	}
}

// atCurrent returns f with the generations that its caches are at.
func atCurrent(ctx context.Context, b *broken, database string, f backend.Fence) backend.Fence {
	s, err := b.server.Sync(ctx, database)
	if err != nil {
		return f
	}
	f.Caches = slices.Clone(f.Caches)
	for i, g := range f.Caches {
		f.Caches[i].Token = s.Token(g.Cache)
	}
	return f
}

// renames makes b use another name for each database.
func renames(b *broken, rename func(string) string) {
	b.sync = func(ctx context.Context, database string) (*backend.State, error) {
		return b.server.Sync(ctx, rename(database))
	}
	b.fence = func(ctx context.Context, database string, f backend.Fence) error {
		return b.server.Fence(ctx, rename(database), f)
	}
	b.clear = func(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
		return b.server.Clear(ctx, rename(database), f)
	}
	b.drop = func(ctx context.Context, database string) error { return b.server.Drop(ctx, rename(database)) }
}

// dropsByPrefix makes Drop drop what begins with the name of the database.
func dropsByPrefix(b *broken) {
	b.drop = func(ctx context.Context, database string) error {
		b.mu.Lock()
		for k := range b.values {
			if strings.HasPrefix(k.Database, database) {
				delete(b.values, k)
			}
		}
		b.mu.Unlock()
		for _, neighbour := range []string{"shop2", "shop:a", "shop*"} {
			if strings.HasPrefix(neighbour, database) {
				b.server.Drop(ctx, neighbour)
			}
		}
		return b.server.Drop(ctx, database)
	}
}
