package processes

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/history"
	"github.com/seed-dad15c92/txcache/internal/history/subject"
	"github.com/seed-dad15c92/txcache/redisbackend"
)

// A scheme opens the cache of a worker.
type scheme func(ctx context.Context, p Plan, b *Board) (*opened, error)

// opened is the cache of a worker.
type opened struct {
	server  history.Server
	waiting func() int // clears that the backend was not told of yet
	backend *watched   // nil if the cache has none
}

// Schemes are the caches that can be tried, by name.
var Schemes = map[string]scheme{
	Subject: func(ctx context.Context, p Plan, b *Board) (*opened, error) {
		return openStore(ctx, p, &watched{pass: func(at Point) { b.pass(at, p.Worker) }, wanted: b.wanted})
	},
	NoFence: func(ctx context.Context, p Plan, b *Board) (*opened, error) {
		return openStore(ctx, p, &watched{noFence: true})
	},
	NoKeyFence: func(ctx context.Context, p Plan, b *Board) (*opened, error) {
		return openStore(ctx, p, &watched{noKeyFence: true})
	},
	NoRenewal: func(ctx context.Context, p Plan, b *Board) (*opened, error) {
		return openStore(ctx, p, &watched{noRenewal: true})
	},
	NoWait: func(ctx context.Context, p Plan, b *Board) (*opened, error) {
		return openStore(ctx, p, &watched{noWait: true})
	},
	CacheAside: openAside,
}

// The names of the schemes.
const (
	Subject    = "txcache"
	NoFence    = "txcache without fences" // what a backend must not be
	NoKeyFence = "txcache without fences of keys"
	NoRenewal  = "txcache without renewals"
	NoWait     = "txcache without waits" // for members, with a fence
	CacheAside = "cache-aside"           // set on a miss, delete after the commit
)

// openStore opens a store over w.
func openStore(ctx context.Context, p Plan, w *watched) (*opened, error) {
	if w.pass == nil {
		w.pass, w.wanted = func(Point) {}, func() (Point, bool) { return 0, false }
	}
	cfg := config.Default()
	cfg.Class, cfg.Prefix, cfg.Sync = config.ClassRedis, p.Prefix, config.Sync(p.Sync)
	setRedis(cfg, p)
	var err error
	if w.Backend, err = redisbackend.Open(ctx, cfg); err != nil {
		return nil, err
	}
	options := subject.Options()
	options.Poll, options.Fence, options.Logger = cfg.Sync.Every(), p.Lease, slog.Default()
	var store *txcache.Store
	servers, err := subject.Of(func(context.Context, int) ([]*txcache.Store, error) {
		store, err = txcache.New(w, options)
		return []*txcache.Store{store}, err
	})(ctx, 1, world.Caches)
	if err != nil {
		return nil, fmt.Errorf("processes: %w", err)
	}
	return &opened{servers[0], store.Waiting, w}, nil
}

// setRedis sets how to reach Redis: with patience where it is never away, as the
// machine may be busy.
func setRedis(cfg *config.Config, p Plan) {
	cfg.Redis.URI = p.Redis
	if cfg.Sync == config.SyncLease {
		cfg.Redis.Term, cfg.Redis.Wait = p.Term, 2*p.Term
	}
	if !p.Faults {
		cfg.Redis.DialTimeout, cfg.Redis.Timeout = patience, patience
	}
}
