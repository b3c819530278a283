package acceptance_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache"
)

// The promises of docs/design.md, one test each. Where a scenario is numbered,
// it is a race that other caches are known to lose.

func TestP1PrivateUntilCommit(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		store := s.one(t)
		c := newCache[string, int](t, store, "c", txcache.CacheOptions{})

		writer, other := begin(t, store, "db"), begin(t, store, "db")
		c.Set(writer, "x", 1)
		hit(t, writer, c, "x", 1, "it is the transaction's own")
		miss(t, other, c, "x", "the writer has not committed")
		miss(t, begin(t, store, "db"), c, "x", "the writer has not committed")
		commit(t, writer)
		hit(t, begin(t, store, "db"), c, "x", 1, "the writer has committed")

		clearing, other := begin(t, store, "db"), begin(t, store, "db")
		clearCache(t, clearing, c)
		miss(t, clearing, c, "x", "the transaction has cleared")
		hit(t, other, c, "x", 1, "the clear is not committed")
		hit(t, begin(t, store, "db"), c, "x", 1, "the clear is not committed")
		commit(t, clearing)
		miss(t, begin(t, store, "db"), c, "x", "the clear is committed")
	})
}

// Scenario 4: whatever the order of writes, reads and clears in a transaction,
// what it has not committed stays inside.
func TestP1OrderOfSetAndClearMakesNoDifference(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		for _, order := range []string{"set, clear", "clear, set", "clear, set, clear, set", "set, clear all, set"} {
			t.Run(order, func(t *testing.T) {
				store := s.one(t)
				c := newCache[string, int](t, store, "c", txcache.CacheOptions{})
				publish(t, store, "db", c, "x", 1)

				tx := begin(t, store, "db")
				for _, step := range splitSteps(order) {
					switch step {
					case "set":
						c.Set(tx, "x", 2)
						hit(t, tx, c, "x", 2, "own value")
					case "clear":
						clearCache(t, tx, c)
						miss(t, tx, c, "x", "own clear")
					case "clear all":
						if err := tx.ClearAll(); err != nil {
							t.Fatal(err)
						}
						miss(t, tx, c, "x", "own clear")
						c.Set(tx, "other", 2)
						miss(t, tx, c, "x", "own clear; another key makes no difference")
					}
					hit(t, begin(t, store, "db"), c, "x", 1, "nothing is committed yet")
				}
				commit(t, tx)
				if got, ok := c.Get(t.Context(), begin(t, store, "db"), "x"); ok {
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
			tx := begin(t, store, "db")
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
			tx := begin(t, store, "db")
			err := tx.Savepoint(func(tx *txcache.Tx) error {
				change(tx)
				return failure
			})
			if err != failure {
				t.Fatalf("Savepoint = %v; want the error of the function as it is", err)
			}
			commit(t, tx)
		}},
		{"abandoned", func(t *testing.T, store *txcache.Store, change func(*txcache.Tx)) {
			change(begin(t, store, "db"))
		}},
	}
	everywhere(t, func(t *testing.T, s setup) {
		for _, e := range ends {
			t.Run(e.name, func(t *testing.T) {
				store := s.one(t)
				set := newCache[string, int](t, store, "set", txcache.CacheOptions{})
				cleared := newCache[string, int](t, store, "cleared", txcache.CacheOptions{Warm: true})
				publish(t, store, "db", set, "old", 1)
				publish(t, store, "db", cleared, "old", 1)

				e.end(t, store, func(tx *txcache.Tx) {
					set.Set(tx, "old", 2)
					set.Set(tx, "new", 2)
					clearCache(t, tx, cleared)
					cleared.Set(tx, "new", 2)
				})

				tx := begin(t, store, "db")
				hit(t, tx, set, "old", 1, "the change was undone")
				miss(t, tx, set, "new", "the change was undone")
				hit(t, tx, cleared, "old", 1, "the clear was undone")
				miss(t, tx, cleared, "new", "the change was undone")
			})
		}
	})
}

// What a commit that was refused has set is gone; what it cleared is cleared, and
// in use at once.
func TestP2FailedCommitClearsAndPublishesNothing(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		failure := txcache.NotCommitted(errors.New("deferred constraint"))
		store := s.one(t)
		set := newCache[string, int](t, store, "set", txcache.CacheOptions{})
		cleared := newCache[string, int](t, store, "cleared", txcache.CacheOptions{Warm: true})
		publish(t, store, "db", cleared, "x", 1)

		tx := begin(t, store, "db")
		set.Set(tx, "x", 2)
		if err := tx.CommitWith(t.Context(), func(context.Context) error { return failure }); err != failure {
			t.Fatalf("CommitWith = %v; want the error of the database as it is", err)
		}
		miss(t, begin(t, store, "db"), set, "x", "the commit failed")
		hit(t, begin(t, store, "db"), cleared, "x", 1, "nothing was cleared")

		tx = begin(t, store, "db")
		set.Set(tx, "x", 2)
		clearCache(t, tx, cleared)
		cleared.Set(tx, "x", 2)
		if err := tx.CommitWith(t.Context(), func(context.Context) error { return failure }); err != failure {
			t.Fatalf("CommitWith = %v; want the error of the database as it is", err)
		}
		after := begin(t, store, "db")
		miss(t, after, set, "x", "the commit failed")
		miss(t, after, cleared, "x", "a needless clear is a miss")
		publish(t, store, "db", cleared, "x", 3)
		hit(t, begin(t, store, "db"), cleared, "x", 3, "the cache is in use again")
	})
}

