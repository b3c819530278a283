package near_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/internal/near"
)

func benchmarkKeys(n int) ([]string, []uint64) {
	keys, hashes := make([]string, n), make([]uint64, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("some.record.%d", i)
		hashes[i] = hashOf(keys[i])
	}
	return keys, hashes
}

// BenchmarkGetHit does not count the hashing of the key.
func BenchmarkGetHit(b *testing.B) {
	const n = 1024 // a power of two
	keys, hashes := benchmarkKeys(n)
	for _, c := range []struct {
		name    string
		expires int64
	}{{"forever", 0}, {"expiring", near.Now() + int64(time.Hour)}} {
		m := near.New[string, any](2 * n)
		for i, key := range keys {
			m.Set(key, hashes[i], i, c.expires, 0)
		}
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, ok := m.Get(keys[i%n], hashes[i%n]); !ok {
					b.Fatal("a miss")
				}
			}
		})
		b.Run(c.name+"/8", func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(8)
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					if _, ok := m.Get(keys[i%n], hashes[i%n]); !ok {
						b.Error("a miss")
						return
					}
				}
			})
		})
	}
	yardstick := make(map[string]any, n)
	for i, key := range keys {
		yardstick[key] = i
	}
	b.Run("map, hashing included", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if _, ok := yardstick[keys[i%n]]; !ok {
				b.Fatal("a miss")
			}
		}
	})
}

// BenchmarkSetFull sets new keys where each needs room.
func BenchmarkSetFull(b *testing.B) {
	const n = 1 << 14
	keys, hashes := benchmarkKeys(n)
	m := near.New[string, any](n / 16)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		m.Set(keys[i%n], hashes[i%n], nil, 0, 0)
	}
}

// BenchmarkMixed gets keys of a skewed trace from a map that is too small for them all,
// and sets those that are missing: one in four.
func BenchmarkMixed(b *testing.B) {
	const n = 1 << 14
	keys, hashes := benchmarkKeys(n)
	trace := skewed(n, 1<<16, 1)
	m := near.New[string, any](n / 8)
	step := func(i int) {
		k := trace[i%len(trace)]
		if _, ok := m.Get(keys[k], hashes[k]); !ok {
			m.Set(keys[k], hashes[k], nil, 0, 0)
		}
	}
	for i := range trace {
		step(i)
	}
	b.Run("1", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			step(i)
		}
	})
	b.Run("8", func(b *testing.B) {
		b.ReportAllocs()
		b.SetParallelism(8)
		b.RunParallel(func(pb *testing.PB) {
			for i := rand.IntN(len(trace)); pb.Next(); i++ {
				step(i)
			}
		})
	})
}
