package acceptance_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

// The first use of a cache costs about the same however many caches there are.
func TestTheFirstUseOfManyCachesIsCheap(t *testing.T) {
	cost := func(n int) (bytes int64) {
		r := testing.Benchmark(func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				store := txcache.Must(txcache.New(memorybackend.New(), nil))
				caches := make([]*txcache.Cache[int, int], n)
				for i := range caches {
					caches[i] = txcache.Must(txcache.NewCache[int, int](store, fmt.Sprint("c", i), nil))
				}
				tx := txcache.Must(store.BeginReadOnly(b.Context(), "db"))
				for _, c := range caches {
					c.Set(tx, 1, 1)
				}
				tx.Rollback()
				store.Close()
			}
		})
		return r.AllocedBytesPerOp() / int64(n)
	}
	few, many := cost(100), cost(5000)
	if many > 2*few {
		t.Errorf("one of 5000 caches costs %d bytes, one of 100 costs %d; want no more than twice as much", many, few)
	}
}

// Goroutines that use many caches for the first time at once, in one transaction
// and in several, all find the same.
func TestManyCachesAreFirstUsedAtOnce(t *testing.T) {
	store := storetest.Setups[0].One(t)
	caches := make([]*txcache.Cache[int, int], 300)
	for i := range caches {
		caches[i] = storetest.NewCache[int, int](t, store, fmt.Sprint("c", i), txcache.CacheOptions{})
	}
	for range 5 {
		tx := storetest.BeginReadOnly(t, store, "db")
		var all sync.WaitGroup
		for g := range 4 {
			all.Go(func() {
				for i := range caches {
					i = (i + 37*g) % len(caches)
					caches[i].Set(tx, g, i)
					if v, ok := caches[i].Get(t.Context(), tx, g); !ok || v != i {
						t.Errorf("cache %d has %d, %v", i, v, ok)
					}
				}
			})
		}
		all.Wait()
		other := storetest.BeginReadOnly(t, store, "db")
		for i, c := range caches {
			for g := range 4 {
				storetest.Hit(t, other, c, g, i, "a goroutine has set it")
			}
		}
		if err := store.ClearAll(t.Context(), "db"); err != nil {
			t.Fatal(err)
		}
	}
}