func TestP3FreshAfterCommit(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		servers := s.open(t, 2, txcache.Options{})
		a := newCache[string, int](t, servers[0], "c", txcache.CacheOptions{})
		b := newCache[string, int](t, servers[1], "c", txcache.CacheOptions{})
		publish(t, servers[0], "db", a, "x", 1)
		publish(t, servers[1], "db", b, "x", 1)

		tx := begin(t, servers[0], "db")
		clearCache(t, tx, a)
		err := tx.CommitWith(t.Context(), func(context.Context) error {
			// Scenario 3: while the database commits, others can see either
			// side of it. None of them may read or leave a value.
			for range 2 {
				for i, c := range []*txcache.Cache[string, int]{a, b} {
					during := beginReadOnly(t, servers[i], "db")
					miss(t, during, c, "x", "a commit of a clear is under way")
					c.Set(during, "x", 1)
					hit(t, during, c, "x", 1, "it is the transaction's own")
					commit(t, during)
					miss(t, beginReadOnly(t, servers[i], "db"), c, "x", "nobody fills a fenced cache")
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range []*txcache.Cache[string, int]{a, b} {
			miss(t, begin(t, servers[i], "db"), c, "x", "the clear is committed")
		}
		for i, c := range []*txcache.Cache[string, int]{a, b} {
			publish(t, servers[i], "db", c, "x", 2)
			hit(t, begin(t, servers[i], "db"), c, "x", 2, "the cache is in use again")
		}
	})
}

// A value that is set without a clear fills the cache and replaces nothing: other
// processes keep what they have, until the transaction that changes the row clears.
func TestASetReplacesNothingOfOtherProcesses(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		all := s.open(t, 2, txcache.Options{})
		writer, reader := all[0], all[1]
		w := newCache[string, int](t, writer, "c", txcache.CacheOptions{})
		r := newCache[string, int](t, reader, "c", txcache.CacheOptions{})
		publish(t, reader, "db", r, "x", 1)
		near := !strings.Contains(s.name, "without near")
		tx := begin(t, writer, "db")
		w.Set(tx, "x", 2)
		commit(t, tx)
		hit(t, begin(t, writer, "db"), w, "x", 2, "it has set it")
		if near {
			hit(t, begin(t, reader, "db"), r, "x", 1, "nobody has cleared it")
		}
		tx = begin(t, writer, "db")
		clearCache(t, tx, w)
		commit(t, tx)
		miss(t, begin(t, reader, "db"), r, "x", "it was cleared")
		miss(t, begin(t, writer, "db"), w, "x", "it was cleared")
	})
}

