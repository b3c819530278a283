package acceptance_test

import (
	"runtime"
	"testing"
	"weak"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// P10: a store that was closed and is used no more is garbage at once: the next collection
// takes it away, with all that it kept.
func TestAClosedStoreIsGarbage(t *testing.T) {
	for _, s := range storetest.Setups {
		t.Run(s.Name, func(t *testing.T) {
			var old weak.Pointer[txcache.Store]
			t.Run("used", func(t *testing.T) { // it is closed when this ends
				store := s.One(t)
				c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
				tx := storetest.Begin(t, store, "db")
				c.Set(tx, "x", 1)
				storetest.Commit(t, tx)
				storetest.Hit(t, storetest.BeginReadOnly(t, store, "db"), c, "x", 1, "it was published")
				old = weak.Make(store)
			})
			runtime.GC()
			if old.Value() != nil {
				t.Error("it is still there")
			}
		})
	}
}
