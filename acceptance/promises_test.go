package acceptance_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

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

func TestP3FreshAfterCommit(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		servers := s.Open(t, 2, txcache.Options{})
		a := storetest.NewCache[string, int](t, servers[0], "c", txcache.CacheOptions{})
		b := storetest.NewCache[string, int](t, servers[1], "c", txcache.CacheOptions{})
		storetest.Publish(t, servers[0], "db", a, "x", 1)
		storetest.Publish(t, servers[1], "db", b, "x", 1)

		tx := storetest.Begin(t, servers[0], "db")
		storetest.Clear(t, tx, a)
		err := tx.CommitWith(t.Context(), func(context.Context) error {
			// Scenario 3: while the database commits, others can see either
			// side of it. None of them may read or leave a value.
			for range 2 {
				for i, c := range []*txcache.Cache[string, int]{a, b} {
					during := storetest.BeginReadOnly(t, servers[i], "db")
					storetest.Miss(t, during, c, "x", "a commit of a clear is under way")
					c.Set(during, "x", 1)
					storetest.Hit(t, during, c, "x", 1, "it is the transaction's own")
					storetest.Commit(t, during)
					storetest.Miss(t, storetest.BeginReadOnly(t, servers[i], "db"), c, "x", "nobody fills a fenced cache")
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range []*txcache.Cache[string, int]{a, b} {
			storetest.Miss(t, storetest.Begin(t, servers[i], "db"), c, "x", "the clear is committed")
		}
		for i, c := range []*txcache.Cache[string, int]{a, b} {
			storetest.Publish(t, servers[i], "db", c, "x", 2)
			storetest.Hit(t, storetest.Begin(t, servers[i], "db"), c, "x", 2, "the cache is in use again")
		}
	})
}

// A value that is set without a clear fills the cache and replaces nothing: other
// processes keep what they have, until the transaction that changes the row clears.
func TestASetReplacesNothingOfOtherProcesses(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		all := s.Open(t, 2, txcache.Options{})
		writer, reader := all[0], all[1]
		w := storetest.NewCache[string, int](t, writer, "c", txcache.CacheOptions{})
		r := storetest.NewCache[string, int](t, reader, "c", txcache.CacheOptions{})
		storetest.Publish(t, reader, "db", r, "x", 1)
		near := !strings.Contains(s.Name, "without near")
		tx := storetest.Begin(t, writer, "db")
		w.Set(tx, "x", 2)
		storetest.Commit(t, tx)
		storetest.Hit(t, storetest.Begin(t, writer, "db"), w, "x", 2, "it has set it")
		if near {
			storetest.Hit(t, storetest.Begin(t, reader, "db"), r, "x", 1, "nobody has cleared it")
		}
		tx = storetest.Begin(t, writer, "db")
		storetest.Clear(t, tx, w)
		storetest.Commit(t, tx)
		storetest.Miss(t, storetest.Begin(t, reader, "db"), r, "x", "it was cleared")
		storetest.Miss(t, storetest.Begin(t, writer, "db"), w, "x", "it was cleared")
	})
}

// Scenario 1: a reader misses and loads the old row; a writer changes it, clears
// and commits; the reader fills.
func TestP4AnOldTransactionCannotRefill(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		for _, readOnly := range []bool{true, false} {
			for _, otherServer := range []bool{true, false} {
				t.Run(fmt.Sprintf("readOnly=%v,otherServer=%v", readOnly, otherServer), func(t *testing.T) {
					servers := s.Open(t, 2, txcache.Options{})
					caches := make([]*txcache.Cache[string, int], 2)
					for i := range servers {
						caches[i] = storetest.NewCache[string, int](t, servers[i], "c", txcache.CacheOptions{})
					}
					w := 0
					if otherServer {
						w = 1
					}
					old := storetest.Begin(t, servers[0], "db")
					if readOnly {
						old = storetest.BeginReadOnly(t, servers[0], "db")
					}
					storetest.Miss(t, old, caches[0], "x", "it is empty")

					writer := storetest.Begin(t, servers[w], "db")
					storetest.Clear(t, writer, caches[w])
					storetest.Commit(t, writer)

					caches[0].Set(old, "x", 1)
					storetest.Commit(t, old)
					for i := range servers {
						storetest.Miss(t, storetest.Begin(t, servers[i], "db"), caches[i], "x", "the value is older than the clear")
					}
				})
			}
		}
	})
}

// Scenario 2: the first miss of a transaction, and its fill, come after the
// commit that makes them old.
func TestP4FirstMissAfterTheCommit(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		store := s.One(t)
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		other := storetest.NewCache[string, int](t, store, "other", txcache.CacheOptions{})
		old := storetest.BeginReadOnly(t, store, "db")
		writer := storetest.Begin(t, store, "db")
		storetest.Clear(t, writer, c)
		storetest.Commit(t, writer)
		storetest.Publish(t, store, "db", c, "x", 2)

		storetest.Miss(t, old, c, "x", "the process has learnt of a newer generation")
		c.Set(old, "x", 1)
		storetest.Commit(t, old)
		storetest.Hit(t, storetest.Begin(t, store, "db"), c, "x", 2, "a value of an older generation changes nothing")

		writer = storetest.Begin(t, store, "db")
		storetest.Clear(t, writer, other)
		storetest.Commit(t, writer)
		storetest.Hit(t, storetest.Begin(t, store, "db"), c, "x", 2, "a clear of another cache changes nothing")
	})
}