// Scenario 1: a reader misses and loads the old row; a writer changes it, clears
// and commits; the reader fills.
func TestP4AnOldTransactionCannotRefill(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		for _, readOnly := range []bool{true, false} {
			for _, otherServer := range []bool{true, false} {
				t.Run(fmt.Sprintf("readOnly=%v,otherServer=%v", readOnly, otherServer), func(t *testing.T) {
					servers := s.open(t, 2, txcache.Options{})
					caches := make([]*txcache.Cache[string, int], 2)
					for i := range servers {
						caches[i] = newCache[string, int](t, servers[i], "c", txcache.CacheOptions{})
					}
					w := 0
					if otherServer {
						w = 1
					}
					old := begin(t, servers[0], "db")
					if readOnly {
						old = beginReadOnly(t, servers[0], "db")
					}
					miss(t, old, caches[0], "x", "it is empty")

					writer := begin(t, servers[w], "db")
					clearCache(t, writer, caches[w])
					commit(t, writer)

					caches[0].Set(old, "x", 1)
					commit(t, old)
					for i := range servers {
						miss(t, begin(t, servers[i], "db"), caches[i], "x", "the value is older than the clear")
					}
				})
			}
		}
	})
}

// Scenario 2: the first miss of a transaction, and its fill, come after the
// commit that makes them old.
func TestP4FirstMissAfterTheCommit(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		store := s.one(t)
		c := newCache[string, int](t, store, "c", txcache.CacheOptions{})
		other := newCache[string, int](t, store, "other", txcache.CacheOptions{})
		old := beginReadOnly(t, store, "db")
		writer := begin(t, store, "db")
		clearCache(t, writer, c)
		commit(t, writer)
		publish(t, store, "db", c, "x", 2)

		miss(t, old, c, "x", "the process has learnt of a newer generation")
		c.Set(old, "x", 1)
		commit(t, old)
		hit(t, begin(t, store, "db"), c, "x", 2, "a value of an older generation changes nothing")

		writer = begin(t, store, "db")
		clearCache(t, writer, other)
		commit(t, writer)
		hit(t, begin(t, store, "db"), c, "x", 2, "a clear of another cache changes nothing")
	})
}

// Scenario 8: two writers clear one cache at once, and commit in the reverse
// order of their fences.
func TestP4TwoWritersReversed(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		for _, warm := range []bool{false, true} {
			t.Run(fmt.Sprintf("warm=%v", warm), func(t *testing.T) {
				store := s.one(t)
				c := newCache[string, int](t, store, "c", txcache.CacheOptions{Warm: warm})
				first, second := begin(t, store, "db"), begin(t, store, "db")
				clearCache(t, first, c)
				c.Set(first, "x", 1)
				clearCache(t, second, c)
				c.Set(second, "x", 2)
				err := first.CommitWith(t.Context(), func(context.Context) error {
					commit(t, second)
					miss(t, begin(t, store, "db"), c, "x", "the first one's fence still stands")
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
				miss(t, begin(t, store, "db"), c, "x", "neither writer knows what the other has written")
			})
		}
	})
}

func TestWarmPublishesWhatWasSetAfterTheClear(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		for _, all := range []bool{false, true} {
			t.Run(fmt.Sprintf("all=%v", all), func(t *testing.T) {
				store := s.one(t)
				warm := newCache[string, int](t, store, "warm", txcache.CacheOptions{Warm: true})
				cold := newCache[string, int](t, store, "cold", txcache.CacheOptions{})
				publish(t, store, "db", warm, "x", 1)
				publish(t, store, "db", warm, "old", 1)

				tx := begin(t, store, "db")
				warm.Set(tx, "before", 2)
				if all {
					if err := tx.ClearAll(); err != nil {
						t.Fatal(err)
					}
				} else {
					clearCache(t, tx, warm)
					clearCache(t, tx, cold)
				}
				warm.Set(tx, "x", 2)
				cold.Set(tx, "x", 2)
				commit(t, tx)

				after := begin(t, store, "db")
				hit(t, after, warm, "x", 2, "it was set after the clear")
				miss(t, after, warm, "before", "it was set before the clear")
				miss(t, after, warm, "old", "it was cleared")
				miss(t, after, cold, "x", "the cache is not warm")
			})
		}
	})
}

