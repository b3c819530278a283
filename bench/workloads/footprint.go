package workloads

import (
	"context"
	"errors"
	"runtime"
	"strconv"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/bench/caches"
	"github.com/seed-dad15c92/txcache/bench/measure"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

// errStill is the error of a value that should be gone.
var errStill = errors.New("a value is still there")

// footprints are the bytes that a value takes in a full cache beyond the data of
// key and value, and those of an empty cache.
func footprints(e Env) []measure.Pair {
	var pairs []measure.Pair
	for _, duration := range []time.Duration{0, time.Hour} {
		suffix := ""
		if duration > 0 {
			suffix = ", values with a duration"
		}
		for _, peer := range caches.Locals {
			if duration == 0 && !peer.Forever {
				continue
			}
			entry := measure.Pair{
				Section: sectionMemory, Name: "an entry of a full cache" + suffix, Unit: measure.Bytes, Rounds: 5,
				Subject: fullOf(e, caches.TxCache, duration),
				Peer:    fullOf(e, peer, duration),
			}
			if peer.Name == "otter" {
				entry.Bars = []measure.Bar{{Of: measure.Ratio, Limit: 1}}
				if duration == 0 {
					entry.Bars = append(entry.Bars, measure.Bar{Of: measure.Time, Limit: 80}) // bytes
				}
			}
			pairs = append(pairs, entry, measure.Pair{
				Section: sectionMemory, Name: "an empty cache of size 1 024" + suffix, Unit: measure.Bytes, Rounds: 5,
				Subject: emptyTxCaches(duration), Peer: empty(peer, duration),
			})
		}
	}
	return pairs
}

// heap returns the bytes in use after two collections, the second of which
// frees what finalizers and pools have let go.
func heap() float64 {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return float64(s.HeapAlloc)
}

// fullOf sets twice as many values as fit.
func fullOf(e Env, kind caches.LocalKind, duration time.Duration) measure.Side {
	return side(kind.Name, func(context.Context) (*measure.Work, error) {
		size := e.size(100_000)
		keys := keysOf(2 * size)
		return &measure.Work{Sample: func() (float64, error) {
			before := heap()
			c, err := kind.Open(caches.Options{Size: size, Duration: duration})
			if err != nil {
				return 0, err
			}
			defer c.Close()
			s := c.Session()
			for i, key := range keys {
				s.Set(key, i)
			}
			c.Wait()
			after := heap()
			kept := 0
			for i, key := range keys {
				if v, ok := s.Get(key); ok && v == i {
					kept++
				}
			}
			if kept < size/2 {
				return 0, errors.New("less than half of the cache is full")
			}
			return (after - before) / float64(kept), nil
		}}, nil
	})
}

// instances is how many empty caches are made to know the size of one.
const instances = 100

func empty(kind caches.LocalKind, duration time.Duration) measure.Side {
	return side(kind.Name, func(context.Context) (*measure.Work, error) {
		return &measure.Work{Sample: func() (float64, error) {
			all := make([]caches.Local, instances)
			before := heap()
			for i := range all {
				c, err := kind.Open(caches.Options{Size: 1024, Duration: duration})
				if err != nil {
					return 0, err
				}
				all[i] = c
			}
			after := heap()
			for _, c := range all {
				c.Close()
			}
			return (after - before) / instances, nil
		}}, nil
	})
}

// emptyTxCaches makes as many caches in one store, and looks for a value in each.
func emptyTxCaches(duration time.Duration) measure.Side {
	return side(caches.TxCache.Name, func(ctx context.Context) (*measure.Work, error) {
		return &measure.Work{Sample: func() (float64, error) {
			store, err := txcache.New(memorybackend.New(), nil)
			if err != nil {
				return 0, err
			}
			defer store.Close()
			tx, err := store.BeginReadOnly(ctx, caches.Database)
			if err != nil {
				return 0, err
			}
			before := heap()
			for i := range instances {
				c, err := txcache.NewCache[string, int](store, "cache"+strconv.Itoa(i), &txcache.CacheOptions{Duration: duration})
				if err != nil {
					return 0, err
				}
				if _, ok := c.Get(ctx, tx, "key"); ok {
					return 0, errStill
				}
			}
			return (heap() - before) / instances, tx.Rollback()
		}}, nil
	})
}
