package caches

import (
	"context"
	"errors"
	"time"

	"github.com/go-redis/cache/v9"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// lifetime is that of every value on Redis.
const lifetime = time.Hour

// NewClient returns a client with the defaults of go-redis, but for the
// notifications of maintenance, which an ordinary server does not know.
func NewClient(addr string) *redis.Client {
	return redis.NewClient(&redis.Options{
		Addr:                     addr,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
}

// GoRedis is the plain client, with GET, and a pipeline of SET.
func GoRedis[V any]() RemoteKind[V] {
	return RemoteKind[V]{"go-redis, GET", func(addr string, _ int) (Remote[V], error) {
		return goRedis[V]{NewClient(addr)}, nil
	}}
}

type goRedis[V any] struct{ client *redis.Client }

func (c goRedis[V]) Get(ctx context.Context, key string) (value V, ok bool, err error) {
	data, err := c.client.Get(ctx, "go-redis:"+key).Bytes()
	if errors.Is(err, redis.Nil) {
		return value, false, nil
	} else if err != nil {
		return value, false, err
	}
	value, err = decode[V](data)
	return value, err == nil, err
}

func (c goRedis[V]) SetMany(ctx context.Context, values map[string]V) error {
	_, err := c.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for key, value := range values {
			data, err := encode(value)
			if err != nil {
				return err
			}
			p.Set(ctx, "go-redis:"+key, data, lifetime)
		}
		return nil
	})
	return err
}

// GoRedisBegun is the plain client, which asks for something, by PING, before each pipeline, as a
// transaction does that begins.
func GoRedisBegun[V any]() RemoteKind[V] {
	return RemoteKind[V]{"go-redis, PING and pipeline", func(addr string, _ int) (Remote[V], error) {
		return goRedisBegun[V]{goRedis[V]{NewClient(addr)}}, nil
	}}
}

type goRedisBegun[V any] struct{ goRedis[V] }

func (c goRedisBegun[V]) SetMany(ctx context.Context, values map[string]V) error {
	if err := c.client.Ping(ctx).Err(); err != nil {
		return err
	}
	return c.goRedis.SetMany(ctx, values)
}

func (c goRedis[V]) Close() { _ = c.client.Close() }

// GoRedisCache is go-redis/cache, with or without its local cache. It can set
// but one value at a time.
func GoRedisCache[V any](local bool) RemoteKind[V] {
	name := "go-redis/cache, no local cache"
	if local {
		name = "go-redis/cache, local cache"
	}
	return RemoteKind[V]{name, func(addr string, size int) (Remote[V], error) {
		client := NewClient(addr)
		o := &cache.Options{Redis: client}
		if local {
			o.LocalCache = cache.NewTinyLFU(size, lifetime)
		}
		return goRedisCache[V]{client, cache.New(o)}, nil
	}}
}

type goRedisCache[V any] struct {
	client *redis.Client
	cache  *cache.Cache
}

func (c goRedisCache[V]) Get(ctx context.Context, key string) (value V, ok bool, err error) {
	err = c.cache.Get(ctx, "go-redis-cache:"+key, &value)
	if errors.Is(err, cache.ErrCacheMiss) {
		return value, false, nil
	}
	return value, err == nil, err
}

func (c goRedisCache[V]) SetMany(ctx context.Context, values map[string]V) error {
	for key, value := range values {
		if err := c.cache.Set(&cache.Item{Ctx: ctx, Key: "go-redis-cache:" + key, Value: value, TTL: lifetime}); err != nil {
			return err
		}
	}
	return nil
}

func (c goRedisCache[V]) Close() { _ = c.client.Close() }
