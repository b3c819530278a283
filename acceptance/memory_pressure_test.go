package acceptance_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/storetest"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

// A database in which nothing is ever kept takes memory too.
func TestDatabasesWithoutValuesLeave(t *testing.T) {
	for what, use := range map[string]func(*txcache.Store, *txcache.Cache[int, string], string) error{
		"begin": func(s *txcache.Store, _ *txcache.Cache[int, string], database string) error {
			return s.View(t.Context(), database, func(*txcache.Tx) error { return nil })
		},
		"get": func(s *txcache.Store, c *txcache.Cache[int, string], database string) error {
			return s.View(t.Context(), database, func(tx *txcache.Tx) error {
				c.Get(t.Context(), tx, 1)
				return nil
			})
		},
		"clear": func(s *txcache.Store, c *txcache.Cache[int, string], database string) error {
			return s.Update(t.Context(), database, func(tx *txcache.Tx) error { return c.Clear(tx) })
		},
		"sync": func(s *txcache.Store, _ *txcache.Cache[int, string], database string) error {
			return s.Sync(t.Context(), database)
		},
	} {
		for _, limit := range []int64{1, little} { // not even one database fits the first
			t.Run(fmt.Sprint(what, " ", limit), func(t *testing.T) {
				store := storetest.NewStore(t, memorybackend.New(), txcache.Options{Memory: limit})
				c := storetest.NewCache[int, string](t, store, "c", txcache.CacheOptions{})
				for i := range 3000 {
					if err := use(store, c, fmt.Sprint("database", i)); err != nil {
						t.Fatal(err)
					}
				}
				if s := store.Status(); s.Memory > limit+10_000 || s.Left+uint64(s.Databases) != 3000 {
					t.Errorf("%d databases of %d bytes, and %d have left; the store may have %d", s.Databases, s.Memory, s.Left, limit)
				}
			})
		}
	}
}

// enlisted is a backend whose states tests make.
type enlisted struct{ *memorybackend.Backend }

func (enlisted) State(context.Context, backend.Querier, string) (*backend.State, error) {
	return nil, errors.ErrUnsupported
}

func (enlisted) Record(context.Context, backend.Querier, string, *backend.State, backend.Fence) ([]backend.Generation, error) {
	return nil, errors.ErrUnsupported
}

// Where states have no order, what is kept under one that many others have followed counts too.
func TestValuesOfAnOldStateCount(t *testing.T) {
	store := storetest.NewStore(t, enlisted{memorybackend.New()}, txcache.Options{})
	c := storetest.NewCache[int, string](t, store, "c", txcache.CacheOptions{})
	set := func(s *backend.State, exact bool, key int) {
		t.Helper()
		o := &txcache.EnlistOptions{ReadOnly: true, State: s, Exact: exact}
		tx, err := store.Enlist(t.Context(), "shop", struct{ backend.Querier }{}, o)
		if err != nil {
			t.Fatal(err)
		}
		c.Set(tx, key, "value")
		if err := tx.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	old := &backend.State{Epoch: "e", Base: "e"}
	set(old, false, 1)
	for i := range 20 {
		set(&backend.State{Epoch: "e", Base: backend.Token(fmt.Sprint("e", i))}, true, 1)
	}
	before := c.Stats().Values
	for key := range 100 {
		set(old, false, key)
	}
	if n := c.Stats().Values - before; n < 90 { // less those of a state that goes
		t.Errorf("of 100 values %d are counted", n)
	}
}

// A database in which a transaction keeps values is in use, however long ago the transaction has begun:
// values make room for others, but the database stays.
func TestADatabaseThatIsBeingFilledStays(t *testing.T) {
	store := storetest.NewStore(t, memorybackend.New(), txcache.Options{Memory: little, Size: math.MaxInt})
	c := storetest.NewCache[int, string](t, store, "c", txcache.CacheOptions{})
	tx := storetest.BeginReadOnly(t, store, "shop")
	for key := range 100_000 {
		c.Set(tx, key, "value")
		for used := range min(key, 5) { // the hand comes by more than once
			c.Get(t.Context(), tx, key-used)
		}
		if s := store.Status(); s.Left > 0 || s.Databases != 1 {
			t.Fatalf("after %d values of %d bytes %d databases have left", key, s.Memory, s.Left)
		}
	}
}

// Databases that are in use at this very moment stay, although there is too little memory for all of their
// values and the hand comes by again and again.
func TestFewDatabasesInUseStay(t *testing.T) {
	store := storetest.NewStore(t, memorybackend.New(), txcache.Options{Memory: little, Size: math.MaxInt})
	c := newCrowd(t, store, 1)
	next := 0
	for i := range 400 {
		for db := range 4 {
			database := fmt.Sprint("tenant", db)
			for range 3 {
				c.visit(t, database, 200)
			}
			storetest.Fill(t, store, database, c.caches[0], 50+i%7*100, &next)
		}
		if s := store.Status(); s.Left > 0 {
			t.Fatalf("in round %d %d of 4 databases have left", i, s.Left)
		}
	}
}

// What is remembered of deletes counts.
func TestDeletesThatAreRememberedCount(t *testing.T) {
	const deletes, limit = 4000, 4 << 20
	store := storetest.NewStore(t, memorybackend.New(), txcache.Options{Memory: limit})
	c := storetest.NewCache[int, string](t, store, "c", txcache.CacheOptions{})
	before := storetest.Heap()
	remember := func(database string) {
		t.Helper()
		err := store.Update(t.Context(), database, func(tx *txcache.Tx) (err error) {
			for key := range deletes {
				err = errors.Join(err, c.Delete(tx, key))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	const n = 20
	for i := range n {
		remember(fmt.Sprint("database", i))
	}
	heap, counted := int(storetest.Heap())-int(before), int(store.Status().Memory)
	if diff := counted - heap; 4*max(diff, -diff) > heap {
		t.Errorf("%d bytes are counted, the heap says %d", counted, heap)
	}
	for i := range 100 {
		remember(fmt.Sprint("other", i))
	}
	if s := store.Status(); s.Memory > limit+limit/n || s.Databases > 2*n {
		t.Errorf("%d bytes in %d databases; the store may have %d bytes", s.Memory, s.Databases, limit)
	}
	for db := range store.Databases() {
		if err := store.Drop(t.Context(), db.Name); err != nil {
			t.Fatal(err)
		}
	}
	if n := store.Status().Memory; n != 0 {
		t.Errorf("%d bytes are left after all databases were dropped", n)
	}
}
