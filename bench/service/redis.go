package main

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/go-redis/cache/v9"
	"github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"
	"github.com/vmihailenco/msgpack/v5"

	"github.com/seed-dad15c92/txcache/bench/caches"
)

// lifetime is that of a value in Redis.
const lifetime = time.Hour

func redisKey(id int64) string { return "item:" + strconv.FormatInt(id, 10) }

// A remote is a cache in Redis that stands beside the database.
type remote interface {
	get(ctx context.Context, ids []int64) (map[int64]Row, error)
	set(ctx context.Context, rows map[int64]Row) error
	del(ctx context.Context, id int64) error
}

// A besides service reads rows from a cache, and those that it lacks from the database with
// one statement. It deletes a row from the cache after the commit that changes it.
type besides struct {
	db    *database
	cache remote
}

func (s besides) read(ctx context.Context, ids []int64) (map[int64]Row, error) {
	rows, err := s.cache.get(ctx, ids)
	if err != nil {
		return nil, err
	}
	var missing []int64
	for _, id := range ids {
		if _, ok := rows[id]; !ok {
			missing = append(missing, id)
		}
	}
	if len(missing) == 0 {
		return rows, nil
	}
	loaded, err := s.db.rows(ctx, s.db.pool, missing)
	if err != nil {
		return nil, err
	}
	for id, r := range loaded {
		rows[id] = r
	}
	return rows, s.cache.set(ctx, loaded)
}

func (s besides) write(ctx context.Context, id int64) (int64, error) {
	r, err := s.db.commit(ctx, id)
	if err != nil {
		return 0, err
	}
	return r.Version, s.cache.del(ctx, id)
}

// goRedisCache is go-redis/cache, which gets and sets one value at a time.
type goRedisCache struct{ cache *cache.Cache }

// openGoRedisCache opens a service with go-redis/cache, with or without the local cache of
// its README.
func openGoRedisCache(local bool) func(context.Context, *environment) (service, error) {
	return func(_ context.Context, e *environment) (service, error) {
		o := &cache.Options{Redis: caches.NewClient(e.redis)}
		if local {
			o.LocalCache = cache.NewTinyLFU(e.room(), time.Minute)
		}
		return besides{e.db, goRedisCache{cache.New(o)}}, nil
	}
}

func (c goRedisCache) get(ctx context.Context, ids []int64) (map[int64]Row, error) {
	rows := make(map[int64]Row, len(ids))
	for _, id := range ids {
		var r Row
		switch err := c.cache.Get(ctx, redisKey(id), &r); {
		case err == nil:
			rows[id] = r
		case !errors.Is(err, cache.ErrCacheMiss):
			return nil, err
		}
	}
	return rows, nil
}

func (c goRedisCache) set(ctx context.Context, rows map[int64]Row) error {
	for id, r := range rows {
		if err := c.cache.Set(&cache.Item{Ctx: ctx, Key: redisKey(id), Value: r, TTL: lifetime}); err != nil {
			return err
		}
	}
	return nil
}

func (c goRedisCache) del(ctx context.Context, id int64) error {
	return c.cache.Delete(ctx, redisKey(id))
}

// goRedis is MGET, SET and DEL by hand.
type goRedis struct{ client *redis.Client }

func openGoRedis(_ context.Context, e *environment) (service, error) {
	return besides{e.db, goRedis{caches.NewClient(e.redis)}}, nil
}

func (c goRedis) get(ctx context.Context, ids []int64) (map[int64]Row, error) {
	keys := make([]string, len(ids))
	for i, id := range ids {
		keys[i] = redisKey(id)
	}
	values, err := c.client.MGet(ctx, keys...).Result()
	if err != nil {
		return nil, err
	}
	rows := make(map[int64]Row, len(ids))
	for i, value := range values {
		text, ok := value.(string)
		if !ok {
			continue
		}
		var r Row
		if err := msgpack.Unmarshal([]byte(text), &r); err != nil {
			return nil, err
		}
		rows[ids[i]] = r
	}
	return rows, nil
}

func (c goRedis) set(ctx context.Context, rows map[int64]Row) error {
	_, err := c.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for id, r := range rows {
			data, err := msgpack.Marshal(r)
			if err != nil {
				return err
			}
			p.Set(ctx, redisKey(id), data, lifetime)
		}
		return nil
	})
	return err
}

func (c goRedis) del(ctx context.Context, id int64) error {
	return c.client.Del(ctx, redisKey(id)).Err()
}

// rueidisCache is rueidis with its client-side cache, which the server invalidates.
type rueidisCache struct{ client rueidis.Client }

func openRueidis(_ context.Context, e *environment) (service, error) {
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{e.redis}})
	return besides{e.db, rueidisCache{client}}, err
}

func (c rueidisCache) get(ctx context.Context, ids []int64) (map[int64]Row, error) {
	keys := make([]string, len(ids))
	for i, id := range ids {
		keys[i] = redisKey(id)
	}
	values, err := rueidis.MGetCache(c.client, ctx, lifetime, keys)
	if err != nil {
		return nil, err
	}
	rows := make(map[int64]Row, len(ids))
	for i, key := range keys {
		value := values[key]
		if value.IsNil() {
			continue
		}
		data, err := value.AsBytes()
		if err != nil {
			return nil, err
		}
		var r Row
		if err := msgpack.Unmarshal(data, &r); err != nil {
			return nil, err
		}
		rows[ids[i]] = r
	}
	return rows, nil
}

func (c rueidisCache) set(ctx context.Context, rows map[int64]Row) error {
	commands := make(rueidis.Commands, 0, len(rows))
	for id, r := range rows {
		data, err := msgpack.Marshal(r)
		if err != nil {
			return err
		}
		commands = append(commands, c.client.B().Set().Key(redisKey(id)).Value(rueidis.BinaryString(data)).Ex(lifetime).Build())
	}
	for _, result := range c.client.DoMulti(ctx, commands...) {
		if err := result.Error(); err != nil {
			return err
		}
	}
	return nil
}

func (c rueidisCache) del(ctx context.Context, id int64) error {
	return c.client.Do(ctx, c.client.B().Del().Key(redisKey(id)).Build()).Error()
}
