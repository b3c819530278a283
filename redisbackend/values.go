package redisbackend

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache/backend"
)

// multiGet is how many values one MGET asks for, so that none keeps the server
// busy for long.
const multiGet = 250

// Get returns the data kept under keys, in one round trip to each server. A
// key that holds something else than a string holds nothing.
func (b *Backend) Get(ctx context.Context, keys []backend.Key) ([][]byte, error) {
	if err := b.usable(ctx); err != nil {
		return nil, err
	}
	data := make([][]byte, len(keys))
	switch {
	case len(keys) == 0:
		return data, nil
	case len(keys) == 1:
		key := b.layout.value(&keys[0])
		cmd := redis.NewStringCmd(context.Background(), "get", key)
		if err := b.do(ctx, key, cmd); err != nil {
			return nil, err
		}
		var err error
		data[0], err = got(cmd)
		return data, err
	case b.cluster == nil:
		return data, b.getTogether(ctx, keys, data)
	}
	return data, b.getApart(ctx, keys, data)
}

// getTogether gets keys of one server.
func (b *Backend) getTogether(ctx context.Context, keys []backend.Key, data [][]byte) error {
	cmds := make([]redis.Cmder, 0, (len(keys)+multiGet-1)/multiGet)
	for start := 0; start < len(keys); start += multiGet {
		part := keys[start:min(start+multiGet, len(keys))]
		args := make([]any, 1, 1+len(part))
		args[0] = "mget"
		for i := range part {
			args = append(args, b.layout.value(&part[i]))
		}
		cmds = append(cmds, redis.NewSliceCmd(context.Background(), args...))
	}
	if err := b.do(ctx, "", cmds...); err != nil {
		return err
	}
	for i, cmd := range cmds {
		values, err := cmd.(*redis.SliceCmd).Result()
		if err != nil {
			return fmt.Errorf("txcache: redis: %w", err)
		}
		for j, value := range values {
			if text, ok := value.(string); ok && i*multiGet+j < len(data) {
				data[i*multiGet+j] = []byte(text)
			}
		}
	}
	return nil
}

// getApart gets keys of a cluster.
func (b *Backend) getApart(ctx context.Context, keys []backend.Key, data [][]byte) error {
	names := make([]string, len(keys))
	cmds := make([]redis.Cmder, len(keys))
	for i := range keys {
		names[i] = b.layout.value(&keys[i])
		cmds[i] = redis.NewStringCmd(context.Background(), "get", names[i])
	}
	if err := b.spread(ctx, names, cmds); err != nil {
		return err
	}
	var err error
	for i, cmd := range cmds {
		if data[i], err = got(cmd.(*redis.StringCmd)); err != nil {
			return err
		}
	}
	return nil
}

// got returns the data of the reply to a GET.
func got(cmd *redis.StringCmd) ([]byte, error) {
	data, err := cmd.Bytes()
	switch {
	case err == nil:
		return data, nil
	case errors.Is(err, redis.Nil) || redis.HasErrorPrefix(err, "WRONGTYPE"):
		return nil, nil
	}
	return nil, fmt.Errorf("txcache: redis: %w", err)
}

// Set keeps values, in one round trip to each server. Where some could not be
// kept it returns the first reason, and the others are kept all the same.
func (b *Backend) Set(ctx context.Context, values []backend.Value) error {
	if err := b.usable(ctx); err != nil {
		return err
	}
	size := 0
	for i := range values {
		size += len(values[i].Data)
	}
	// The data is copied because it may still be on its way when ctx ends. All
	// commands share what can be shared: this is the path of every commit.
	data := make([]byte, 0, size)
	names := make([]string, 0, len(values))
	args := make([]any, 0, 5*len(values))
	cmds := make([]redis.Cmder, 0, len(values))
	var ttl time.Duration
	var ms any // ttl in milliseconds
	for i := range values {
		v := &values[i]
		if d := cmp.Or(v.TTL, b.options.Duration); d != ttl {
			ttl, ms = d, d.Milliseconds()
		}
		if ttl < time.Millisecond {
			continue // it would be over before it could be read
		}
		name, from, first := b.layout.value(&v.Key), len(data), len(args)
		data = append(data, v.Data...)
		args = append(args, "set", name, data[from:], "px", ms)
		names = append(names, name)
		cmds = append(cmds, redis.NewStatusCmd(context.Background(), args[first:len(args):len(args)]...))
	}
	if len(cmds) == 0 {
		return nil
	}
	if err := b.spread(ctx, names, cmds); err != nil {
		return err
	}
	b.count(values)
	for _, cmd := range cmds {
		if err := cmd.Err(); err != nil {
			return fmt.Errorf("txcache: redis: %w", err)
		}
	}
	return nil
}

// spread sends each command to the server of its key, to all servers at once.
func (b *Backend) spread(ctx context.Context, keys []string, cmds []redis.Cmder) error {
	if b.cluster == nil {
		return b.do(ctx, keys[0], cmds...)
	}
	type part struct {
		key  string
		cmds []redis.Cmder
	}
	parts := map[*link]*part{}
	for i, key := range keys {
		l := b.links.of(key)
		if parts[l] == nil {
			parts[l] = &part{key: key}
		}
		parts[l].cmds = append(parts[l].cmds, cmds[i])
	}
	var mu sync.Mutex
	var first error
	var all sync.WaitGroup
	for _, p := range parts {
		all.Go(func() {
			if err := b.do(ctx, p.key, p.cmds...); err != nil {
				mu.Lock()
				defer mu.Unlock()
				first = errors.Join(first, err)
			}
		})
	}
	all.Wait()
	return first
}
