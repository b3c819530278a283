package acceptance_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

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
