package acceptance_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

func splitSteps(order string) []string { return strings.Split(order, ", ") }

// The promises of docs/design.md, one test each. Where a scenario is numbered,
// it is a race that other caches are known to lose.

func TestP1PrivateUntilCommit(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		store := s.One(t)
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})

		writer, other := storetest.Begin(t, store, "db"), storetest.Begin(t, store, "db")
		c.Set(writer, "x", 1)
		storetest.Hit(t, writer, c, "x", 1, "it is the transaction's own")
		storetest.Miss(t, other, c, "x", "the writer has not committed")
		storetest.Miss(t, storetest.Begin(t, store, "db"), c, "x", "the writer has not committed")
		storetest.Commit(t, writer)
		storetest.Hit(t, storetest.Begin(t, store, "db"), c, "x", 1, "the writer has committed")

		clearing, other := storetest.Begin(t, store, "db"), storetest.Begin(t, store, "db")
		storetest.Clear(t, clearing, c)
		storetest.Miss(t, clearing, c, "x", "the transaction has cleared")
		storetest.Hit(t, other, c, "x", 1, "the clear is not committed")
		storetest.Hit(t, storetest.Begin(t, store, "db"), c, "x", 1, "the clear is not committed")
		storetest.Commit(t, clearing)
		storetest.Miss(t, storetest.Begin(t, store, "db"), c, "x", "the clear is committed")
	})
}

// Scenario 4: whatever the order of writes, reads and clears in a transaction,
// what it has not committed stays inside.
func TestP1OrderOfSetAndClearMakesNoDifference(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		for _, order := range []string{"set, clear", "clear, set", "clear, set, clear, set", "set, clear all, set"} {
			t.Run(order, func(t *testing.T) {
				store := s.One(t)
				c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
				storetest.Publish(t, store, "db", c, "x", 1)

				tx := storetest.Begin(t, store, "db")
				for _, step := range splitSteps(order) {
					switch step {
					case "set":
						c.Set(tx, "x", 2)
						storetest.Hit(t, tx, c, "x", 2, "own value")
					case "clear":
						storetest.Clear(t, tx, c)
						storetest.Miss(t, tx, c, "x", "own clear")
					case "clear all":
						if err := tx.ClearAll(); err != nil {
							t.Fatal(err)
						}
						storetest.Miss(t, tx, c, "x", "own clear")
						c.Set(tx, "other", 2)
						storetest.Miss(t, tx, c, "x", "own clear; another key makes no difference")
					}
					storetest.Hit(t, storetest.Begin(t, store, "db"), c, "x", 1, "nothing is committed yet")
				}
				storetest.Commit(t, tx)
				if got, ok := c.Get(t.Context(), storetest.Begin(t, store, "db"), "x"); ok {
					t.Errorf("after a clear, Get = %d; want a miss, for the cache is not warm", got)
				}
			})
		}
	})
}

func TestP2NoTraceOfARollback(t *testing.T) {
	failure := errors.New("failure")
	ends := []struct {
		name string
		end  func(t *testing.T, store *txcache.Store, change func(*txcache.Tx))
	}{
		{"rollback", func(t *testing.T, store *txcache.Store, change func(*txcache.Tx)) {
			tx := storetest.Begin(t, store, "db")
			change(tx)
			if err := tx.Rollback(); err != nil {
				t.Fatal(err)
			}
		}},
		{"error in Update", func(t *testing.T, store *txcache.Store, change func(*txcache.Tx)) {
			err := store.Update(t.Context(), "db", func(tx *txcache.Tx) error {
				change(tx)
				return failure
			})
			if err != failure {
				t.Fatalf("Update = %v; want the error of the function as it is", err)
			}
		}},
		{"panic in Update", func(t *testing.T, store *txcache.Store, change func(*txcache.Tx)) {
			defer func() {
				if r := recover(); r != failure {
					t.Fatalf("recovered %v; want the panic of the function", r)
				}
			}()
			store.Update(t.Context(), "db", func(tx *txcache.Tx) error {
				change(tx)
				panic(failure)
			})
		}},
		{"savepoint", func(t *testing.T, store *txcache.Store, change func(*txcache.Tx)) {
			tx := storetest.Begin(t, store, "db")
			err := tx.Savepoint(func(tx *txcache.Tx) error {
				change(tx)
				return failure
			})
			if err != failure {
				t.Fatalf("Savepoint = %v; want the error of the function as it is", err)
			}
			storetest.Commit(t, tx)
		}},
		{"abandoned", func(t *testing.T, store *txcache.Store, change func(*txcache.Tx)) {
			change(storetest.Begin(t, store, "db"))
		}},
	}
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		for _, e := range ends {
			t.Run(e.name, func(t *testing.T) {
				store := s.One(t)
				set := storetest.NewCache[string, int](t, store, "set", txcache.CacheOptions{})
				cleared := storetest.NewCache[string, int](t, store, "cleared", txcache.CacheOptions{Warm: true})
				storetest.Publish(t, store, "db", set, "old", 1)
				storetest.Publish(t, store, "db", cleared, "old", 1)

				e.end(t, store, func(tx *txcache.Tx) {
					set.Set(tx, "old", 2)
					set.Set(tx, "new", 2)
					storetest.Clear(t, tx, cleared)
					cleared.Set(tx, "new", 2)
				})

				tx := storetest.Begin(t, store, "db")
				storetest.Hit(t, tx, set, "old", 1, "the change was undone")
				storetest.Miss(t, tx, set, "new", "the change was undone")
				storetest.Hit(t, tx, cleared, "old", 1, "the clear was undone")
				storetest.Miss(t, tx, cleared, "new", "the change was undone")
			})
		}
	})
}

