package processes

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/history"
	"github.com/seed-dad15c92/txcache/internal/history/subject"
	"github.com/seed-dad15c92/txcache/redisbackend"
)

// A Scheme opens the cache of a worker. Waiting returns how many clears have
// not arrived yet.
type scheme func(ctx context.Context, p Plan, b *Board) (server history.Server, waiting func() int, err error)

// Schemes are the caches that can be tried, by name.
var Schemes = map[string]scheme{
	Subject: func(ctx context.Context, p Plan, b *Board) (history.Server, func() int, error) {
		return openStore(ctx, p, &watched{pass: func(at Point) { b.pass(at, p.Worker) }})
	},
	NoFence: func(ctx context.Context, p Plan, b *Board) (history.Server, func() int, error) {
		return openStore(ctx, p, &watched{pass: func(Point) {}, noFence: true})
	},
	NoKeyFence: func(ctx context.Context, p Plan, b *Board) (history.Server, func() int, error) {
		return openStore(ctx, p, &watched{pass: func(Point) {}, noKeyFence: true})
	},
	NoRenewal: func(ctx context.Context, p Plan, b *Board) (history.Server, func() int, error) {
		return openStore(ctx, p, &watched{pass: func(Point) {}, noRenewal: true})
	},
	CacheAside: openAside,
}

// The names of the schemes.
const (
	Subject    = "txcache"
	NoFence    = "txcache without fences" // what a backend must not be
	NoKeyFence = "txcache without fences of keys"
	NoRenewal  = "txcache without renewals"
	CacheAside = "cache-aside" // set on a miss, delete after the commit
)

// openStore opens a store over w.
func openStore(ctx context.Context, p Plan, w *watched) (history.Server, func() int, error) {
	cfg := config.Default()
	cfg.Class, cfg.Prefix, cfg.Sync = config.ClassRedis, p.Prefix, config.Sync(p.Sync)
	setRedis(cfg, p)
	var err error
	if w.Backend, err = redisbackend.Open(ctx, cfg); err != nil {
		return nil, nil, err
	}
	options := subject.Options()
	options.Poll, options.Fence, options.Logger = cfg.Sync.Every(), p.Lease, slog.Default()
	var store *txcache.Store
	servers, err := subject.Of(func(context.Context, int) ([]*txcache.Store, error) {
		store, err = txcache.New(w, options)
		return []*txcache.Store{store}, err
	})(ctx, 1, world.Caches)
	if err != nil {
		return nil, nil, fmt.Errorf("processes: %w", err)
	}
	return servers[0], store.Waiting, nil
}

// setRedis sets how to reach Redis: with patience where it is never away, as the
// machine may be busy.
func setRedis(cfg *config.Config, p Plan) {
	cfg.Redis.URI = p.Redis
	if cfg.Sync == config.SyncLease { // many of them, as many commit
		cfg.Redis.Term, cfg.Redis.Wait = 50*time.Millisecond, 100*time.Millisecond
	}
	if !p.Faults {
		cfg.Redis.DialTimeout, cfg.Redis.Timeout = patience, patience
	}
}
