package enlisted_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/enlistertest"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// row loads a row by the transaction's own snapshot.
func row(t testing.TB, tx *txcache.Tx, q *enlistertest.Tx, c *txcache.Cache[string, int], key string) int {
	t.Helper()
	v, err := c.Load(t.Context(), tx, key, func(context.Context) (int, error) {
		v, err := q.Get(key)
		return int(v), err
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func enlistAt(t testing.TB, s *txcache.Store, q *enlistertest.Tx) *txcache.Tx {
	t.Helper()
	return enlist(t, s, q, true)
}

// tagged has one row, 1, whose tag says what is in it.
func tagged(t *testing.T, opts txcache.CacheOptions) (*enlistertest.DB, *txcache.Store, *txcache.Cache[string, int]) {
	db, s, c := one(t, opts)
	c.TagBy(func(_ string, v int) []string { return []string{fmt.Sprint("author ", v)} })
	q := db.Begin(true)
	if err := q.Put("x", 1); err != nil {
		t.Fatal(err)
	}
	if err := q.Commit(); err != nil {
		t.Fatal(err)
	}
	return db, s, c
}

// moves gives the row another tag, and clears the one that is cached.
func moves(t *testing.T, db *enlistertest.DB, s *txcache.Store, c *txcache.Cache[string, int], also func(*txcache.Tx)) {
	t.Helper()
	q := db.Begin(true)
	tx := enlist(t, s, q, false)
	if err := q.Put("x", 2); err != nil {
		t.Fatal(err)
	}
	if err := tx.ClearTags("author 1"); err != nil {
		t.Fatal(err)
	}
	if also != nil {
		also(tx)
	}
	if err := tx.CommitWith(t.Context(), func(context.Context) error { return q.Commit() }); err != nil {
		t.Fatal(err)
	}
}

// A value that bears another tag than the one before it: the sum of its own tags is that of an
// older snapshot, too, which must not find it.
func TestAValueWithOtherTagsIsNotOfAnOlderSnapshot(t *testing.T) {
	db, s, c := tagged(t, txcache.CacheOptions{})
	old := db.Begin(true)
	before := enlistAt(t, s, old)
	if v := row(t, before, old, c, "x"); v != 1 {
		t.Fatalf("loaded %d", v)
	}
	moves(t, db, s, c, nil)
	q := db.Begin(true)
	if v := row(t, enlistAt(t, s, q), q, c, "x"); v != 2 {
		t.Errorf("after the commit a transaction reads %d", v)
	}
	if v := row(t, before, old, c, "x"); v != 1 {
		t.Errorf("an older snapshot reads %d, its own row is 1", v)
	}
}

// The same after a restore: what was loaded before it is of a past that never was.
func TestAValueWithOtherTagsIsNotOfARestoredDatabase(t *testing.T) {
	db, s, c := tagged(t, txcache.CacheOptions{})
	backup := db.Snapshot()
	moves(t, db, s, c, nil)
	q := db.Begin(true)
	if v := row(t, enlistAt(t, s, q), q, c, "x"); v != 2 {
		t.Errorf("after the commit a transaction reads %d", v)
	}
	db.Restore(backup)
	q = db.Begin(true)
	if v := row(t, enlistAt(t, s, q), q, c, "x"); v != 1 {
		t.Errorf("after the restore a transaction reads %d, its own row is 1", v)
	}
}

// An absence bears no tag at all.
func TestAnAbsenceAfterATagWasClearedIsNotOfAnOlderSnapshot(t *testing.T) {
	db, s, c := tagged(t, txcache.CacheOptions{})
	old := db.Begin(true)
	before := enlistAt(t, s, old)
	load := func(tx *txcache.Tx, q *enlistertest.Tx) (int, error) {
		return c.Load(t.Context(), tx, "x", func(context.Context) (int, error) {
			if v, _ := q.Get("x"); v == 1 {
				return 1, nil
			}
			return 0, txcache.ErrAbsent
		})
	}
	if v, err := load(before, old); v != 1 || err != nil {
		t.Fatalf("loaded %d, %v", v, err)
	}
	moves(t, db, s, c, nil)
	q := db.Begin(true)
	load(enlistAt(t, s, q), q)
	if v, err := load(before, old); v != 1 || err != nil {
		t.Errorf("an older snapshot reads %d, %v, its own row is 1", v, err)
	}
}

// What the writer itself publishes.
func TestAWriterPublishesValuesWithOtherTagsForNoOlderSnapshot(t *testing.T) {
	for name, set := range map[string]func(*txcache.Tx, *txcache.Cache[string, int]){
		"set": func(tx *txcache.Tx, c *txcache.Cache[string, int]) { c.Set(tx, "x", 2) },
		"loaded": func(tx *txcache.Tx, c *txcache.Cache[string, int]) {
			c.Load(t.Context(), tx, "x", func(context.Context) (int, error) { return 2, nil })
		},
	} {
		t.Run(name, func(t *testing.T) {
			db, s, c := tagged(t, txcache.CacheOptions{})
			old := db.Begin(true)
			before := enlistAt(t, s, old)
			if v := row(t, before, old, c, "x"); v != 1 {
				t.Fatalf("loaded %d", v)
			}
			moves(t, db, s, c, func(tx *txcache.Tx) { set(tx, c) })
			if v := row(t, before, old, c, "x"); v != 1 {
				t.Errorf("an older snapshot reads %d, its own row is 1", v)
			}
		})
	}
}

// A hit at read committed that was right when the transaction began is not stale because another
// one has cleared it since.
func TestVerifyAtReadCommittedReportsNoChange(t *testing.T) {
	db := enlistertest.New()
	reports := 0
	s := storetest.NewStore(t, db.Backend(), txcache.Options{OnStale: func(context.Context, txcache.StaleHit) { reports++ }})
	if err := s.Sync(t.Context(), "db"); err != nil {
		t.Fatal(err)
	}
	c := storetest.NewCache[string, int](t, s, "c", txcache.CacheOptions{Verify: 1})
	q := db.Begin(false)
	tx := enlistAt(t, s, q)
	if v := row(t, tx, q, c, "x"); v != 0 {
		t.Fatalf("loaded %d", v)
	}
	w := db.Begin(true)
	change := enlist(t, s, w, false)
	if err := w.Put("x", 2); err != nil {
		t.Fatal(err)
	}
	if err := c.Delete(change, "x"); err != nil {
		t.Fatal(err)
	}
	if err := change.CommitWith(t.Context(), func(context.Context) error { return w.Commit() }); err != nil {
		t.Fatal(err)
	}
	row(t, tx, q, c, "x")
	if reports > 0 || c.Stats().Mismatches > 0 {
		t.Errorf("%d stale hits are reported, though the key was deleted meanwhile", reports)
	}
}

// So many deletes that they become a clear are deletes still for the values that were loaded between
// a delete and the change.
func TestManyDeletesOfAWarmCachePublishNothingLoadedBeforeTheChange(t *testing.T) {
	for _, n := range []int{1, 20000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			db, s, c := one(t, txcache.CacheOptions{Warm: true})
			q := db.Begin(true)
			tx := enlist(t, s, q, false)
			keys := []string{"x"}
			for i := range n {
				keys = append(keys, fmt.Sprint("other ", i))
			}
			if err := c.Delete(tx, keys...); err != nil {
				t.Fatal(err)
			}
			if v := row(t, tx, q, c, "x"); v != 0 {
				t.Fatalf("loaded %d", v)
			}
			if err := q.Put("x", 2); err != nil {
				t.Fatal(err)
			}
			if err := tx.CommitWith(t.Context(), func(context.Context) error { return q.Commit() }); err != nil {
				t.Fatal(err)
			}
			q = db.Begin(true)
			if v := row(t, enlistAt(t, s, q), q, c, "x"); v != 2 {
				t.Errorf("after the commit a transaction reads %d", v)
			}
		})
	}
}

// Values that do not bear the tag stay, whichever others were cleared; so do those that a
// transaction at read committed loaded. // P11
func TestAClearedTagTakesAwayOnlyWhatBearsIt(t *testing.T) {
	for name, exact := range map[string]bool{"exact": true, "read committed": false} {
		t.Run(name, func(t *testing.T) {
			db, s, c := one(t, txcache.CacheOptions{})
			c.TagBy(func(key string, _ int) []string { return []string{key[:1]} })
			read := func(keys ...string) (loads int) {
				q := db.Begin(exact)
				tx := enlistAt(t, s, q)
				for _, key := range keys {
					if _, err := c.Load(t.Context(), tx, key, func(context.Context) (int, error) { loads++; return 1, nil }); err != nil {
						t.Fatal(err)
					}
				}
				tx.Rollback()
				return loads
			}
			clear := func(do func(*txcache.Tx) error) {
				q := db.Begin(true)
				tx := enlist(t, s, q, false)
				if err := do(tx); err != nil {
					t.Fatal(err)
				}
				if err := tx.CommitWith(t.Context(), func(context.Context) error { return q.Commit() }); err != nil {
					t.Fatal(err)
				}
			}
			all := []string{"a1", "a2", "b1", "b2", "c1"}
			read(all...)
			for i := range 100 {
				clear(func(tx *txcache.Tx) error { return tx.ClearTags("a", fmt.Sprint("other ", i)) })
				if n := read(all...); n != 2 {
					t.Fatalf("after the clear of the tag of 2 values %d were loaded", n)
				}
				if i%10 == 0 {
					db.Fold("db")
				}
			}
			clear(func(tx *txcache.Tx) error { return c.Delete(tx, "b1") })
			clear(func(tx *txcache.Tx) error { return tx.ClearTags("c") })
			if n := read("a1", "b2"); n != 0 {
				t.Errorf("%d values were loaded that bear none of the tags", n)
			}
			if n := read("b1", "c1"); n != 2 {
				t.Errorf("%d values were loaded after a delete and a clear of a tag, want 2", n)
			}
			read(all...)
			db.Forget("db")
			if n := read(all...); n != 0 {
				t.Errorf("%d values were loaded after clears of tags were forgotten, though none was cleared", n)
			}
		})
	}
}
