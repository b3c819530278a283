package redisbackend

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache/backend"
)

// GetTimed is Get, and tells how much longer the server keeps each value, by its
// own clock, in one request. The time is asked for before the value. Should another
// value of the key be set in between, it comes with the time of the one before it.
//
// Where the user may not ask for the time, no value has any left: values of caches
// with a Duration are then not shared, rather than used on the word of a clock.
func (b *Backend) GetTimed(ctx context.Context, keys []backend.Key) ([][]byte, []time.Duration, error) {
	left := make([]time.Duration, len(keys))
	data, err := b.get(ctx, keys, left)
	return data, left, err
}

// getTimed gets keys, and for how long each is kept, in one round trip to each
// server.
func (b *Backend) getTimed(ctx context.Context, keys []backend.Key, data [][]byte, left []time.Duration, size *size) error {
	names := make([]string, 0, 2*len(keys))
	cmds := make([]redis.Cmder, 0, 2*len(keys))
	for i := range keys {
		name := b.layout.value(&keys[i])
		names = append(names, name, name)
		cmds = append(cmds,
			redis.NewDurationCmd(context.Background(), time.Millisecond, "pttl", name),
			redis.NewStringCmd(context.Background(), "get", name))
	}
	if err := b.scatter(ctx, names, cmds, int(size.bytes.Load())/2); err != nil { // PTTL answers with next to nothing
		return err
	}
	for i := range keys {
		var err error
		left[i], err = cmds[2*i].(*redis.DurationCmd).Result()
		if redis.HasErrorPrefix(err, "NOPERM") {
			if !b.warnedPTTL.Swap(true) {
				b.options.Logger.Warn("txcache: the user may not run PTTL, so values of caches with a Duration are not shared; docs/redis.md has the rights", "error", err)
			}
			left[i], err = 0, nil
		}
		if err != nil {
			return fmt.Errorf("txcache: redis: %w", err)
		}
		if left[i] == gone {
			continue // what came since is looked up again
		}
		if data[i], err = dataOf(cmds[2*i+1].(*redis.StringCmd)); err != nil {
			return err
		}
	}
	return nil
}

// gone is what the client makes of a PTTL of nothing.
const gone = -2
