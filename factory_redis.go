//go:build !txcache_noredis

package txcache

import (
	"context"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/redisbackend"
	"github.com/seed-dad15c92/txcache/sqlbackend"
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

// openValues opens where class "sql" keeps values outside of the process.
func openValues(ctx context.Context, cfg *config.Config) (sqlbackend.Values, error) {
	return redisbackend.OpenValues(ctx, cfg)
}
