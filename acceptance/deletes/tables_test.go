package deletes_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// P1, P2, P7: a transaction that names a table clears the caches that show it, for itself at
// once and for all others with the commit, and no others.
func TestChangedClearsWhatShowsTheTable(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		stores := s.Open(t, 2, txcache.Options{})
		shows := map[string]txcache.CacheOptions{
			"product":       {Tables: []string{"product"}},
			"product row":   {RowsOf: []string{"product"}},
			"several":       {Tables: []string{"tax", "product"}, RowsOf: []string{"price"}},
			"another table": {Tables: []string{"price", "products"}, RowsOf: []string{"tax"}},
			"no table":      {},
		}
		caches := make([]map[string]*txcache.Cache[string, int], len(stores))
		for i, store := range stores {
			caches[i] = map[string]*txcache.Cache[string, int]{}
			for name, opts := range shows {
				caches[i][name] = storetest.NewCache[string, int](t, store, name, opts)
				storetest.Publish(t, store, "db", caches[i][name], "x", 1)
				storetest.Publish(t, store, "other", caches[i][name], "x", 1)
			}
		}
		expect := func(tx *txcache.Tx, caches map[string]*txcache.Cache[string, int], cleared bool) {
			t.Helper()
			for name, c := range caches {
				if cleared && (strings.HasPrefix(name, "product") || name == "several") {
					storetest.Miss(t, tx, c, "x", name+" shows the table")
				} else {
					storetest.Hit(t, tx, c, "x", 1, name+" is not cleared")
				}
			}
		}
		undone := storetest.Begin(t, stores[0], "db")
		must(t, undone.Changed("product"))
		expect(undone, caches[0], true)
		must(t, undone.Rollback())
		expect(storetest.BeginReadOnly(t, stores[0], "db"), caches[0], false)

		tx := storetest.Begin(t, stores[0], "db")
		must(t, tx.Changed("nowhere", "product"))
		expect(tx, caches[0], true)
		expect(storetest.BeginReadOnly(t, stores[1], "db"), caches[1], false)
		storetest.Commit(t, tx)
		for i, store := range stores {
			expect(storetest.BeginReadOnly(t, store, "db"), caches[i], true)
			expect(storetest.BeginReadOnly(t, store, "other"), caches[i], false)
		}
	})
}

func TestTablesAreTheSameAsInSQL(t *testing.T) {
	for _, test := range []struct {
		shown, changed string
		same           bool
	}{
		{"product", "product", true},
		{"Product", "PRODUCT", true},
		{"product", ` "Product" `, true},
		{"`shop`.`product`", "[shop].[product]", true},
		{"product", "public.product", true},
		{"public.product", "product", true},
		{"public.product", "shop.public.product", true},
		{"public.product", "archive.product", false},
		{"public.product", "republic.product", false},
		{"product", "byproduct", false},
		{"product", "product.price", false},
		{"product", "products", false},
		{"größe", "GRÖSSE", false},
		{"größe", "GRÖßE", true},
	} {
		store := storetest.Setups[0].One(t)
		c := storetest.NewCache[int, int](t, store, "c", txcache.CacheOptions{Tables: []string{test.shown}})
		storetest.Publish(t, store, "db", c, 1, 1)
		must(t, store.Update(t.Context(), "db", func(tx *txcache.Tx) error { return tx.Changed(test.changed) }))
		tx := storetest.BeginReadOnly(t, store, "db")
		if _, hit := c.Get(t.Context(), tx, 1); hit == test.same {
			t.Errorf("a cache that shows %s, after a change of %s: a hit is %v", test.shown, test.changed, hit)
		}
	}
}

