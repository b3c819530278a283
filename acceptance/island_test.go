package acceptance_test

import (
	"fmt"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

func TestP7ADatabaseIsAnIsland(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		store := s.One(t)
		c := storetest.NewCache[string, string](t, store, "c", txcache.CacheOptions{})
		names := []string{"a", "A", "a:b", "a:", ":", "a*", "*", "?", "[a]", "{a}", "a b", "\x00", "@", "a@", "ä", "ä", "a\n", string(make([]byte, 255)), "..", "%3A"}
		for _, name := range names {
			storetest.Publish(t, store, name, c, "x", name)
		}
		for _, name := range names {
			storetest.Hit(t, storetest.Begin(t, store, name), c, "x", name, "each has its own value")
		}
		dropped, cleared := "a:b", "*"
		if err := store.Drop(t.Context(), dropped); err != nil {
			t.Fatal(err)
		}
		tx := storetest.Begin(t, store, cleared)
		if err := tx.ClearAll(); err != nil {
			t.Fatal(err)
		}
		storetest.Commit(t, tx)
		for _, name := range names {
			if name == dropped || name == cleared {
				storetest.Miss(t, storetest.Begin(t, store, name), c, "x", "it was dropped or cleared")
			} else {
				storetest.Hit(t, storetest.Begin(t, store, name), c, "x", name, "the others are left alone")
			}
		}
	})
}

// Scenario 15: a transaction that was open when its database was dropped.
func TestP7DropDetachesOpenTransactions(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		for _, byOther := range []bool{false, true} {
			t.Run(fmt.Sprintf("byOther=%v", byOther), func(t *testing.T) {
				servers := s.Open(t, 2, txcache.Options{})
				store := servers[0]
				c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
				warm := storetest.NewCache[string, int](t, store, "warm", txcache.CacheOptions{Warm: true})
				storetest.Publish(t, store, "db", c, "x", 1)

				writer, reader := storetest.Begin(t, store, "db"), storetest.BeginReadOnly(t, store, "db")
				c.Set(writer, "own", 2)
				storetest.Clear(t, writer, warm)
				warm.Set(writer, "own", 2)
				storetest.Hit(t, reader, c, "x", 1, "nothing has happened yet")

				if byOther {
					if err := servers[1].Drop(t.Context(), "db"); err != nil {
						t.Fatal(err)
					}
					if err := store.Sync(t.Context(), "db"); err != nil {
						t.Fatal(err)
					}
				} else if err := store.Drop(t.Context(), "db"); err != nil {
					t.Fatal(err)
				}

				storetest.Miss(t, writer, c, "own", "not even its own")
				storetest.Miss(t, writer, warm, "own", "not even its own")
				storetest.Miss(t, reader, c, "x", "the database is gone")
				c.Set(writer, "late", 3)
				c.Set(reader, "late", 3)
				storetest.Miss(t, writer, c, "late", "nothing is kept for a database that is gone")
				storetest.Commit(t, reader)
				storetest.Commit(t, writer)

				after := storetest.Begin(t, store, "db")
				for _, key := range []string{"x", "own", "late"} {
					storetest.Miss(t, after, c, key, "it was set in the life before")
				}
				storetest.Miss(t, after, warm, "own", "it was set in the life before")
				storetest.Publish(t, store, "db", c, "x", 4)
				storetest.Hit(t, storetest.Begin(t, store, "db"), c, "x", 4, "the name is in use again")
			})
		}
	})
}
