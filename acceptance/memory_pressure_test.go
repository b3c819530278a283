package acceptance_test

import (
	"fmt"
	"testing"

	"github.com/seed-dad15c92/txcache"
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
