package acceptance_test

import (
	"context"
	"errors"
	"fmt"
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
