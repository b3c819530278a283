package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/memorybackend"
	"github.com/seed-dad15c92/txcache/redisbackend"
	"github.com/seed-dad15c92/txcache/txpgx"
)

// views compares Views of one hit, which send the database nothing, over class memory with a hit of the store alone, and over
// class redis with a PING.
func (b *bench) views(ctx context.Context, addr string) error {
	client := redis.NewClient(&redis.Options{Addr: addr})
	defer client.Close()
	cfg := config.Default()
	cfg.Class, cfg.Redis.URI, cfg.Prefix = config.ClassRedis, "redis://"+addr, "bench-sql"
	remote, err := redisbackend.Open(ctx, cfg)
	if err != nil {
		return err
	}
	for _, side := range []struct {
		name    string
		backend backend.Backend
		times   int
		than    string
		other   func() error
	}{
		{"memory", memorybackend.New(), 100_000, "nothing", func() error { return nil }},
		{"redis", remote, 500, "a PING", func() error { return client.Ping(ctx).Err() }},
	} {
		store, cache, err := newStore(side.backend)
		if err != nil {
			return err
		}
		if err := store.View(ctx, database, func(tx *txcache.Tx) error { cache.Set(tx, 1, 1); return nil }); err != nil {
			return err
		}
		m, r, err := b.inTurns(side.times, whole(side.other), whole(func() error {
			return txpgx.View(ctx, store, database, b.pool, pgx.TxOptions{}, func(tx *txpgx.Tx) error {
				if _, ok := cache.Get(ctx, tx.Cache, 1); !ok {
					return errors.New("a miss")
				}
				return nil
			})
		}))
		if err := errors.Join(err, store.Drop(ctx, database), store.Close()); err != nil {
			return err
		}
		fmt.Printf("View of one hit, class %s: %.2f µs; %s: %.2f µs, ratio %.2f\n", side.name, m[1], side.than, m[0], r[1])
	}
	fmt.Println()
	return nil
}