// P11: of a cache whose keys are those of the rows, other rows stay.
func TestChangedRowsDeletesTheirKeys(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		store := s.One(t)
		rows := storetest.NewCache[int64, int](t, store, "rows", txcache.CacheOptions{RowsOf: []string{"product", "product_text"}})
		names := storetest.NewCache[string, int](t, store, "names", txcache.CacheOptions{RowsOf: []string{"product"}})
		lists := storetest.NewCache[int64, int](t, store, "lists", txcache.CacheOptions{Tables: []string{"product"}})
		fill := func() {
			for key := range int64(3) {
				storetest.Publish(t, store, "db", rows, key, 1)
				storetest.Publish(t, store, "db", lists, key, 1)
			}
			storetest.Publish(t, store, "db", names, "1", 1)
		}
		fill()
		tx := storetest.Begin(t, store, "db")
		must(t, tx.ChangedRows("product", 1, 2))
		rows.Set(tx, 2, 5) // as after a delete
		storetest.Miss(t, tx, rows, 1, "the row was changed")
		storetest.Hit(t, tx, rows, 0, 1, "another row was changed")
		storetest.Miss(t, tx, lists, 0, "it may show the row")
		storetest.Miss(t, tx, names, "1", "its keys are not those of the rows")
		storetest.Commit(t, tx)
		after := storetest.BeginReadOnly(t, store, "db")
		storetest.Miss(t, after, rows, 1, "the row was changed")
		storetest.Hit(t, after, rows, 2, 5, "it was written through")
		storetest.Hit(t, after, rows, 0, 1, "another row was changed")
		storetest.Miss(t, after, lists, 0, "it may show the row")
		storetest.Miss(t, after, names, "1", "its keys are not those of the rows")

		fill()
		must(t, store.Update(t.Context(), "db", func(tx *txcache.Tx) error { return tx.ChangedRows("product_text", int64(1)) }))
		after = storetest.BeginReadOnly(t, store, "db")
		storetest.Miss(t, after, rows, 1, "the row was changed")
		storetest.Hit(t, after, lists, 0, 1, "it shows another table")
		storetest.Hit(t, after, names, "1", 1, "it shows another table")

		fill()
		must(t, store.Update(t.Context(), "db", func(tx *txcache.Tx) error { return tx.ChangedRows("product") }))
		storetest.Miss(t, storetest.BeginReadOnly(t, store, "db"), rows, 0, "it is not known which rows were changed")
	})
}

type (
	productID  int64
	productSKU string
	composite  struct {
		A int
		B string
	}
	dynamic struct{ ID any }
)

// Keys of other types stand for those that they clearly mean; where that is in doubt, the
// cache is cleared.
func TestKeysOfRows(t *testing.T) {
	keysOfRows(t, int64(7), int64(8), map[any]bool{
		int64(7): true, 7: true, uint8(7): true, productID(7): true, uint64(7): true,
		"7": false, 7.0: false, nil: false, uint64(1 << 63): false, [1]int64{7}: false,
	})
	keysOfRows(t, uint8(7), 8, map[any]bool{7: true, productID(7): true, uint16(7): true, -249: false, 263: false, uint(263): false})
	keysOfRows(t, productID(7), 8, map[any]bool{7: true, productID(7): true, int32(7): true})
	keysOfRows(t, int8(7), 8, map[any]bool{uint(7): true, 1 << 8: false, uint(1 << 7): false})
	keysOfRows(t, "a", "b", map[any]bool{"a": true, productSKU("a"): true, 'a': false, 97: false, [1]byte{'a'}: false})
	keysOfRows(t, productSKU("a"), "b", map[any]bool{"a": true, productSKU("a"): true})
	keysOfRows(t, [2]byte{7}, [2]byte{8}, map[any]bool{[2]byte{7}: true, [3]byte{7}: false, "\x07\x00": false})
	keysOfRows(t, composite{7, "a"}, composite{7, "b"}, map[any]bool{
		composite{7, "a"}: true,
		struct {
			A int
			B string
		}{7, "a"}: true,
		struct{ A int }{7}: false, 7: false,
	})
	keysOfRows(t, any(7), any(8), map[any]bool{7: false, int64(7): false})
	keysOfRows(t, dynamic{7}, dynamic{8}, map[any]bool{dynamic{7}: false, dynamic{int64(7)}: false, struct{ ID any }{7}: false})
	keysOfRows(t, [1]any{7}, [1]any{8}, map[any]bool{[1]any{int64(7)}: false})
	keysOfRows(t, 1.5, 2.5, map[any]bool{1.5: true, float32(1.5): false, 1: false})
	keysOfRows(t, true, false, map[any]bool{true: true, 1: false})
}