// Scenario 8: two writers clear one cache at once, and commit in the reverse
// order of their fences.
func TestP4TwoWritersReversed(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		for _, warm := range []bool{false, true} {
			t.Run(fmt.Sprintf("warm=%v", warm), func(t *testing.T) {
				store := s.One(t)
				c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{Warm: warm})
				first, second := storetest.Begin(t, store, "db"), storetest.Begin(t, store, "db")
				storetest.Clear(t, first, c)
				c.Set(first, "x", 1)
				storetest.Clear(t, second, c)
				c.Set(second, "x", 2)
				err := first.CommitWith(t.Context(), func(context.Context) error {
					storetest.Commit(t, second)
					storetest.Miss(t, storetest.Begin(t, store, "db"), c, "x", "the first one's fence still stands")
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
				storetest.Miss(t, storetest.Begin(t, store, "db"), c, "x", "neither writer knows what the other has written")
			})
		}
	})
}

func TestWarmPublishesWhatWasSetAfterTheClear(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		for _, all := range []bool{false, true} {
			t.Run(fmt.Sprintf("all=%v", all), func(t *testing.T) {
				store := s.One(t)
				warm := storetest.NewCache[string, int](t, store, "warm", txcache.CacheOptions{Warm: true})
				cold := storetest.NewCache[string, int](t, store, "cold", txcache.CacheOptions{})
				storetest.Publish(t, store, "db", warm, "x", 1)
				storetest.Publish(t, store, "db", warm, "old", 1)

				tx := storetest.Begin(t, store, "db")
				warm.Set(tx, "before", 2)
				if all {
					if err := tx.ClearAll(); err != nil {
						t.Fatal(err)
					}
				} else {
					storetest.Clear(t, tx, warm)
					storetest.Clear(t, tx, cold)
				}
				warm.Set(tx, "x", 2)
				cold.Set(tx, "x", 2)
				storetest.Commit(t, tx)

				after := storetest.Begin(t, store, "db")
				storetest.Hit(t, after, warm, "x", 2, "it was set after the clear")
				storetest.Miss(t, after, warm, "before", "it was set before the clear")
				storetest.Miss(t, after, warm, "old", "it was cleared")
				storetest.Miss(t, after, cold, "x", "the cache is not warm")
			})
		}
	})
}

// Somebody else's clear between begin and commit means that what was set may
// not be the newest.
func TestWarmPublishesNothingAfterAnothersClear(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		for _, all := range []bool{false, true} {
			t.Run(fmt.Sprintf("all=%v", all), func(t *testing.T) {
				servers := s.Open(t, 2, txcache.Options{})
				warm := storetest.NewCache[string, int](t, servers[0], "warm", txcache.CacheOptions{Warm: true})
				other := storetest.NewCache[string, int](t, servers[1], "warm", txcache.CacheOptions{Warm: true})
				tx := storetest.Begin(t, servers[0], "db")

				writer := storetest.Begin(t, servers[1], "db")
				storetest.Clear(t, writer, other)
				storetest.Commit(t, writer)

				if all {
					tx.ClearAll()
				} else {
					storetest.Clear(t, tx, warm)
				}
				warm.Set(tx, "x", 1)
				storetest.Commit(t, tx)
				storetest.Miss(t, storetest.Begin(t, servers[0], "db"), warm, "x", "the value may miss what the other has written")
			})
		}
	})
}

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

func TestP10AClearCostsTheSame(t *testing.T) {
	cost := func(values int) float64 {
		store := storetest.Setups[0].One(t)
		c := storetest.NewCache[int, int](t, store, "c", txcache.CacheOptions{Size: values})
		other := storetest.NewCache[int, int](t, store, "other", txcache.CacheOptions{Size: values})
		fill := storetest.Begin(t, store, "db")
		for i := range values {
			c.Set(fill, i, i)
			other.Set(fill, i, i)
		}
		storetest.Commit(t, fill)
		allocs := testing.AllocsPerRun(1, func() {
			tx := storetest.Begin(t, store, "db")
			storetest.Clear(t, tx, c)
			storetest.Commit(t, tx)
		})
		if got := c.Stats().Values; got != 0 {
			t.Errorf("%d of %d cleared values are still in memory", got, values)
		}
		if got := other.Stats().Values; got != values {
			t.Errorf("%d of %d values of the other cache are left; want all", got, values)
		}
		return allocs
	}
	small, large := cost(10), cost(100_000)
	if large > small+5 {
		t.Errorf("a clear of 100000 values allocates %v times, one of 10 values %v times; want the same", large, small)
	}
}

func splitSteps(order string) []string { return strings.Split(order, ", ") }