// Somebody else's clear between begin and commit means that what was set may
// not be the newest.
func TestWarmPublishesNothingAfterAnothersClear(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		for _, all := range []bool{false, true} {
			t.Run(fmt.Sprintf("all=%v", all), func(t *testing.T) {
				servers := s.open(t, 2, txcache.Options{})
				warm := newCache[string, int](t, servers[0], "warm", txcache.CacheOptions{Warm: true})
				other := newCache[string, int](t, servers[1], "warm", txcache.CacheOptions{Warm: true})
				tx := begin(t, servers[0], "db")

				writer := begin(t, servers[1], "db")
				clearCache(t, writer, other)
				commit(t, writer)

				if all {
					tx.ClearAll()
				} else {
					clearCache(t, tx, warm)
				}
				warm.Set(tx, "x", 1)
				commit(t, tx)
				miss(t, begin(t, servers[0], "db"), warm, "x", "the value may miss what the other has written")
			})
		}
	})
}

func TestP7ADatabaseIsAnIsland(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		store := s.one(t)
		c := newCache[string, string](t, store, "c", txcache.CacheOptions{})
		names := []string{"a", "A", "a:b", "a:", ":", "a*", "*", "?", "[a]", "{a}", "a b", "\x00", "@", "a@", "ä", "ä", "a\n", string(make([]byte, 255)), "..", "%3A"}
		for _, name := range names {
			publish(t, store, name, c, "x", name)
		}
		for _, name := range names {
			hit(t, begin(t, store, name), c, "x", name, "each has its own value")
		}
		dropped, cleared := "a:b", "*"
		if err := store.Drop(t.Context(), dropped); err != nil {
			t.Fatal(err)
		}
		tx := begin(t, store, cleared)
		if err := tx.ClearAll(); err != nil {
			t.Fatal(err)
		}
		commit(t, tx)
		for _, name := range names {
			if name == dropped || name == cleared {
				miss(t, begin(t, store, name), c, "x", "it was dropped or cleared")
			} else {
				hit(t, begin(t, store, name), c, "x", name, "the others are left alone")
			}
		}
	})
}

// Scenario 15: a transaction that was open when its database was dropped.
func TestP7DropDetachesOpenTransactions(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		for _, byOther := range []bool{false, true} {
			t.Run(fmt.Sprintf("byOther=%v", byOther), func(t *testing.T) {
				servers := s.open(t, 2, txcache.Options{})
				store := servers[0]
				c := newCache[string, int](t, store, "c", txcache.CacheOptions{})
				warm := newCache[string, int](t, store, "warm", txcache.CacheOptions{Warm: true})
				publish(t, store, "db", c, "x", 1)

				writer, reader := begin(t, store, "db"), beginReadOnly(t, store, "db")
				c.Set(writer, "own", 2)
				clearCache(t, writer, warm)
				warm.Set(writer, "own", 2)
				hit(t, reader, c, "x", 1, "nothing has happened yet")

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

				miss(t, writer, c, "own", "not even its own")
				miss(t, writer, warm, "own", "not even its own")
				miss(t, reader, c, "x", "the database is gone")
				c.Set(writer, "late", 3)
				c.Set(reader, "late", 3)
				miss(t, writer, c, "late", "nothing is kept for a database that is gone")
				commit(t, reader)
				commit(t, writer)

				after := begin(t, store, "db")
				for _, key := range []string{"x", "own", "late"} {
					miss(t, after, c, key, "it was set in the life before")
				}
				miss(t, after, warm, "own", "it was set in the life before")
				publish(t, store, "db", c, "x", 4)
				hit(t, begin(t, store, "db"), c, "x", 4, "the name is in use again")
			})
		}
	})
}

func TestP10AClearCostsTheSame(t *testing.T) {
	cost := func(values int) float64 {
		store := setups[0].one(t)
		c := newCache[int, int](t, store, "c", txcache.CacheOptions{Size: values})
		other := newCache[int, int](t, store, "other", txcache.CacheOptions{Size: values})
		fill := begin(t, store, "db")
		for i := range values {
			c.Set(fill, i, i)
			other.Set(fill, i, i)
		}
		commit(t, fill)
		allocs := testing.AllocsPerRun(1, func() {
			tx := begin(t, store, "db")
			clearCache(t, tx, c)
			commit(t, tx)
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