// keysOfRows calls ChangedRows with keys that mean the key changed, or not for sure any.
func keysOfRows[K comparable](t *testing.T, changed, other K, keys map[any]bool) {
	t.Helper()
	for key, clear := range keys {
		store := storetest.Setups[0].One(t)
		c := storetest.NewCache[K, int](t, store, "c", txcache.CacheOptions{RowsOf: []string{"product"}})
		storetest.Publish(t, store, "db", c, changed, 1)
		storetest.Publish(t, store, "db", c, other, 1)
		must(t, store.Update(t.Context(), "db", func(tx *txcache.Tx) error { return tx.ChangedRows("product", key) }))
		after := storetest.BeginReadOnly(t, store, "db")
		if _, hit := c.Get(t.Context(), after, changed); hit {
			t.Errorf("%T cache, ChangedRows of %#v: the row is still there", changed, key)
		}
		if _, hit := c.Get(t.Context(), after, other); hit != clear {
			t.Errorf("%T cache, ChangedRows of %#v: another row: a hit is %v", changed, key, hit)
		}
	}
}

// P2: a savepoint undoes what was named in it, and no more.
func TestChangedInSavepoints(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		store := s.One(t)
		a := storetest.NewCache[int, int](t, store, "a", txcache.CacheOptions{Tables: []string{"a"}})
		b := storetest.NewCache[int, int](t, store, "b", txcache.CacheOptions{RowsOf: []string{"b"}})
		c := storetest.NewCache[int, int](t, store, "c", txcache.CacheOptions{RowsOf: []string{"c"}})
		for _, cache := range []*txcache.Cache[int, int]{a, b, c} {
			storetest.Publish(t, store, "db", cache, 1, 1)
		}
		tx := storetest.Begin(t, store, "db")
		must(t, tx.ChangedRows("c", 1))
		undo(t, tx, false, func(tx *txcache.Tx) {
			must(t, tx.Changed("a", "c"))
			must(t, tx.ChangedRows("b", 1))
			storetest.Miss(t, tx, a, 1, "it is cleared")
			storetest.Miss(t, tx, b, 1, "it is deleted")
		})
		late := storetest.NewCache[int, int](t, store, "late", txcache.CacheOptions{Tables: []string{"a"}})
		storetest.Publish(t, store, "db", late, 1, 1)
		storetest.Hit(t, tx, a, 1, 1, "its clear is undone")
		storetest.Hit(t, tx, b, 1, 1, "its delete is undone")
		storetest.Miss(t, tx, c, 1, "it was deleted before the savepoint")
		storetest.Commit(t, tx)
		after := storetest.BeginReadOnly(t, store, "db")
		storetest.Hit(t, after, a, 1, 1, "its clear is undone")
		storetest.Hit(t, after, b, 1, 1, "its delete is undone")
		storetest.Miss(t, after, c, 1, "it was deleted before the savepoint")
		storetest.Hit(t, after, late, 1, 1, "the change of its table is undone")
	})
}

// P3: what others load between the change and the commit is old, also in a cache that was made
// meanwhile.
func TestACacheThatIsMadeAfterTheChange(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		for name, change := range map[string]func(tx *txcache.Tx) error{
			"table": func(tx *txcache.Tx) error { return tx.Changed("product") },
			"rows":  func(tx *txcache.Tx) error { return tx.ChangedRows("product", 1) },
		} {
			store := s.One(t)
			before := storetest.NewCache[int, int](t, store, "before", txcache.CacheOptions{RowsOf: []string{"product"}})
			storetest.Publish(t, store, "db", before, 2, 1)
			tx := storetest.Begin(t, store, "db")
			must(t, change(tx))
			late := storetest.NewCache[int, int](t, store, "late", txcache.CacheOptions{RowsOf: []string{"product"}})
			storetest.Publish(t, store, "db", late, 1, 1)
			storetest.Commit(t, tx)
			after := storetest.BeginReadOnly(t, store, "db")
			storetest.Miss(t, after, late, 1, name+": it was loaded before the commit")
			if name == "rows" {
				storetest.Hit(t, after, before, 2, 1, "its row was not changed")
			}
		}
	})
}

