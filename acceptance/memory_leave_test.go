package acceptance_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"
	"weak"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/storetest"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

// A transaction goes on after its database has left: it sees what it has set, and what it loads it
// shares with nobody. What happens to the database later concerns it.
func TestATransactionOutlivesItsDatabasesLeave(t *testing.T) {
	for _, again := range []bool{false, true} {
		t.Run(fmt.Sprint("used again ", again), func(t *testing.T) {
			store := storetest.NewStore(t, memorybackend.New(), txcache.Options{Memory: little})
			c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
			other := storetest.NewCache[string, int](t, store, "other", txcache.CacheOptions{})
			others := newCrowd(t, store, 4)
			reader, tx := storetest.BeginReadOnly(t, store, "shop"), storetest.Begin(t, store, "shop")
			c.Set(reader, "shared", 1)
			c.Set(tx, "own", 1)
			storetest.Hit(t, tx, c, "shared", 1, "another has loaded it")
			others.push(t)
			storetest.Hit(t, tx, c, "own", 1, "it has set it")
			storetest.Miss(t, tx, c, "shared", "the database has left")
			other.Set(reader, "late", 1)
			if n := other.Stats().Values; n != 0 {
				t.Errorf("%d values are counted that the transaction has loaded for itself", n)
			}
			if again {
				second := storetest.BeginReadOnly(t, store, "shop")
				c.Set(second, "k", 2)
				storetest.Hit(t, storetest.BeginReadOnly(t, store, "shop"), c, "k", 2, "another has loaded it")
				storetest.Hit(t, tx, c, "own", 1, "it has set it")
				if n := c.Stats().Values; n != 1 {
					t.Errorf("%d values are counted, want 1", n)
				}
			}
			if err := store.Drop(t.Context(), "shop"); err != nil {
				t.Fatal(err)
			}
			storetest.Miss(t, tx, c, "own", "the database was dropped")
			if err := tx.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
			storetest.Miss(t, storetest.BeginReadOnly(t, store, "shop"), c, "own", "it was set before the drop")
			if n := c.Stats().Values + other.Stats().Values; n != 0 {
				t.Errorf("%d values are counted", n)
			}
		})
	}
}

// Counters keep their sums when a database leaves, and nothing is kept of it.
func TestADatabaseThatLeavesLeavesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("as many databases as the heap's own changes of a megabyte take are too many for the race detector")
	}
	store := storetest.NewStore(t, memorybackend.New(), txcache.Options{Memory: little})
	c := newCrowd(t, store, 1)
	c.visit(t, "shop", 20)
	c.visit(t, "shop", 20)
	c.push(t)
	life := func(n int) {
		for range n {
			c.next++
			c.visit(t, fmt.Sprint("database", c.next), 1)
		}
	}
	life(2000)
	if s := c.caches[0].Stats(); s.Hits != 20 || s.Misses < 20 {
		t.Errorf("%d hits, %d misses", s.Hits, s.Misses)
	}
	before := storetest.Heap()
	const n = 200_000
	life(n)
	if each := (int64(storetest.Heap()) - int64(before)) / n; each > 20 {
		t.Errorf("each database that has left leaves %d bytes", each)
	}
}

// reluctant is a backend that forgets a database when it is asked for the second time.
type reluctant struct {
	*memorybackend.Backend
	mu    sync.Mutex
	asked map[string]int
}

func (b *reluctant) Forget(database string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked[database]++
	return b.asked[database] > 1 && b.Backend.Forget(database)
}

func (b *reluctant) times(database string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.asked[database]
}

// A backend is asked to forget a database that has left until it does, and then no more. It is not while a
// transaction uses the database.
func TestABackendForgetsWhatHasLeft(t *testing.T) {
	b := &reluctant{Backend: memorybackend.New(), asked: map[string]int{}}
	store := storetest.NewStore(t, b, txcache.Options{Memory: little})
	c := newCrowd(t, store, 4)
	open, err := store.BeginReadOnly(t.Context(), "in use")
	if err != nil {
		t.Fatal(err)
	}
	c.visit(t, "shop", 20)
	c.push(t)
	storetest.Within(t, 10*time.Second, "the backend forgets what has left", func() bool {
		runtime.GC()
		c.next++
		c.visit(t, fmt.Sprint("other", c.next), 1)
		return b.times("shop") == 2
	})
	for range 500 {
		c.next++
		c.visit(t, fmt.Sprint("other", c.next), 1)
	}
	runtime.GC()
	c.visit(t, "one more", 1)
	if n := b.times("shop"); n != 2 {
		t.Errorf("the backend was asked %d times to forget a database", n)
	}
	if n := b.times("in use"); n != 0 {
		t.Error("the backend was asked to forget a database that a transaction uses")
	}
	if err := open.Rollback(); err != nil {
		t.Fatal(err)
	}
}

// A store that nobody uses any more goes, whatever left it and came back.
func TestAStoreWhoseDatabasesLeftGoes(t *testing.T) {
	gone := func() weak.Pointer[txcache.Store] {
		store, err := txcache.New(memorybackend.New(), &txcache.Options{Memory: little})
		if err != nil {
			t.Fatal(err)
		}
		c := newCrowd(t, store, 4)
		open, err := store.BeginReadOnly(t.Context(), "shop") // of which the test keeps nothing
		if err != nil {
			t.Fatal(err)
		}
		c.push(t)
		c.visit(t, "shop", 20)
		runtime.KeepAlive(open)
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		return weak.Make(store)
	}()
	storetest.Within(t, 10*time.Second, "the store goes", func() bool {
		runtime.GC()
		return gone.Value() == nil
	})
}

// unheard is a backend that cannot be told of anything, but tells states.
type unheard struct{ *storetest.Values }

func (unheard) Fence(context.Context, string, backend.Fence) error {
	return errors.New("it does not listen")
}

func (unheard) Clear(context.Context, string, backend.Fence) (*backend.State, error) {
	return nil, errors.New("it does not listen")
}

// P3: a database in which a commit of this process is under way, or its clear waits, stays: nobody
// but the process knows that its caches are private.
func TestADatabaseWithAClearUnderWayStays(t *testing.T) {
	store := storetest.NewStore(t, unheard{storetest.NewValues()}, txcache.Options{Memory: little, CommitOnOutage: true})
	c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
	others := newCrowd(t, store, 4)
	tx := storetest.Begin(t, store, "shop")
	storetest.Clear(t, tx, c)
	use := func() {
		left := store.Status().Left
		for store.Status().Left < left+100 {
			others.next++
			others.visit(t, fmt.Sprint("other", others.next), 20)
		}
	}
	err := tx.CommitWith(t.Context(), func(context.Context) error {
		use()
		c.Set(storetest.BeginReadOnly(t, store, "shop"), "k", 1) // the row of before
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	storetest.Miss(t, storetest.BeginReadOnly(t, store, "shop"), c, "k", "the commit is over, its clear waits")
	use()
	storetest.Miss(t, storetest.BeginReadOnly(t, store, "shop"), c, "k", "the commit is over, its clear still waits")
}
