package command

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/inspect"
)

// A keeper is what keeps the generations, as far as the commands that change something
// and completions ask it. There is one for each class.
type keeper interface {
	// databases returns the names of the databases of which something is kept.
	databases(ctx context.Context) ([]string, error)

	// caches returns the names of the caches of a database that are known.
	caches(ctx context.Context, database string) ([]string, error)

	// checkKnown returns an error unless the database and each of caches is known.
	checkKnown(ctx context.Context, database string, caches ...string) error

	// failure returns err, of the store, so that the exit code says whether the backend is
	// unavailable.
	failure(ctx context.Context, err error) error

	// removed returns how many values were removed.
	removed() uint64
}

// keeper opens the backend that the configuration describes, and returns the options
// for a store over it.
func (p *program) keeper(ctx context.Context) (keeper, backend.Backend, *txcache.Options, error) {
	cfg, err := p.load()
	if err != nil {
		return nil, nil, nil, err
	}
	if isSQL(cfg) {
		b, opts, err := p.openSQL(ctx, cfg)
		return sqlKeeper{b}, b, opts, err
	}
	b, opts, err := p.connect(ctx)
	return redisKeeper{b}, b, opts, err
}

// operate calls f with a store and what tells of its backend; the store is closed
// then, with which a clear that still waits is lost.
func (p *program) operate(ctx context.Context, f func(*txcache.Store, keeper) error) (err error) {
	k, b, opts, err := p.keeper(ctx)
	if err != nil {
		return err
	}
	s, err := txcache.New(b, opts)
	if err != nil {
		return errors.Join(err, b.Close())
	}
	defer func() {
		if lost := s.Close(); lost != nil {
			err = errors.Join(err, fmt.Errorf("what was asked for may not have been done, and is not tried again; repeat it: %w", lost))
		}
	}()
	return f(s, k)
}

// A redisKeeper is the keeper of class redis.
type redisKeeper struct{ inspect.Inspector }

func (k redisKeeper) databases(ctx context.Context) (names []string, err error) {
	databases, err := k.Databases(ctx)
	for _, d := range databases {
		names = append(names, d.Name)
	}
	return names, err
}

func (k redisKeeper) caches(ctx context.Context, database string) ([]string, error) {
	d, err := k.Database(ctx, database)
	if err != nil {
		return nil, err
	}
	return cachesOf(ctx, k, d)
}

func (k redisKeeper) checkKnown(ctx context.Context, database string, caches ...string) error {
	return checkKnown(ctx, k, database, caches...)
}

func (redisKeeper) failure(_ context.Context, err error) error { return err }

func (k redisKeeper) removed() uint64 { return k.Stats().Removed }
