package deletes_test

import (
	"context"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/storetest"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

// Stats tell deletes from clears, and what died by a delete, or by a tag, from what died
// because deletes were forgotten.
func TestStatsCountDeletes(t *testing.T) {
	store := storetest.NewStore(t, memorybackend.New(), txcache.Options{})
	c := storetest.NewCache[int, string](t, store, "c", txcache.CacheOptions{ContextFree: true})
	c.TagBy(func(key int, _ string) []string {
		if key == 3 {
			return []string{"third"}
		}
		return nil
	})
	other := storetest.NewCache[int, int](t, store, "other", txcache.CacheOptions{ContextFree: true})
	fill := func() {
		tx := storetest.BeginReadOnly(t, store, "db")
		for key := range 4 {
			c.Set(tx, key, "value")
		}
		storetest.Commit(t, tx)
	}
	update := func(fn func(tx *txcache.Tx) error) {
		t.Helper()
		if err := store.Update(t.Context(), "db", fn); err != nil {
			t.Fatal(err)
		}
	}
	check := func(when string, want txcache.Stats) {
		t.Helper()
		tx := storetest.BeginReadOnly(t, store, "db")
		for key := range 4 {
			c.Get(t.Context(), tx, key)
		}
		storetest.Commit(t, tx)
		s := c.Stats()
		got := txcache.Stats{Deletes: s.Deletes, Deleted: s.Deleted, Floored: s.Floored, Floors: s.Floors, Clears: s.Clears}
		if got != want {
			t.Errorf("%s: deletes %d, deleted %d, floored %d, floors %d, clears %d; want %+v", when, got.Deletes, got.Deleted, got.Floored, got.Floors, got.Clears, want)
		}
	}
	fill()
	check("when nothing was deleted", txcache.Stats{})
	update(func(tx *txcache.Tx) error { return c.Delete(tx, 0, 1, 9) }) // of 9 there is no value
	check("after three deletes", txcache.Stats{Deletes: 3, Deleted: 2})
	tx := storetest.BeginReadOnly(t, store, "db")
	if _, err := c.Load(t.Context(), tx, 0, func(context.Context) (string, error) { return "value", nil }); err != nil {
		t.Fatal(err)
	}
	storetest.Commit(t, tx)
	check("after a load", txcache.Stats{Deletes: 3, Deleted: 2 + 1 + 1}) // one by the load, one as 1 is looked up again
	fill()
	update(func(tx *txcache.Tx) error { return tx.ClearTags("third") })
	check("after a cleared tag", txcache.Stats{Deletes: 3, Deleted: 5})
	update(func(tx *txcache.Tx) error { return c.Delete(tx, 0) })
	const piece = 1000
	for from := 0; from < 2*backend.MaxDeletes; from += piece { // of another cache, until those of this one are forgotten
		keys := make([]int, piece)
		for i := range keys {
			keys[i] = from + i
		}
		update(func(tx *txcache.Tx) error { return other.Delete(tx, keys...) })
	}
	s := c.Stats()
	if s.Floors == 0 {
		t.Error("the floor was not raised")
	}
	if s := other.Stats(); s.Deletes < 2*backend.MaxDeletes || s.Clears > 0 {
		t.Errorf("the other cache had %d deletes and %d clears", s.Deletes, s.Clears)
	}
	tx = storetest.BeginReadOnly(t, store, "db")
	storetest.Miss(t, tx, c, 1, "it is older than a delete that was forgotten")
	storetest.Commit(t, tx)
	if after := c.Stats(); after.Floored == 0 || after.Deleted != s.Deleted || after.Clears != 0 {
		t.Errorf("%d values were floored, %d deleted after %d", after.Floored, after.Deleted, s.Deleted)
	}
	update(c.Clear)
	check("after a clear", txcache.Stats{Deletes: 4, Deleted: s.Deleted, Floored: c.Stats().Floored, Floors: s.Floors, Clears: 1})
}
