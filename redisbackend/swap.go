package redisbackend

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache/backend"
)

// Swap changes values that are as expected, in one round trip to each server.
func (b *Backend) Swap(ctx context.Context, swaps []backend.Swap) ([][]byte, error) {
	if err := b.usable(ctx); err != nil {
		return nil, err
	}
	found := make([][]byte, len(swaps))
	if len(swaps) == 0 {
		return found, nil
	}
	names := make([]string, len(swaps))
	cmds := make([]redis.Cmder, len(swaps))
	for i := range swaps {
		s := &swaps[i]
		names[i] = b.layout.value(&s.Key)
		cmds[i] = swapScript.command(names[i], some(s.Old), some(s.New), max(1, cmp.Or(s.TTL, b.options.Duration).Milliseconds()))
	}
	if err := b.spread(ctx, names, cmds); err != nil {
		return nil, err
	}
	for i, cmd := range cmds {
		text, err := cmd.(*redis.Cmd).Text()
		switch {
		case err == nil:
			found[i] = []byte(text)
		case !errors.Is(err, redis.Nil):
			return nil, fmt.Errorf("txcache: redis: %w", err)
		}
	}
	return found, nil
}

// some tells data from nothing, for a script.
func some(data []byte) string {
	if data == nil {
		return ""
	}
	return "+" + string(data)
}
