package deletes_test

import (
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// P1, P3, P11: a delete takes away one key, in every user context, for its own
// transaction at once and for all others with the commit.
func TestADeleteTakesAwayOneKey(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		stores := s.Open(t, 2, txcache.Options{})
		var caches []*txcache.Cache[string, int]
		for _, store := range stores {
			caches = append(caches, storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{}))
		}
		fill := func(store *txcache.Store, c *txcache.Cache[string, int]) {
			tx := storetest.BeginReadOnly(t, store, "db")
			for _, key := range []string{"x", "y"} {
				c.Set(tx, key, 1)
				c.Set(tx.WithUser("u"), key, 2)
			}
			storetest.Commit(t, tx)
		}
		for i, store := range stores {
			fill(store, caches[i])
		}
		before := storetest.BeginReadOnly(t, stores[1], "db")
		tx := storetest.Begin(t, stores[0], "db")
		if err := caches[0].Delete(tx, "x"); err != nil {
			t.Fatal(err)
		}
		storetest.Miss(t, tx, caches[0], "x", "it is deleted")
		storetest.Miss(t, tx.WithUser("u"), caches[0], "x", "it is deleted")
		storetest.Hit(t, tx, caches[0], "y", 1, "it is another key")
		other := storetest.BeginReadOnly(t, stores[1], "db")
		storetest.Hit(t, other, caches[1], "x", 1, "nothing is committed")
		storetest.Commit(t, tx)
		for i, store := range stores {
			after := storetest.BeginReadOnly(t, store, "db")
			storetest.Miss(t, after, caches[i], "x", "it was deleted")
			storetest.Miss(t, after.WithUser("u"), caches[i], "x", "it was deleted")
			storetest.Hit(t, after, caches[i], "y", 1, "it is another key")
			storetest.Hit(t, after.WithUser("u"), caches[i], "y", 2, "it is another key")
		}
		caches[1].Set(before, "x", 1) // an old transaction refills
		storetest.Commit(t, before)
		for i, store := range stores {
			storetest.Miss(t, storetest.BeginReadOnly(t, store, "db"), caches[i], "x", "it was refilled by an older transaction")
		}
		for i, store := range stores {
			after := storetest.BeginReadOnly(t, store, "db")
			caches[i].Set(after, "x", 3)
			storetest.Commit(t, after)
			again := storetest.BeginReadOnly(t, store, "db")
			storetest.Hit(t, again, caches[i], "x", 3, "it was filled since")
		}
	})
}

// Delete then Set publishes the new value with the commit, unless somebody else has
// deleted the key meanwhile.
func TestWriteThrough(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		store := s.One(t)
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		storetest.Publish(t, store, "db", c, "x", 1)
		tx := storetest.Begin(t, store, "db")
		if err := c.Delete(tx, "x"); err != nil {
			t.Fatal(err)
		}
		c.Set(tx, "x", 2)
		storetest.Hit(t, tx, c, "x", 2, "it was set")
		storetest.Commit(t, tx)
		storetest.Hit(t, storetest.BeginReadOnly(t, store, "db"), c, "x", 2, "it was written through")

		tx = storetest.Begin(t, store, "db")
		other := storetest.Begin(t, store, "db")
		for i, tx := range []*txcache.Tx{tx, other} {
			if err := c.Delete(tx, "x"); err != nil {
				t.Fatal(err)
			}
			c.Set(tx, "x", 3+i)
		}
		storetest.Commit(t, other)
		storetest.Hit(t, storetest.BeginReadOnly(t, store, "db"), c, "x", 4, "it was written through")
		storetest.Commit(t, tx)
		storetest.Miss(t, storetest.BeginReadOnly(t, store, "db"), c, "x", "two transactions have written it")
	})
}

// P11: a tag takes away what bears it, in any cache, and nothing else.
func TestATagTakesAwayWhatBearsIt(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		store := s.One(t)
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		d := storetest.NewCache[int, string](t, store, "d", txcache.CacheOptions{})
		c.TagBy(func(key string, value int) []string { return []string{"of " + key, "all"} })
		d.TagBy(func(key int, value string) []string { return []string{value} })
		storetest.Publish(t, store, "db", c, "x", 1)
		storetest.Publish(t, store, "db", c, "y", 1)
		storetest.Publish(t, store, "db", d, 1, "of x")
		storetest.Publish(t, store, "db", d, 2, "of z")
		tx := storetest.Begin(t, store, "db")
		if err := tx.ClearTags("of x"); err != nil {
			t.Fatal(err)
		}
		storetest.Miss(t, tx, c, "x", "its tag is cleared")
		storetest.Miss(t, tx, d, 1, "its tag is cleared")
		storetest.Commit(t, tx)
		after := storetest.BeginReadOnly(t, store, "db")
		storetest.Miss(t, after, c, "x", "its tag is cleared")
		storetest.Miss(t, after, d, 1, "its tag is cleared")
		storetest.Hit(t, after, c, "y", 1, "it bears another tag")
		storetest.Hit(t, after, d, 2, "of z", "it bears another tag")
	})
}