// A transaction finds nothing of one that has ended before it, in its own database or another, however that
// has ended.
func TestP2NoTraceInTheNextTransaction(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		store := s.Open(t, 1, txcache.Options{Size: 10, OverlaySize: 10})[0]
		c := storetest.NewCache[int, int](t, store, "c", txcache.CacheOptions{Size: 100})
		storetest.Publish(t, store, "db", c, 1, 1)
		for i := range 20 { // as what transactions have held may be used again, or not
			for _, values := range []int{5, 15} { // the latter are too many for a transaction
				tx := storetest.Begin(t, store, "other")
				for key := range values {
					c.Set(tx, 100+key, i)
				}
				if i%2 == 0 {
					tx.Rollback()
				} else {
					storetest.Commit(t, tx)
				}
				tx = storetest.Begin(t, store, "db")
				c.Set(tx, 2, i)
				storetest.Hit(t, tx, c, 1, 1, "others have committed it")
				for key := range values {
					storetest.Miss(t, tx, c, 100+key, "it is of another database")
				}
				storetest.Commit(t, tx)
				tx = storetest.BeginReadOnly(t, store, "db")
				storetest.Hit(t, tx, c, 2, i, "it was committed")
				storetest.Miss(t, tx, c, 100, "it is of another database")
				tx.Rollback()
			}
		}
		if c.Stats().Overflows == 0 {
			t.Error("no transaction had too many values")
		}
	})
}

// What a commit that was refused has set is gone; what it cleared is cleared, and
// in use at once.
func TestP2FailedCommitClearsAndPublishesNothing(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		failure := txcache.NotCommitted(errors.New("deferred constraint"))
		store := s.One(t)
		set := storetest.NewCache[string, int](t, store, "set", txcache.CacheOptions{})
		cleared := storetest.NewCache[string, int](t, store, "cleared", txcache.CacheOptions{Warm: true})
		storetest.Publish(t, store, "db", cleared, "x", 1)

		tx := storetest.Begin(t, store, "db")
		set.Set(tx, "x", 2)
		if err := tx.CommitWith(t.Context(), func(context.Context) error { return failure }); err != failure {
			t.Fatalf("CommitWith = %v; want the error of the database as it is", err)
		}
		storetest.Miss(t, storetest.Begin(t, store, "db"), set, "x", "the commit failed")
		storetest.Hit(t, storetest.Begin(t, store, "db"), cleared, "x", 1, "nothing was cleared")

		tx = storetest.Begin(t, store, "db")
		set.Set(tx, "x", 2)
		storetest.Clear(t, tx, cleared)
		cleared.Set(tx, "x", 2)
		if err := tx.CommitWith(t.Context(), func(context.Context) error { return failure }); err != failure {
			t.Fatalf("CommitWith = %v; want the error of the database as it is", err)
		}
		after := storetest.Begin(t, store, "db")
		storetest.Miss(t, after, set, "x", "the commit failed")
		storetest.Miss(t, after, cleared, "x", "a needless clear is a miss")
		storetest.Publish(t, store, "db", cleared, "x", 3)
		storetest.Hit(t, storetest.Begin(t, store, "db"), cleared, "x", 3, "the cache is in use again")
	})
}
