package subject

import (
	"context"
	"errors"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/history"
)

// Redis opens stores as services do that are configured with cfg, each with
// connections of its own, and if there are uris, to the one in its place. Each
// history has a prefix of its own.
func Redis(cfg config.Config, uris ...string) history.Open {
	cfg.Class = config.ClassRedis
	cfg.ContextIgnoredKeys = Options().ContextIgnoredKeys
	return Of(func(ctx context.Context, servers int) ([]*txcache.Store, error) {
		cfg := cfg
		cfg.Prefix = prefix()
		var stores []*txcache.Store
		for i := range servers {
			if len(uris) > 0 {
				cfg.Redis.URI = uris[i]
			}
			store, err := txcache.OpenConfig(ctx, &cfg)
			if err != nil {
				return nil, errors.Join(err, closeAll(stores))
			}
			stores = append(stores, store)
		}
		return stores, nil
	})
}

func prefix() string { return "history-" + string(backend.NewToken()) }
