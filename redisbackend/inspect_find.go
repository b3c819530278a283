package redisbackend

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/inspect"
)

// findBatch is how many values one request asks for: they may be large.
const findBatch = 16

func (b inspector) Find(ctx context.Context, database, cache string, token backend.Token, limit int, match func(*inspect.Entry) bool) (found []inspect.Found, matched int, err error) {
	pattern := b.layout.prefix + ":" + escape(database) + ":" + escape(cache) + "@*:" + escape(string(token)) + ":*"
	seen := map[string]bool{} // a walk may meet a key twice
	err = b.visitKeys(ctx, pattern, func(_ context.Context, keys []string) error {
		for _, key := range keys {
			e, ok := b.layout.entry(key)
			if !ok || isPart(key) || seen[key] || !match(&e) {
				continue
			}
			seen[key] = true
			if len(found) < limit {
				found = append(found, inspect.Found{Entry: e})
			}
		}
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	for part := range slices.Chunk(found, findBatch) {
		if err := b.fill(ctx, part); err != nil {
			return nil, 0, err
		}
	}
	matched = len(seen)
	kept := slices.DeleteFunc(found, func(f inspect.Found) bool { return f.Data == nil }) // it has just expired
	matched -= len(found) - len(kept)
	slices.SortFunc(kept, func(a, b inspect.Found) int {
		return cmp.Or(cmp.Compare(a.Schema, b.Schema), cmp.Compare(a.Name, b.Name))
	})
	return kept, matched, nil
}

// fill gets the data of found.
func (b inspector) fill(ctx context.Context, found []inspect.Found) error {
	var names []string
	var cmds []redis.Cmder
	for _, f := range found {
		names = append(names, f.Name, f.Name)
		cmds = append(cmds,
			redis.NewStringCmd(context.Background(), "get", f.Name),
			redis.NewIntCmd(context.Background(), "pttl", f.Name))
	}
	if err := b.scatter(ctx, names, cmds, partSize); err != nil {
		return err
	}
	for i := range found {
		data, err := dataOf(cmds[2*i].(*redis.StringCmd))
		if err != nil {
			return err
		}
		if summarized(data) {
			if data, err = b.assemble(ctx, found[i].Name, data); err != nil {
				return err
			}
		}
		found[i].Data, found[i].TTL = data, -1
		ms, err := cmds[2*i+1].(*redis.IntCmd).Result()
		switch {
		case err == nil && ms >= 0:
			found[i].TTL = time.Duration(ms) * time.Millisecond
		case err != nil && !redis.HasErrorPrefix(err, "NOPERM"):
			return fmt.Errorf("txcache: redis: %w", err)
		}
	}
	return nil
}
