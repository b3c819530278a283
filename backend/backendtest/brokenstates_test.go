package backendtest_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
)

var brokenStates = []variant{
	{"sync-knows-every-database", "databases have to be cleared before they are known", func(b *broken) {
		b.sync = func(ctx context.Context, database string) (*backend.State, error) {
			s, err := b.server.Sync(ctx, database)
			if err == nil && len(s.Caches) == 0 {
				return nil, errors.New("no such database")
			}
			return s, err
		}
	}},
	{"sync-knows-every-database", "servers each make an epoch of their own", func(b *broken) {
		*b = *newBroken(newAuthority().open(), func(*broken) {})
	}},
	{"sync-knows-every-database", "Sync returns neither a State nor an error", func(b *broken) {
		b.sync = func(context.Context, string) (*backend.State, error) { return nil, nil }
	}},
	{"sync-keeps-the-pointer", "Sync copies the State", func(b *broken) {
		b.sync = func(ctx context.Context, database string) (*backend.State, error) {
			s, err := b.server.Sync(ctx, database)
			if err != nil {
				return nil, err
			}
			clone := *s
			return &clone, nil
		}
	}},
	{"sync-keeps-the-pointer-on-renewal", "renewals make new States", func(b *broken) {
		b.fence = func(ctx context.Context, database string, f backend.Fence) error {
			touch := backend.Fence{ID: backend.NewToken()}
			return errors.Join(b.server.Fence(ctx, database, f),
				b.generations.Fence(ctx, database, touch), b.generations.Unfence(ctx, database, touch))
		}
	}},
	{"sync-orders-versions", "versions are all the same", func(b *broken) {
		altered(b, func(s *backend.State) { s.Version = 1 })
	}},
	{"sync-sees-its-own-changes", "Sync returns the first State for ever", func(b *broken) {
		first := map[string]*backend.State{}
		b.sync = func(ctx context.Context, database string) (*backend.State, error) {
			s, err := b.server.Sync(ctx, database)
			if first[database] == nil {
				first[database] = s
			}
			return first[database], err
		}
	}},
	{"sync-sees-changes-of-others", "Sync asks the authority once an hour", func(b *broken) {
		b.staleness = time.Hour
	}},
	{"state-is-sorted", "States list the latest clear first", func(b *broken) {
		altered(b, func(s *backend.State) { slices.Reverse(s.Caches) })
	}},
	{"state-is-sorted", "States list a cache for each fence", func(b *broken) {
		altered(b, func(s *backend.State) {
			if len(s.Fenced) > 0 {
				s.Fenced = append(s.Fenced, s.Fenced[len(s.Fenced)-1])
			}
		})
	}},
	{"state-is-immutable", "States are brought up to date in place", func(b *broken) {
		shared := map[string]*backend.State{}
		altered(b, func(s *backend.State) {})
		inner := b.sync
		b.sync = func(ctx context.Context, database string) (*backend.State, error) {
			s, err := inner(ctx, database)
			if shared[database] == nil {
				shared[database] = s
			} else if err == nil {
				*shared[database] = *s
			}
			return shared[database], err
		}
	}},
	{"state-does-not-alias-the-fence", "Fence changes the fence", func(b *broken) {
		b.fence = func(ctx context.Context, database string, f backend.Fence) error {
			err := b.server.Fence(ctx, database, f)
			for i := range f.Caches {
				f.Caches[i].Token = f.ID
			}
			return err
		}
	}},
	{"state-does-not-alias-the-fence", "Fence keeps the caches of the fence", func(b *broken) {
		var kept []backend.Fence
		b.fence = func(ctx context.Context, database string, f backend.Fence) error {
			kept = append(kept, f)
			return b.server.Fence(ctx, database, f)
		}
		altered(b, func(s *backend.State) {
			s.Fenced = nil
			for _, f := range kept {
				for _, g := range f.Caches {
					s.Fenced = append(s.Fenced, g.Cache)
				}
			}
		})
	}},
	{"token-is-printable", "epochs have no token", func(b *broken) {
		altered(b, func(s *backend.State) { s.Epoch = "" })
	}},
	{"token-is-printable", "tokens contain blanks", func(b *broken) {
		altered(b, func(s *backend.State) {
			for i := range s.Caches {
				s.Caches[i].Token += " 1"
			}
		})
	}},
	{"token-is-never-used-again", "tokens are numbers that Drop sets back", func(b *broken) {
		altered(b, func(s *backend.State) { s.Epoch, s.Base = "1", "1" })
	}},
}

var brokenCalls = []variant{
	{"context-is-obeyed", "methods overlook the context", func(b *broken) {
		b.unfence = func(ctx context.Context, database string, f backend.Fence) error {
			return b.server.Unfence(context.WithoutCancel(ctx), database, f)
		}
	}},
	{"context-is-obeyed", "methods wait for a second, and more, whatever the context", func(b *broken) {
		b.fence = func(ctx context.Context, database string, f backend.Fence) error {
			if ctx.Err() != nil {
				time.Sleep(5 * time.Second)
			}
			return b.server.Fence(ctx, database, f)
		}
	}},
	{"context-is-obeyed", "connection breaks with a context", func(b *broken) {
		var failed error
		b.sync = func(ctx context.Context, database string) (*backend.State, error) {
			if failed == nil {
				failed = ctx.Err()
			}
			if failed != nil {
				return nil, failed
			}
			return b.server.Sync(ctx, database)
		}
	}},
	{"close-is-final", "methods go on after Close", func(b *broken) {
		b.close = func() error { return nil }
	}},
	{"close-is-final", "second Close fails", func(b *broken) {
		closed := false
		b.close = func() error {
			if closed {
				return errors.New("close of a closed backend")
			}
			closed = true
			return b.server.Close()
		}
	}},
	{"close-leaves-the-other-servers", "Close closes the authority", func(b *broken) {
		b.close = func() error { return errors.Join(b.server.Close(), b.generations.Close()) }
	}},
	{"close-while-in-use", "methods panic after Close", func(b *broken) {
		b.fence = func(ctx context.Context, database string, f backend.Fence) error {
			err := b.server.Fence(ctx, database, f)
			if errors.Is(err, backend.ErrClosed) {
				panic("send on closed channel")
			}
			return err
		}
	}},
	{"close-ends-every-goroutine", "goroutine goes on after Close", func(b *broken) {
		// It ends by itself, as a bubble has to.
		go time.Sleep(time.Hour)
	}},
	{"sync-keeps-the-pointer", "Sync never returns", func(b *broken) {
		b.sync = func(context.Context, string) (*backend.State, error) {
			time.Sleep(time.Hour)
			return nil, nil
		}
	}},
	{"sync-keeps-the-pointer", "Sync panics", func(b *broken) {
		b.sync = func(context.Context, string) (*backend.State, error) { panic("nil map") }
	}},
	{"sync-keeps-the-pointer", "Sync ends its goroutine", func(b *broken) {
		b.sync = func(context.Context, string) (*backend.State, error) { runtime.Goexit(); return nil, nil }
	}},
	{"fence-stands", "Close never returns", func(b *broken) {
		b.close = func() error { time.Sleep(time.Hour); return nil }
	}},
}
