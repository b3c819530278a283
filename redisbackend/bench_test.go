package redisbackend_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/redistest"
	"github.com/seed-dad15c92/txcache/redisbackend"
)

// Each benchmark stands beside what the raw client does with the same server.

func BenchmarkGet(b *testing.B) {
	server, store := benched(b, config.SyncBegin)
	raw := redis.NewClient(&redis.Options{Addr: server.Addr})
	defer raw.Close()
	key := backend.Key{Database: "shop", Cache: "prices", Schema: "x", Token: "t", Key: "1"}
	data := make([]byte, 100)
	if err := store.Set(b.Context(), []backend.Value{{Key: key, Data: data}}); err != nil {
		b.Fatal(err)
	}
	if err := raw.Set(b.Context(), "raw", data, 0).Err(); err != nil {
		b.Fatal(err)
	}
	sideBySide(b, func(ctx context.Context) error { return raw.Get(ctx, "raw").Err() }, func(ctx context.Context) error {
		_, err := store.Get(ctx, []backend.Key{key})
		return err
	})
}

func BenchmarkSync(b *testing.B) {
	server, store := benched(b, config.SyncBegin)
	raw := redis.NewClient(&redis.Options{Addr: server.Addr})
	defer raw.Close()
	sideBySide(b, func(ctx context.Context) error { return raw.Ping(ctx).Err() }, func(ctx context.Context) error {
		_, err := store.Sync(ctx, "shop")
		return err
	})
}

func BenchmarkSyncByChannel(b *testing.B) {
	_, store := benched(b, config.SyncChannel)
	for !store.Stats().Listening {
		runtime.Gosched()
	}
	for b.Loop() {
		if _, err := store.Sync(b.Context(), "shop"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSet20(b *testing.B) {
	server, store := benched(b, config.SyncBegin)
	raw := redis.NewClient(&redis.Options{Addr: server.Addr})
	defer raw.Close()
	data := make([]byte, 100)
	var values []backend.Value
	for i := range 20 {
		values = append(values, backend.Value{Key: backend.Key{Database: "shop", Cache: "c", Token: "t", Key: fmt.Sprint(i)}, Data: data})
	}
	sideBySide(b, func(ctx context.Context) error {
		if err := raw.Ping(ctx).Err(); err != nil {
			return err
		}
		_, err := raw.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i := range 20 {
				p.Set(ctx, fmt.Sprint(i), data, 0)
			}
			return nil
		})
		return err
	}, func(ctx context.Context) error {
		if _, err := store.Sync(ctx, "shop"); err != nil {
			return err
		}
		return store.Set(ctx, values)
	})
}

func BenchmarkClear(b *testing.B) {
	_, store := benched(b, config.SyncBegin)
	for b.Loop() {
		f := backend.Fence{ID: backend.NewToken(), Lease: 1e10, Caches: []backend.Generation{{Cache: "c"}}}
		if err := store.Fence(b.Context(), "shop", f); err != nil {
			b.Fatal(err)
		}
		if _, err := store.Clear(b.Context(), "shop", f); err != nil {
			b.Fatal(err)
		}
	}
}

func benched(b *testing.B, sync config.Sync) (*redistest.Server, *redisbackend.Backend) {
	server := redistest.Start(b)
	cfg := config.Default()
	cfg.Redis.URI, cfg.Sync = server.URI(), sync
	store, err := redisbackend.Open(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = store.Close() })
	for range 3 {
		if _, err := store.Sync(b.Context(), "shop"); err != nil {
			b.Fatal(err)
		}
	}
	return server, store
}

// sideBySide measures both with one goroutine and with 64, their callers able
// to give up as those of a service are.
func sideBySide(b *testing.B, raw, own func(context.Context) error) {
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	for _, goroutines := range []int{1, 64} {
		for _, m := range []struct {
			name string
			call func(context.Context) error
		}{{"raw", raw}, {"own", own}} {
			b.Run(fmt.Sprintf("%s/%d", m.name, goroutines), func(b *testing.B) {
				if goroutines == 1 {
					for b.Loop() {
						if err := m.call(ctx); err != nil {
							b.Fatal(err)
						}
					}
					return
				}
				b.SetParallelism(goroutines / runtime.GOMAXPROCS(0))
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if err := m.call(ctx); err != nil {
							b.Error(err)
							return
						}
					}
				})
			})
		}
	}
}