// P7: a transaction whose database was dropped may name tables.
func TestChangedAfterADrop(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		store := s.One(t)
		c := storetest.NewCache[int, int](t, store, "c", txcache.CacheOptions{Tables: []string{"product"}})
		storetest.Publish(t, store, "db", c, 1, 1)
		tx := storetest.Begin(t, store, "db")
		must(t, store.Drop(t.Context(), "db"))
		must(t, tx.Changed("product"))
		c.Set(tx, 1, 2)
		storetest.Publish(t, store, "db", c, 1, 3)
		storetest.Commit(t, tx)
		storetest.Miss(t, storetest.BeginReadOnly(t, store, "db"), c, 1, "it was loaded before the commit")
	})
}

func TestChangedIsRefused(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		store := s.One(t)
		c := storetest.NewCache[int, int](t, store, "c", txcache.CacheOptions{Tables: []string{"product"}})
		storetest.Publish(t, store, "db", c, 1, 1)
		for name, do := range map[string]func(tx *txcache.Tx) error{
			"a table":             func(tx *txcache.Tx) error { return tx.Changed("product") },
			"one that is nowhere": func(tx *txcache.Tx) error { return tx.Changed("nowhere") },
			"no table":            func(tx *txcache.Tx) error { return tx.Changed() },
			"rows":                func(tx *txcache.Tx) error { return tx.ChangedRows("product", 1) },
		} {
			tx := storetest.BeginReadOnly(t, store, "db")
			if err := do(tx); !errors.Is(err, txcache.ErrReadOnly) {
				t.Errorf("%s, read-only: %v; want ErrReadOnly", name, err)
			}
			storetest.Hit(t, tx, c, 1, 1, "nothing was cleared")
			if err := tx.Commit(t.Context()); !errors.Is(err, txcache.ErrReadOnly) {
				t.Errorf("%s: Commit = %v; want ErrReadOnly", name, err)
			}
			if err := do(tx); !errors.Is(err, txcache.ErrTxDone) {
				t.Errorf("%s, finished: %v; want ErrTxDone", name, err)
			}
		}
		for _, empty := range []string{"", " ", `""`, "public."} {
			tx := storetest.Begin(t, store, "db")
			if err := tx.Changed(empty); err == nil || !strings.Contains(err.Error(), "empty") {
				t.Errorf("Changed(%q) = %v", empty, err)
			}
			if err := tx.Commit(t.Context()); err == nil {
				t.Errorf("Changed(%q) was refused, and its commit was not", empty)
			}
			for _, opts := range []txcache.CacheOptions{{Tables: []string{empty}}, {RowsOf: []string{empty}}} {
				if _, err := txcache.NewCache[int, int](store, "bad", &opts); err == nil || !strings.Contains(err.Error(), `cache "bad": the name of a table is empty`) {
					t.Errorf("a cache of table %q: %v", empty, err)
				}
			}
		}
		for _, opts := range []txcache.CacheOptions{
			{Tables: []string{"product", "Product"}}, {Tables: []string{"product"}, RowsOf: []string{"public.product"}}, {RowsOf: []string{"product", `"product"`}},
		} {
			if _, err := txcache.NewCache[int, int](store, "bad", &opts); err == nil || !strings.Contains(err.Error(), `table "product" is named twice`) {
				t.Errorf("a cache of %v, %v: %v", opts.Tables, opts.RowsOf, err)
			}
		}
		storetest.Hit(t, storetest.BeginReadOnly(t, store, "db"), c, 1, 1, "nothing was cleared")
	})
}
