package txcache_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

// The keys of the benchmarks: a thousand, all of which fit.
var benchKeys = func() []string {
	keys := make([]string, 1000)
	for i := range keys {
		keys[i] = "key-" + strconv.Itoa(i)
	}
	return keys
}()

// filled returns a store and a cache that holds a value under every bench key.
func filled(b *testing.B, opts *txcache.CacheOptions) (*txcache.Store, *txcache.Cache[string, any]) {
	s := txcache.Must(txcache.New(memorybackend.New(), nil))
	c := txcache.Must(txcache.NewCache[string, any](s, "bench", opts))
	err := s.View(b.Context(), "db", func(tx *txcache.Tx) error {
		for i, key := range benchKeys {
			c.Set(tx, key, i)
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return s, c
}

// BenchmarkMap is the yardstick: a read of a plain map.
func BenchmarkMap(b *testing.B) {
	m := map[string]any{}
	for i, key := range benchKeys {
		m[key] = i
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, ok := m[benchKeys[i%1000]]; !ok {
			b.Fatal("miss")
		}
		i++
	}
}

func BenchmarkHit(b *testing.B) {
	for _, bench := range []struct {
		name string
		opts txcache.CacheOptions
		user bool
	}{
		{name: "context-free", opts: txcache.CacheOptions{ContextFree: true}},
		{name: "context", opts: txcache.CacheOptions{Size: 4096}, user: true},
		{name: "duration", opts: txcache.CacheOptions{ContextFree: true, Duration: time.Hour}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			s, c := filled(b, &bench.opts)
			ctx := b.Context()
			tx := txcache.Must(s.BeginReadOnly(ctx, "db"))
			defer tx.Rollback()
			if bench.user {
				tx = tx.WithUser(7).WithContext(map[string]any{"language": "en", "company": 3})
				for i, key := range benchKeys {
					c.Set(tx, key, i)
				}
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if _, ok := c.Get(ctx, tx, benchKeys[i%1000]); !ok {
					b.Fatal("miss")
				}
				i++
			}
		})
	}
}

// BenchmarkHitDeletes is a hit in a cache in which keys were deleted, all of them after the
// values were set.
func BenchmarkHitDeletes(b *testing.B) {
	const deletes = 10_000
	hits := func(b *testing.B, s *txcache.Store, c *txcache.Cache[string, any]) {
		ctx := b.Context()
		tx := txcache.Must(s.BeginReadOnly(ctx, "db"))
		defer tx.Rollback()
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			if _, ok := c.Get(ctx, tx, benchKeys[i%1000]); !ok {
				b.Fatal("miss")
			}
			i++
		}
	}
	remembered := func(b *testing.B) (*txcache.Store, *txcache.Cache[string, any]) {
		s, c := filled(b, &txcache.CacheOptions{ContextFree: true})
		tx := txcache.Must(s.Begin(b.Context(), "db"))
		for i := range deletes {
			if i%1000 == 0 {
				if err := tx.Commit(b.Context()); err != nil {
					b.Fatal(err)
				}
				tx = txcache.Must(s.Begin(b.Context(), "db"))
			}
			if err := c.Delete(tx, "other-"+strconv.Itoa(i)); err != nil {
				b.Fatal(err)
			}
		}
		if err := tx.Commit(b.Context()); err != nil {
			b.Fatal(err)
		}
		return s, c
	}
	b.Run("none", func(b *testing.B) {
		s, c := filled(b, &txcache.CacheOptions{ContextFree: true})
		hits(b, s, c)
	})
	// Each value is looked for among the deletes at its first hit.
	b.Run("remembered", func(b *testing.B) {
		s, c := remembered(b)
		hits(b, s, c)
	})
	// As long as a fence stands on any key of the cache, that is so at each hit.
	b.Run("remembered, a fence stands", func(b *testing.B) {
		s, c := remembered(b)
		tx := txcache.Must(s.Begin(b.Context(), "db"))
		if err := c.Delete(tx, "another"); err != nil {
			b.Fatal(err)
		}
		err := tx.CommitWith(b.Context(), func(context.Context) error {
			hits(b, s, c)
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkLoadManyHits is a transaction with one LoadMany of twenty hits, alone and while a
// fence stands on another key of the cache.
func BenchmarkLoadManyHits(b *testing.B) {
	hits := func(b *testing.B, s *txcache.Store, c *txcache.Cache[string, any]) {
		ctx := b.Context()
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			tx := txcache.Must(s.BeginReadOnly(ctx, "db"))
			_, err := c.LoadMany(ctx, tx, benchKeys[i:i+20], func(context.Context, []string) (map[string]any, error) {
				return nil, errors.New("a miss")
			})
			if err := errors.Join(err, tx.Commit(ctx)); err != nil {
				b.Fatal(err)
			}
			i = (i + 20) % 1000
		}
	}
	b.Run("alone", func(b *testing.B) {
		s, c := filled(b, &txcache.CacheOptions{ContextFree: true})
		hits(b, s, c)
	})
	b.Run("a fence stands", func(b *testing.B) {
		s, c := filled(b, &txcache.CacheOptions{ContextFree: true})
		tx := txcache.Must(s.Begin(b.Context(), "db"))
		if err := c.Delete(tx, "another"); err != nil {
			b.Fatal(err)
		}
		err := tx.CommitWith(b.Context(), func(context.Context) error {
			hits(b, s, c)
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkDelete is a transaction that deletes one of a thousand keys.
func BenchmarkDelete(b *testing.B) {
	s, c := filled(b, &txcache.CacheOptions{ContextFree: true})
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		tx := txcache.Must(s.Begin(b.Context(), "db"))
		if err := c.Delete(tx, benchKeys[i%1000]); err != nil {
			b.Fatal(err)
		}
		if err := tx.Commit(b.Context()); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

// BenchmarkHitParallel is a hit by several goroutines, in one transaction and
// in one each.
func BenchmarkHitParallel(b *testing.B) {
	for _, goroutines := range []int{1, 8, 64} {
		for _, shared := range []bool{true, false} {
			b.Run(fmt.Sprintf("%d/shared=%v", goroutines, shared), func(b *testing.B) {
				s, c := filled(b, &txcache.CacheOptions{ContextFree: true})
				ctx := b.Context()
				one := txcache.Must(s.BeginReadOnly(ctx, "db"))
				defer one.Rollback()
				b.SetParallelism((goroutines + 1) / 2)
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					tx := one
					if !shared {
						tx = txcache.Must(s.BeginReadOnly(ctx, "db"))
						defer tx.Rollback()
					}
					for i := 0; pb.Next(); i++ {
						if _, ok := c.Get(ctx, tx, benchKeys[i%1000]); !ok {
							b.Error("miss")
						}
					}
				})
			})
		}
	}
}

// BenchmarkTransaction is a transaction with ten hits, beside ten hits alone.
func BenchmarkTransaction(b *testing.B) {
	s, c := filled(b, &txcache.CacheOptions{ContextFree: true})
	ctx := b.Context()
	hits := func(tx *txcache.Tx, i int) {
		for j := range 10 {
			if _, ok := c.Get(ctx, tx, benchKeys[(i+j)%1000]); !ok {
				b.Fatal("miss")
			}
		}
	}
	b.Run("ten hits", func(b *testing.B) {
		tx := txcache.Must(s.BeginReadOnly(ctx, "db"))
		defer tx.Rollback()
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			hits(tx, i)
			i += 10
		}
	})
	b.Run("begin, ten hits, commit", func(b *testing.B) {
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			tx, err := s.BeginReadOnly(ctx, "db")
			if err != nil {
				b.Fatal(err)
			}
			hits(tx, i)
			if err := tx.Commit(ctx); err != nil {
				b.Fatal(err)
			}
			i += 10
		}
	})
}

// BenchmarkClear is a transaction that clears a cache of so many values; see
// ns/clear, for most of the rest is filling it anew.
func BenchmarkClear(b *testing.B) {
	for _, n := range []int{0, 1000, 1_000_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			s := txcache.Must(txcache.New(memorybackend.New(), nil))
			big := txcache.Must(txcache.NewCache[int, int](s, "big", &txcache.CacheOptions{Size: 1 << 20, ContextFree: true}))
			ctx := b.Context()
			var clears int
			var clearing time.Duration
			for b.Loop() {
				reader := txcache.Must(s.BeginReadOnly(ctx, "db"))
				for i := range n {
					big.Set(reader, i, i)
				}
				reader.Rollback()
				runtime.GC() // what the filling has left is no cost of the clear
				start := time.Now()
				tx := txcache.Must(s.Begin(ctx, "db"))
				if err := big.Clear(tx); err != nil {
					b.Fatal(err)
				}
				if err := tx.Commit(ctx); err != nil {
					b.Fatal(err)
				}
				clearing += time.Since(start)
				clears++
			}
			b.ReportMetric(float64(clearing.Nanoseconds())/float64(clears), "ns/clear")
		})
	}
}

// BenchmarkSet is a commit of a read-write transaction that set twenty values.
func BenchmarkSet(b *testing.B) {
	s, c := filled(b, nil)
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		err := s.Update(ctx, "db", func(tx *txcache.Tx) error {
			for i := range 20 {
				c.Set(tx, benchKeys[i], i)
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
