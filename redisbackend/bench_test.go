package redisbackend_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

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

func BenchmarkSyncByTerm(b *testing.B) {
	_, store := benched(b, config.SyncLease)
	for !store.Stats().Listening {
		runtime.Gosched()
	}
	for b.Loop() {
		if _, err := store.Sync(b.Context(), "shop"); err != nil {
			b.Fatal(err)
		}
	}
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

// BenchmarkSet20 is a transaction that sets 20 values. The pipeline beside it has
// the same commands: a time to live is what every value must have.
func BenchmarkSet20(b *testing.B) {
	server, store := benched(b, config.SyncBegin)
	raw := redis.NewClient(&redis.Options{Addr: server.Addr})
	defer raw.Close()
	data := make([]byte, 100)
	token := backend.NewToken()
	var values []backend.Value
	var names []string
	for i := range 20 {
		key := backend.Key{Database: "shop", Cache: "prices", Schema: "x", Token: token, Key: fmt.Sprint(i)}
		values = append(values, backend.Value{Key: key, Data: data})
		names = append(names, "rawcache:shop:prices@x:"+string(token)+":"+key.Key)
	}
	sideBySide(b, func(ctx context.Context) error {
		if err := raw.Ping(ctx).Err(); err != nil {
			return err
		}
		_, err := raw.Pipelined(ctx, func(p redis.Pipeliner) error {
			for _, name := range names {
				p.Set(ctx, name, data, 12*time.Hour)
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

// BenchmarkDeleteBesideFences deletes a key while so many other changes of the database have their fences, and reports
// how long the server was busy with each of its two scripts.
func BenchmarkDeleteBesideFences(b *testing.B) {
	change := func(hash uint64) backend.Fence {
		return backend.Fence{ID: backend.NewToken(), Lease: time.Minute, Keys: []backend.Keys{{Cache: "item", Hashes: []uint64{hash}}}}
	}
	for _, others := range []int{0, 4, 16} {
		b.Run(fmt.Sprint(others), func(b *testing.B) {
			server, store := benched(b, config.SyncBegin)
			for i := range others {
				if err := store.Fence(b.Context(), "shop", change(uint64(i))); err != nil {
					b.Fatal(err)
				}
			}
			server.Do("config", "resetstat")
			for i := uint64(100); b.Loop(); i++ {
				f := change(i)
				if err := store.Fence(b.Context(), "shop", f); err != nil {
					b.Fatal(err)
				}
				if _, err := store.Clear(b.Context(), "shop", f); err != nil {
					b.Fatal(err)
				}
			}
			stats := server.Client().Info(b.Context(), "commandstats").Val()
			m := regexp.MustCompile(`cmdstat_evalsha:.*usec_per_call=([\d.]+)`).FindStringSubmatch(stats)
			if m == nil {
				b.Fatalf("no scripts in\n%s", stats)
			}
			us, _ := strconv.ParseFloat(m[1], 64)
			b.ReportMetric(1000*us, "server-ns/script")
		})
	}
}

// BenchmarkDrop drops a database beside another of the same size.
func BenchmarkDrop(b *testing.B) {
	const n = 200_000
	_, store := benched(b, config.SyncBegin)
	set := func(name string) {
		s, err := store.Sync(b.Context(), name)
		if err != nil {
			b.Fatal(err)
		}
		fill(b, store, name, "c", s.Base, n)
	}
	set("neighbour")
	var took time.Duration
	for b.Loop() {
		b.StopTimer()
		set("shop")
		b.StartTimer()
		start := time.Now()
		if err := store.Drop(b.Context(), "shop"); err != nil {
			b.Fatal(err)
		}
		took += time.Since(start)
	}
	b.ReportMetric(float64(n)*float64(b.N)/took.Seconds(), "values/s")
}

func benched(b *testing.B, mode config.Sync) (*redistest.Server, *redisbackend.Backend) {
	server := redistest.Start(b)
	cfg := config.Default()
	cfg.Redis.URI, cfg.Sync = server.URI(), mode
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

// sideBySide measures two calls with one goroutine and with 64, their callers
// able to give up as those of a service are. The calls take turns, so that what
// else the machine does strikes both alike, and the median of each is reported.
func sideBySide(b *testing.B, raw, own func(context.Context) error) {
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	calls := [2]func(context.Context) error{raw, own}
	for _, goroutines := range []int{1, 64} {
		b.Run(fmt.Sprint(goroutines), func(b *testing.B) {
			var took [2][]time.Duration
			turn := 0
			for b.Loop() {
				for range calls {
					took[turn%2] = append(took[turn%2], together(b, goroutines, func() error { return calls[turn%2](ctx) }))
					turn++
				}
				turn++ // who was second is the first next time
			}
			var median [2]float64
			for i, all := range took {
				slices.Sort(all)
				median[i] = float64(all[len(all)/2])
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(median[0], "raw-ns")
			b.ReportMetric(median[1], "own-ns")
			b.ReportMetric(median[1]/median[0], "own/raw")
			if goroutines == 1 {
				b.ReportMetric(testing.AllocsPerRun(100, func() { _ = raw(ctx) }), "raw-allocs")
				b.ReportMetric(testing.AllocsPerRun(100, func() { _ = own(ctx) }), "own-allocs")
			}
		})
	}
}

// together returns how long a call takes, on the average of 20 for each
// goroutine where there are many.
func together(b *testing.B, goroutines int, call func() error) time.Duration {
	start := time.Now()
	if goroutines == 1 {
		if err := call(); err != nil {
			b.Fatal(err)
		}
		return time.Since(start)
	}
	const each = 20
	var all sync.WaitGroup
	for range goroutines {
		all.Go(func() {
			for range each {
				if err := call(); err != nil {
					b.Error(err)
				}
			}
		})
	}
	all.Wait()
	return time.Since(start) / time.Duration(each*goroutines)
}

// BenchmarkControlBesideBulk begins, fences and clears over a line of 1 Gbit/s
// on which a tenant reads, or sets, values of 10 MB all the time.
func BenchmarkControlBesideBulk(b *testing.B) {
	server := redistest.Start(b)
	cfg := config.Default()
	cfg.Redis.URI = "redis://" + redistest.Paced(b, server.Addr, redistest.Gigabit) + "/0"
	open := func() *redisbackend.Backend {
		store, err := redisbackend.Open(b.Context(), cfg)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = store.Close() })
		return store
	}
	store := open()
	var keys []backend.Key
	var values []backend.Value
	data := make([]byte, 10_000_000)
	for i := range 12 {
		keys = append(keys, backend.Key{Database: "tenant", Cache: "reports", Schema: "s", Token: "t", Key: fmt.Sprint(i)})
		values = append(values, backend.Value{Key: keys[i], Data: data})
	}
	if err := store.Set(b.Context(), values); err != nil {
		b.Fatal(err)
	}
	for _, bulk := range []struct {
		name string
		call func(context.Context) error
	}{
		{"quiet", func(ctx context.Context) error { <-ctx.Done(); return nil }},
		{"reading", func(ctx context.Context) error { _, err := store.Get(ctx, keys); return err }},
		{"setting", func(ctx context.Context) error { return store.Set(ctx, values) }},
	} {
		b.Run(bulk.name, func(b *testing.B) {
			ctx, cancel := context.WithCancel(b.Context())
			var all sync.WaitGroup
			all.Go(func() {
				for ctx.Err() == nil {
					if err := bulk.call(ctx); err != nil && ctx.Err() == nil {
						b.Error(err)
					}
				}
			})
			var begins, fences []time.Duration
			for b.Loop() {
				time.Sleep(time.Millisecond)
				f := backend.Fence{ID: backend.NewToken(), Lease: time.Minute, Caches: []backend.Generation{{Cache: "c"}}}
				start := time.Now()
				_, err1 := store.Sync(ctx, "neighbour")
				middle := time.Now()
				err2 := store.Fence(ctx, "neighbour", f)
				end := time.Now()
				_, err3 := store.Clear(ctx, "neighbour", f)
				if err := errors.Join(err1, err2, err3); err != nil {
					b.Fatal(err)
				}
				begins, fences = append(begins, middle.Sub(start)), append(fences, end.Sub(middle))
			}
			cancel()
			all.Wait()
			b.ReportMetric(0, "ns/op")
			for name, took := range map[string][]time.Duration{"begin": begins, "fence": fences} {
				slices.Sort(took)
				b.ReportMetric(float64(took[len(took)/2].Microseconds()), name+"-p50-µs")
				b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), name+"-p99-µs")
			}
		})
	}
}
