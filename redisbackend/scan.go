package redisbackend

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// scanCount is how many keys a server looks at for one SCAN: a fraction of
	// a millisecond of its time.
	scanCount = 250

	// An UNLINK has one key, because a server frees strings at once: a quarter
	// of a millisecond for each megabyte. What is removed in one go grows from
	// leastUnlinks to mostUnlinks while that takes less than unlinkTime, and
	// shrinks else.
	leastUnlinks, mostUnlinks = 8, 256
	unlinkTime                = 3 * time.Millisecond
)

// scan walks over the keys that match pattern on every master, and removes
// those that choose returns of the ones it is given. It leaves the server at
// least as much time for others as it takes.
func (b *Backend) scan(ctx context.Context, pattern string, choose func(context.Context, []string) ([]string, error)) (removed int, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(b.ctx, cancel)()
	var total atomic.Int64
	walk := func(ctx context.Context, node redis.Cmdable) error {
		n, err := b.walk(ctx, node, pattern, choose)
		total.Add(int64(n))
		return err
	}
	if b.cluster != nil {
		err = b.cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error { return walk(ctx, node) })
	} else {
		err = walk(ctx, b.client)
	}
	if err != nil {
		err = fmt.Errorf("txcache: redis: %w", err)
	}
	return int(total.Load()), err
}

// walk is scan on one node.
func (b *Backend) walk(ctx context.Context, node redis.Cmdable, pattern string, choose func(context.Context, []string) ([]string, error)) (removed int, err error) {
	var cursor uint64
	most := leastUnlinks
	for {
		start := time.Now()
		var keys []string
		err := b.briefly(ctx, func(ctx context.Context) (err error) {
			keys, cursor, err = node.Scan(ctx, cursor, pattern, scanCount).Result()
			return err
		})
		if err == nil && len(keys) > 0 {
			keys, err = choose(ctx, keys)
		}
		if err == nil {
			err = rest(ctx, start)
		}
		for err == nil && len(keys) > 0 {
			start = time.Now()
			now := keys[:min(most, len(keys))]
			keys = keys[len(now):]
			var n int
			n, err = b.unlink(ctx, node, now)
			removed += n
			if time.Since(start) > unlinkTime {
				most = max(leastUnlinks, most/2)
			} else {
				most = min(mostUnlinks, 2*most)
			}
			if err == nil {
				err = rest(ctx, start)
			}
		}
		if err != nil || cursor == 0 {
			return removed, err
		}
	}
}

// rest waits for as long as has passed since start.
func rest(ctx context.Context, start time.Time) error {
	timer := time.NewTimer(time.Since(start))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// unlink removes keys of a node, each with a command of its own.
func (b *Backend) unlink(ctx context.Context, node redis.Cmdable, keys []string) (removed int, err error) {
	err = b.briefly(ctx, func(ctx context.Context) error {
		cmds, err := node.Pipelined(ctx, func(p redis.Pipeliner) error {
			for _, key := range keys {
				p.Unlink(ctx, key)
			}
			return nil
		})
		for _, cmd := range cmds {
			if c, ok := cmd.(*redis.IntCmd); ok {
				removed += int(c.Val())
			}
		}
		// A slot that is being moved is left to expire.
		if redis.HasErrorPrefix(err, "MOVED") || redis.HasErrorPrefix(err, "ASK") {
			return nil
		}
		return err
	})
	b.counters.removed.Add(uint64(removed))
	return removed, err
}

// briefly calls f with the limit of a call.
func (b *Backend) briefly(ctx context.Context, f func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, b.options.Timeout)
	defer cancel()
	err := f(limited)
	if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return errSlow
	}
	return err
}
