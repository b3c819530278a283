//go:build txcache_noredis

package txcache

import (
	"context"
	"errors"

	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/sqlbackend"
)

// Without the client of Redis a program is several megabytes smaller.
const leftOut = `; this program was built without class "redis", with the tag txcache_noredis`

func openValues(context.Context, *config.Config) (sqlbackend.Values, error) {
	return nil, errors.New(`txcache: cache.sql.values: "redis" is left out of this program, which was built with the tag txcache_noredis; expected "memory"`)
}
