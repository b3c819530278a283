package deletes_test

import (
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// P4: a transaction that clears a warm cache, or all, publishes nothing that it has read
// before another transaction deleted the key, although the clear makes that delete needless
// for all other values.
func TestAClearPublishesNothingThatOthersHaveDeleted(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		for name, clear := range map[string]func(*txcache.Tx, *txcache.Cache[string, int]) error{
			"all":       func(tx *txcache.Tx, _ *txcache.Cache[string, int]) error { return tx.ClearAll() },
			"its cache": func(tx *txcache.Tx, c *txcache.Cache[string, int]) error { return c.Clear(tx) },
		} {
			t.Run(name, func(t *testing.T) {
				store := s.One(t)
				c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{Warm: true})
				other := storetest.Begin(t, store, "db")
				if err := c.Delete(other, "x"); err != nil {
					t.Fatal(err)
				}
				tx := storetest.Begin(t, store, "db")
				if err := clear(tx, c); err != nil {
					t.Fatal(err)
				}
				c.Set(tx, "x", 1)
				storetest.Commit(t, other)
				storetest.Commit(t, tx)
				storetest.Miss(t, storetest.BeginReadOnly(t, store, "db"), c, "x", "another transaction has deleted it since it was read")

				tx = storetest.Begin(t, store, "db")
				if err := clear(tx, c); err != nil {
					t.Fatal(err)
				}
				c.Set(tx, "x", 2)
				storetest.Commit(t, tx)
				storetest.Hit(t, storetest.BeginReadOnly(t, store, "db"), c, "x", 2, "it is warm")
			})
		}
	})
}
