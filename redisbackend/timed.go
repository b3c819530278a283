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

// pttls returns the commands that ask for how long each of names is kept.
func pttls(names []string) []redis.Cmder {
	cmds := make([]redis.Cmder, len(names))
	for i, name := range names {
		cmds[i] = redis.NewDurationCmd(context.Background(), time.Millisecond, "pttl", name)
	}
	return cmds
}

// readTimes sets left to what the server has answered to cmds.
func (b *Backend) readTimes(cmds []redis.Cmder, left []time.Duration) error {
	for i, cmd := range cmds {
		var err error
		left[i], err = cmd.(*redis.DurationCmd).Result()
		if redis.HasErrorPrefix(err, "NOPERM") {
			if !b.warnedPTTL.Swap(true) {
				b.options.Logger.Warn("txcache: the user may not run PTTL, so values of caches with a Duration are not shared; docs/redis.md has the rights", "error", err)
			}
			left[i], err = 0, nil
		}
		if err != nil {
			return fmt.Errorf("txcache: redis: %w", err)
		}
	}
	return nil
}

// gone is what the client makes of a PTTL of nothing.
const gone = -2
