package deletes_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// A read-only transaction refuses removals, even of nothing, and then its commit.
func TestReadOnlyTransactions(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		for name, do := range map[string]func(tx *txcache.Tx, c *txcache.Cache[string, int]) error{
			"delete":            func(tx *txcache.Tx, c *txcache.Cache[string, int]) error { return c.Delete(tx, "x") },
			"delete of nothing": func(tx *txcache.Tx, c *txcache.Cache[string, int]) error { return c.Delete(tx) },
			"tag":               func(tx *txcache.Tx, c *txcache.Cache[string, int]) error { return tx.ClearTags("tag of x") },
			"no tag":            func(tx *txcache.Tx, c *txcache.Cache[string, int]) error { return tx.ClearTags() },
		} {
			store := s.One(t)
			c := tagged(t, store, txcache.CacheOptions{})
			storetest.Publish(t, store, "db", c, "x", 1)
			tx := storetest.BeginReadOnly(t, store, "db")
			if err := do(tx, c); !errors.Is(err, txcache.ErrReadOnly) {
				t.Errorf("%s = %v; want ErrReadOnly", name, err)
			}
			storetest.Hit(t, tx, c, "x", 1, "nothing was removed")
			asked := false
			if err := tx.CommitWith(t.Context(), func(context.Context) error { asked = true; return nil }); !errors.Is(err, txcache.ErrReadOnly) || asked {
				t.Errorf("%s: Commit = %v, and the database was asked: %v", name, err, asked)
			}
			if err := do(tx, c); !errors.Is(err, txcache.ErrTxDone) {
				t.Errorf("%s in a finished transaction = %v; want ErrTxDone", name, err)
			}
			storetest.Hit(t, storetest.BeginReadOnly(t, store, "db"), c, "x", 1, "nothing was removed")
			// A savepoint that is undone takes the refusal with it.
			tx = storetest.BeginReadOnly(t, store, "db")
			_ = tx.Savepoint(func(tx *txcache.Tx) error { return do(tx, c) })
			storetest.Commit(t, tx)
			// Refused removals of a read-write transaction that has ended.
			tx = storetest.Begin(t, store, "db")
			must(t, tx.Rollback())
			if err := do(tx, c); !errors.Is(err, txcache.ErrTxDone) {
				t.Errorf("%s after a rollback = %v; want ErrTxDone", name, err)
			}
			storetest.Hit(t, storetest.BeginReadOnly(t, store, "db"), c, "x", 1, "nothing was removed")
		}
	})
}

// A cache of another store is refused, and so is the commit.
func TestACacheOfAnotherStore(t *testing.T) {
	a, b := storetest.Setups[0].One(t), storetest.Setups[0].One(t)
	c, d := tagged(t, a, txcache.CacheOptions{}), tagged(t, b, txcache.CacheOptions{})
	storetest.Publish(t, a, "db", c, "x", 1)
	storetest.Publish(t, b, "db", d, "x", 1)
	tx := storetest.Begin(t, a, "db")
	if err := d.Delete(tx, "x"); err == nil {
		t.Error("Delete = nil; want an error")
	}
	if err := tx.Commit(t.Context()); err == nil {
		t.Error("Commit = nil; want the error of the delete")
	}
	storetest.Hit(t, storetest.BeginReadOnly(t, a, "db"), c, "x", 1, "it was not deleted")
	storetest.Hit(t, storetest.BeginReadOnly(t, b, "db"), d, "x", 1, "it was not deleted")
}

func TestNilHandles(t *testing.T) {
	store := storetest.Setups[0].One(t)
	c := tagged(t, store, txcache.CacheOptions{})
	tx := storetest.Begin(t, store, "db")
	var none *txcache.Cache[string, int]
	for name, misuse := range map[string]func(){
		"Delete in nil":         func() { _ = c.Delete(nil, "x") },
		"Delete of nil":         func() { _ = none.Delete(tx, "x") },
		"Delete of a zero":      func() { _ = new(txcache.Cache[string, int]).Delete(tx, "x") },
		"Delete of nothing":     func() { _ = c.Delete(nil) },
		"ClearTags of nil":      func() { _ = (*txcache.Tx)(nil).ClearTags("x") },
		"Changed of nil":        func() { _ = (*txcache.Tx)(nil).Changed("x") },
		"Changed of a zero":     func() { _ = new(txcache.Tx).Changed() },
		"ChangedRows of nil":    func() { _ = (*txcache.Tx)(nil).ChangedRows("x", 1) },
		"ClearTags of a zero":   func() { _ = new(txcache.Tx).ClearTags() },
		"TagBy of nil":          func() { none.TagBy(func(string, int) []string { return nil }) },
		"TagBy without anybody": func() { c.TagBy(nil) },
	} {
		func() {
			defer func() {
				p := recover()
				if text := fmt.Sprint(p); p == nil || strings.Contains(text, "nil pointer") {
					t.Errorf("%s: it panics with %v; want a sentence", name, p)
				}
			}()
			misuse()
		}()
	}
	storetest.Commit(t, tx)
}

// Removals of nothing, the same twice, and what is not there.
func TestTrivialDeletes(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		store := s.One(t)
		c := tagged(t, store, txcache.CacheOptions{})
		for name, do := range map[string]func(tx *txcache.Tx) error{
			"no keys":     func(tx *txcache.Tx) error { return c.Delete(tx) },
			"no tags":     func(tx *txcache.Tx) error { return tx.ClearTags() },
			"another key": func(tx *txcache.Tx) error { return c.Delete(tx, "z", "", "z", strings.Repeat("z", 1<<20), "\xff") },
			"another tag": func(tx *txcache.Tx) error { return tx.ClearTags("", strings.Repeat("tag", 1<<20), "x", "\xff", "") },
			"twice": func(tx *txcache.Tx) error {
				return errors.Join(c.Delete(tx, "z"), c.Delete(tx, "z"), tx.ClearTags("z"), tx.ClearTags("z"))
			},
			"key like tag": func(tx *txcache.Tx) error { return errors.Join(c.Delete(tx, "tag of x"), tx.ClearTags("x")) },
		} {
			storetest.Publish(t, store, "db", c, "x", 1)
			tx := storetest.Begin(t, store, "db")
			must(t, do(tx))
			storetest.Hit(t, tx, c, "x", 1, name)
			storetest.Commit(t, tx)
			storetest.Hit(t, storetest.BeginReadOnly(t, store, "db"), c, "x", 1, name)
		}
	})
}
