//go:build !txcache_noredis

package txcache

import (
	"context"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/redisbackend"
)

// leftOut says what the build has left out.
const leftOut = ""

func init() {
	Register(config.ClassRedis, openRedis)
	Register(modulePath+"redisbackend", openRedis)
}

func openRedis(ctx context.Context, cfg *config.Config) (backend.Backend, error) {
	return redisbackend.Open(ctx, cfg)
}
