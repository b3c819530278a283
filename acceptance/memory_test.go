package acceptance_test

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

// crowd is a store whose databases need more memory than it has.
type crowd struct {
	*txcache.Store
	caches []*txcache.Cache[int, string]
	next   int
}

func newCrowd(t *testing.T, store *txcache.Store, caches int) *crowd {
	c := &crowd{Store: store}
	for i := range caches {
		c.caches = append(c.caches, storetest.NewCache[int, string](t, store, fmt.Sprint("crowd", i), txcache.CacheOptions{}))
	}
	return c
}

// visit reads values of a database, loads those that are missing, and returns how many were there.
func (c *crowd) visit(t *testing.T, database string, keys int) (hits int) {
	t.Helper()
	err := c.View(t.Context(), database, func(tx *txcache.Tx) error {
		for _, cache := range c.caches {
			for key := range keys {
				if _, ok := cache.Get(t.Context(), tx, key); ok {
					hits++
				} else {
					cache.Set(tx, key, strings.Repeat("v", 10+key))
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return hits
}

// push uses other databases until none of those before is there any more.
func (c *crowd) push(t *testing.T) {
	t.Helper()
	before := map[string]bool{}
	for db := range c.Databases() {
		before[db.Name] = true
	}
	there := func() bool {
		for db := range c.Databases() {
			if before[db.Name] {
				return true
			}
		}
		return false
	}
	for range 200 {
		for range 50 {
			c.next++
			c.visit(t, fmt.Sprint("other", c.next), 20)
		}
		if !there() {
			return
		}
	}
	t.Fatal("the databases of before do not leave")
}

const little = 1 << 20

// P13: what a process keeps fits the budget, however many databases it has met.
func TestWhatAProcessKeepsFitsItsMemory(t *testing.T) {
	const limit = 8 << 20
	store := storetest.NewStore(t, memorybackend.New(), txcache.Options{Memory: limit})
	c := newCrowd(t, store, 20)
	before := storetest.Heap()
	for i := range 3000 { // of some 40 kB each
		c.visit(t, fmt.Sprint("database", i), 20)
		if s := store.Status(); s.Memory > limit+limit/16+100_000 {
			t.Fatalf("after %d databases the store counts %d bytes, and may have %d", i, s.Memory, limit)
		}
	}
	heap, s := int(storetest.Heap())-int(before), store.Status()
	t.Logf("%d databases, %d have left, %d bytes by the estimate, %d by the heap", s.Databases, s.Left, s.Memory, heap)
	if heap > limit*5/4 {
		t.Errorf("the heap has grown by %d bytes, the store may have %d", heap, limit)
	}
	if diff := int(s.Memory) - heap; 4*max(diff, -diff) > heap {
		t.Errorf("the store counts %d bytes, the heap %d", s.Memory, heap)
	}
	if s.Databases < 50 || s.Left != 3000-uint64(s.Databases) {
		t.Errorf("%d databases, and %d have left", s.Databases, s.Left)
	}
	values, bytes := 0, int64(0)
	for stats := range store.Stats() {
		values += stats.Values
		bytes += stats.Bytes
	}
	if most := s.Databases * 400; values > most || values < most/2 {
		t.Errorf("%d values in %d databases", values, s.Databases)
	}
	if bytes > s.Memory || bytes < s.Memory/2 {
		t.Errorf("the caches count %d bytes, the store %d", bytes, s.Memory)
	}
	runtime.KeepAlive(store)
}

// Without a limit nothing leaves.
func TestMemoryCanBeUnlimited(t *testing.T) {
	store := storetest.NewStore(t, memorybackend.New(), txcache.Options{Memory: math.MaxInt64})
	c := newCrowd(t, store, 1)
	for i := range 2000 {
		c.visit(t, fmt.Sprint("database", i), 20)
	}
	if s := store.Status(); s.Left != 0 || s.Databases != 2000 {
		t.Errorf("%d databases, and %d have left", s.Databases, s.Left)
	}
	if _, err := txcache.New(memorybackend.New(), &txcache.Options{Memory: -1}); err == nil || !strings.Contains(err.Error(), "Options.Memory is -1") {
		t.Errorf("a negative amount: %v", err)
	}
}

// Databases that are used again and again stay, while others come once.
func TestDatabasesInUseStay(t *testing.T) {
	for _, w := range []struct {
		name  string
		every int // how many others come before each use
		often int // databases that are used again and again
		least float64
	}{
		{"all the time", 1, 40, 0.98},
		{"after many others", 10, 60, 0.9}, // three times as many as there is room for
	} {
		t.Run(w.name, func(t *testing.T) {
			store := storetest.NewStore(t, memorybackend.New(), txcache.Options{Memory: 8 << 20}) // of some 200
			c := newCrowd(t, store, 20)
			looked, hits := 0, 0
			const n = 6000
			for i := range n {
				c.visit(t, fmt.Sprint("once", i), 20)
				if i%w.every != 0 {
					continue
				}
				found := c.visit(t, fmt.Sprint("often", i/w.every%w.often), 20)
				if i >= n/2 {
					looked, hits = looked+400, hits+found
				}
			}
			if float64(hits) < w.least*float64(looked) {
				t.Errorf("%d of %d look-ups hit in databases that are used again and again", hits, looked)
			}
		})
	}
}

// A database with many values that nobody asks for again takes the room from itself.
func TestALargeTenantPushesOutNoOther(t *testing.T) {
	share := func(sweep int) float64 {
		store := storetest.NewStore(t, memorybackend.New(), txcache.Options{Memory: 4 << 20, Size: math.MaxInt})
		c := newCrowd(t, store, 2)
		looked, hits, next := 0, 0, 0
		for i := range 1200 {
			n := c.visit(t, fmt.Sprint("tenant", i%100), 30)
			if i >= 200 {
				looked, hits = looked+60, hits+n
			}
			storetest.Fill(t, store, "sweeper", c.caches[0], sweep, &next)
		}
		if n := store.Status().Memory; n > 5<<20 {
			t.Errorf("the store counts %d bytes", n)
		}
		return float64(hits) / float64(looked)
	}
	alone, beside := share(0), share(600)
	if alone < 0.99 || alone-beside > 0.02 {
		t.Errorf("others hit %.4f alone, and %.4f beside a tenant that sweeps over 720 000 keys", alone, beside)
	}
}

// What a database keeps after it was used for long are the values that are asked for.
func TestValuesInUseStay(t *testing.T) {
	store := storetest.NewStore(t, memorybackend.New(), txcache.Options{Memory: little, Size: math.MaxInt})
	c := storetest.NewCache[int, string](t, store, "c", txcache.CacheOptions{})
	next, hits := 1000, 0
	for i := range 300 {
		err := store.View(t.Context(), "shop", func(tx *txcache.Tx) error {
			for key := range 1000 {
				if _, ok := c.Get(t.Context(), tx, key); !ok {
					c.Set(tx, key, "often")
				} else if i > 10 {
					hits++
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		storetest.Fill(t, store, "shop", c, 500, &next)
	}
	if hits < 289_000*95/100 {
		t.Errorf("%d of 289000 look-ups hit", hits)
	}
}

// Whatever many goroutines do in many databases while these leave, the sums are right in the end.
func TestAccountsAreRightAfterARace(t *testing.T) {
	store := storetest.NewStore(t, memorybackend.New(), txcache.Options{Memory: 256 << 10})
	c := newCrowd(t, store, 3)
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for i := range 1500 {
				database := fmt.Sprint("database", (i*(g+3))%40)
				switch {
				case i%97 == 0:
					if err := store.Drop(t.Context(), database); err != nil {
						t.Error(err)
					}
				case i%13 == 0:
					if err := store.ClearAll(t.Context(), database); err != nil {
						t.Error(err)
					}
				default:
					c.visit(t, database, 10)
				}
			}
		})
	}
	all.Wait()
	var names []string
	values := 0
	for db := range store.Databases() {
		names = append(names, db.Name)
		for _, held := range db.Caches {
			values += held.Values
		}
	}
	s := store.Status()
	counted := 0
	for stats := range store.Stats() {
		counted += stats.Values
	}
	if counted != values || s.Databases != len(names) {
		t.Errorf("%d values and %d databases by the counters, %d and %d by the walk", counted, s.Databases, values, len(names))
	}
	slices.Sort(names)
	var errs []error
	for _, name := range names {
		errs = append(errs, store.Drop(t.Context(), name))
	}
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if s := store.Status(); s.Memory != 0 || s.Databases != 0 {
		t.Errorf("%d bytes in %d databases are left after all were dropped", s.Memory, s.Databases)
	}
	for stats := range store.Stats() {
		if stats.Values != 0 || stats.Bytes != 0 {
			t.Errorf("%s: %d values of %d bytes are left", stats.Name, stats.Values, stats.Bytes)
		}
	}
}
