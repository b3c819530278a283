// Package peers measures the near cache beside others in one run: nanoseconds
// for a hit, bytes for an entry and for an empty instance.
package peers

import (
	"fmt"
	"hash/maphash"
	"runtime"
	"sync"
	"testing"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/maypok86/otter/v2"

	"github.com/seed-dad15c92/txcache/internal/near"
)

var seed = maphash.MakeSeed()

// A peer opens a cache and returns how to read and write it. The near cache is
// measured with the hashing of the key that its caller does.
type peer struct {
	name string
	open func(size int) (get func(string) (any, bool), set func(string, any))
}

func expiring(key string) int64 { return near.Now() + int64(time.Hour) }

var peers = []peer{
	{"near", func(size int) (func(string) (any, bool), func(string, any)) {
		m := near.New[string, any](size)
		return func(k string) (any, bool) { return m.Get(k, maphash.Comparable(seed, k)) },
			func(k string, v any) { m.Set(k, maphash.Comparable(seed, k), v, 0) }
	}},
	{"near-expiry", func(size int) (func(string) (any, bool), func(string, any)) {
		m := near.New[string, any](size)
		return func(k string) (any, bool) { return m.Get(k, maphash.Comparable(seed, k)) },
			func(k string, v any) { m.Set(k, maphash.Comparable(seed, k), v, expiring(k)) }
	}},
	{"otter", func(size int) (func(string) (any, bool), func(string, any)) {
		c := otter.Must(&otter.Options[string, any]{MaximumSize: size})
		return c.GetIfPresent, func(k string, v any) { c.Set(k, v) }
	}},
	{"otter-expiry", func(size int) (func(string) (any, bool), func(string, any)) {
		c := otter.Must(&otter.Options[string, any]{MaximumSize: size, ExpiryCalculator: otter.ExpiryWriting[string, any](time.Hour)})
		return c.GetIfPresent, func(k string, v any) { c.Set(k, v) }
	}},
	{"golang-lru", func(size int) (func(string) (any, bool), func(string, any)) {
		c, _ := lru.New[string, any](size) // fails only for a size below 1
		return c.Get, func(k string, v any) { c.Add(k, v) }
	}},
	{"sync.Map", func(int) (func(string) (any, bool), func(string, any)) {
		var m sync.Map
		return func(k string) (any, bool) { return m.Load(k) }, func(k string, v any) { m.Store(k, v) }
	}},
}

const entries = 1024

func keysOf(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("some.record.%d", i)
	}
	return keys
}

func BenchmarkHit(b *testing.B) {
	keys := keysOf(entries)
	for _, p := range peers {
		b.Run(p.name, func(b *testing.B) {
			get, set := p.open(2 * entries)
			for _, k := range keys {
				set(k, k)
			}
			i := 0
			for b.Loop() {
				if _, ok := get(keys[i%entries]); !ok {
					b.Fatal("a miss")
				}
				i++
			}
		})
	}
}

// heap returns the bytes in use after a collection.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}

// BenchmarkMemory reports the bytes that a full cache takes for an entry,
// beyond key and value, and those of an empty cache.
func BenchmarkMemory(b *testing.B) {
	const size, empty = 100_000, 100
	keys := keysOf(2 * size)
	for _, p := range peers {
		b.Run(p.name, func(b *testing.B) {
			for b.Loop() {
				before := heap()
				get, set := p.open(size)
				n := len(keys)
				if p.name == "sync.Map" {
					n = size // it has no bound
				}
				for _, k := range keys[:n] {
					set(k, nil)
				}
				full := heap()
				runtime.KeepAlive(get)
				b.ReportMetric(float64(int64(full)-int64(before))/size, "B/entry")

				before = heap()
				open := make([]any, empty)
				for i := range open {
					get, _ := p.open(1024)
					open[i] = get
				}
				after := heap()
				b.ReportMetric(float64(int64(after)-int64(before))/empty, "B/empty")
				runtime.KeepAlive(open)
			}
		})
	}
}
