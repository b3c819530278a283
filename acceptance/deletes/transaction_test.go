package deletes_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

var errUndone = errors.New("undone")

// undo runs fn in a savepoint that is undone, by an error or a panic.
func undo(t testing.TB, tx *txcache.Tx, panics bool, fn func(tx *txcache.Tx)) {
	t.Helper()
	defer func() {
		if p := recover(); panics != (p == errUndone) {
			t.Errorf("it panics with %v", p)
		}
	}()
	err := tx.Savepoint(func(tx *txcache.Tx) error {
		fn(tx)
		if panics {
			panic(errUndone)
		}
		return errUndone
	})
	if err != errUndone {
		t.Errorf("Savepoint = %v; want its error", err)
	}
}

// P2: what a savepoint has removed is there again when it is undone, for its transaction
// and for all after it; what was removed before stays so.
func TestSavepoints(t *testing.T) {
	type step = func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, int], r removal)
	for _, test := range []struct {
		name      string
		play      step
		in, after int // what is under x within the transaction and after its commit; 0: nothing
	}{
		{"removed within", func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, int], r removal) {
			undo(t, tx, false, func(tx *txcache.Tx) { r.in(t, tx, c) })
		}, 1, 1},
		{"removed within, panic", func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, int], r removal) {
			undo(t, tx, true, func(tx *txcache.Tx) { r.in(t, tx, c) })
		}, 1, 1},
		{"removed before", func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, int], r removal) {
			r.in(t, tx, c)
			undo(t, tx, false, func(tx *txcache.Tx) { r.in(t, tx, c) })
		}, 0, 0},
		{"removed before, set within", func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, int], r removal) {
			r.in(t, tx, c)
			undo(t, tx, false, func(tx *txcache.Tx) { c.Set(tx, "x", 5) })
		}, 0, 0},
		{"removed and set before, removed within", func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, int], r removal) {
			r.in(t, tx, c)
			c.Set(tx, "x", 2)
			undo(t, tx, false, func(tx *txcache.Tx) { r.in(t, tx, c) })
		}, 2, 2},
		{"removed and set before, removed and set within", func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, int], r removal) {
			r.in(t, tx, c)
			c.Set(tx, "x", 2)
			undo(t, tx, true, func(tx *txcache.Tx) { r.in(t, tx, c); c.Set(tx, "x", 3); r.in(t, tx, c); c.Set(tx, "x", 4) })
		}, 2, 2},
		{"kept", func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, int], r removal) {
			must(t, tx.Savepoint(func(tx *txcache.Tx) error { r.in(t, tx, c); return nil }))
		}, 0, 0},
		{"kept, then set", func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, int], r removal) {
			must(t, tx.Savepoint(func(tx *txcache.Tx) error { r.in(t, tx, c); c.Set(tx, "x", 3); return nil }))
		}, 3, 3},
		{"kept within one that is undone", func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, int], r removal) {
			undo(t, tx, false, func(tx *txcache.Tx) {
				must(t, tx.Savepoint(func(tx *txcache.Tx) error { r.in(t, tx, c); c.Set(tx, "x", 3); return nil }))
			})
		}, 1, 1},
		{"undone within one that is kept", func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, int], r removal) {
			must(t, tx.Savepoint(func(tx *txcache.Tx) error {
				r.in(t, tx, c)
				c.Set(tx, "x", 3)
				undo(t, tx, false, func(tx *txcache.Tx) { r.in(t, tx, c); c.Set(tx, "x", 4) })
				return nil
			}))
		}, 3, 3},
		{"cleared within", func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, int], r removal) {
			r.in(t, tx, c)
			undo(t, tx, false, func(tx *txcache.Tx) {
				storetest.Clear(t, tx, c)
				r.in(t, tx, c)
				must(t, tx.ClearAll())
				r.in(t, tx, c)
			})
			c.Set(tx, "x", 3)
		}, 3, 3},
		{"more than the undo log has room for", func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, int], r removal) {
			undo(t, tx, false, func(tx *txcache.Tx) {
				r.in(t, tx, c)
				for range 8 {
					must(t, c.Delete(tx, manyKeys(2000)...))
				}
			})
		}, 0, 0}, // it costs misses, and what was removed stays so
	} {
		t.Run(test.name, func(t *testing.T) {
			eachRemoval(t, func(t *testing.T, s storetest.Setup, r removal) {
				store := s.One(t)
				c := tagged(t, store, txcache.CacheOptions{})
				storetest.Publish(t, store, "db", c, "x", 1)
				storetest.Publish(t, store, "db", c, "y", 1)
				tx := storetest.Begin(t, store, "db")
				test.play(t, tx, c, r)
				finds(t, tx, c, test.in)
				storetest.Commit(t, tx)
				after := storetest.BeginReadOnly(t, store, "db")
				finds(t, after, c, test.after)
				if !strings.HasPrefix(test.name, "more") {
					storetest.Hit(t, after, c, "y", 1, "it was never removed")
				}
			})
		})
	}
}

// finds fails the test unless tx finds that value under x, or none if it is 0.
func finds(t testing.TB, tx *txcache.Tx, c *txcache.Cache[string, int], want int) {
	t.Helper()
	if want == 0 {
		storetest.Miss(t, tx, c, "x", "it was removed")
	} else {
		storetest.Hit(t, tx, c, "x", want, "it was not removed since")
	}
}

// P2: the delete of an undone savepoint is not sent with the commit, so the others'
// values outlive it.
func TestASavepointUndoesOnlyWhatItDid(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		store := s.One(t)
		c := tagged(t, store, txcache.CacheOptions{})
		for _, key := range []string{"a", "b", "c"} {
			storetest.Publish(t, store, "db", c, key, 1)
		}
		tx := storetest.Begin(t, store, "db")
		must(t, c.Delete(tx, "a"))
		undo(t, tx, false, func(tx *txcache.Tx) {
			must(t, c.Delete(tx, "b", "b", "a"))
			must(t, tx.ClearTags("tag of c", "tag of c"))
		})
		storetest.Commit(t, tx)
		after := storetest.BeginReadOnly(t, store, "db")
		storetest.Miss(t, after, c, "a", "it was deleted")
		storetest.Hit(t, after, c, "b", 1, "its delete was undone")
		storetest.Hit(t, after, c, "c", 1, "its delete was undone")
	})
}

// P1, P2: several goroutines use one transaction. A load that lands after its key was
// removed, or a removal of it undone, is not kept; loads of other keys are.
func TestALoadThatLandsAfterADelete(t *testing.T) {
	type play = func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, int], r removal, land func())
	for name, test := range map[string]struct {
		play play
		y    bool // y is kept
	}{
		"removed": {func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, int], r removal, land func()) {
			r.in(t, tx, c)
			land()
		}, true},
		"removed in a savepoint": {func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, int], r removal, land func()) {
			must(t, tx.Savepoint(func(tx *txcache.Tx) error { r.in(t, tx, c); return nil }))
			land()
		}, true},
		"landed before undo": {func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, int], r removal, land func()) {
			undo(t, tx, false, func(tx *txcache.Tx) { r.in(t, tx, c); land() })
		}, false},
		"removed in one undone": {func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, int], r removal, land func()) {
			undo(t, tx, false, func(tx *txcache.Tx) { r.in(t, tx, c) })
			land()
		}, false},
		"removed twice": {func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, int], r removal, land func()) {
			r.in(t, tx, c)
			r.in(t, tx, c)
			land()
		}, true},
		"removed, and again undone": {func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, int], r removal, land func()) {
			r.in(t, tx, c)
			undo(t, tx, false, func(tx *txcache.Tx) { r.in(t, tx, c) })
			land()
		}, false},
	} {
		for _, readMany := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, LoadMany=%v", name, readMany), func(t *testing.T) {
				eachRemoval(t, func(t *testing.T, s storetest.Setup, r removal) {
					store := s.One(t)
					c := tagged(t, store, txcache.CacheOptions{})
					tx := storetest.Begin(t, store, "db")
					landing, read, done := make(chan struct{}), make(chan struct{}, 2), make(chan error, 2)
					if readMany {
						go func() {
							got, err := c.LoadMany(context.Background(), tx, []string{"x", "y"}, func(_ context.Context, keys []string) (map[string]int, error) {
								read <- struct{}{}
								<-landing
								return map[string]int{"x": 1, "y": 1}, nil
							})
							if got["x"] != 1 || got["y"] != 1 {
								err = fmt.Errorf("LoadMany = %v, %v", got, err)
							}
							done <- err
						}()
						<-read
					} else {
						for _, key := range []string{"x", "y"} {
							go func() {
								v, err := c.Load(context.Background(), tx, key, func(context.Context) (int, error) {
									read <- struct{}{}
									<-landing
									return 1, nil
								})
								if v != 1 {
									err = fmt.Errorf("Load = %v, %v", v, err)
								}
								done <- err
							}()
							<-read
						}
					}
					test.play(t, tx, c, r, func() {
						close(landing)
						must(t, <-done)
						if !readMany {
							must(t, <-done)
						}
					})
					storetest.Miss(t, tx, c, "x", "it was loaded before it was removed")
					if test.y {
						storetest.Hit(t, tx, c, "y", 1, "it was not removed")
					} else {
						storetest.Miss(t, tx, c, "y", "it was loaded before an undo")
					}
					storetest.Commit(t, tx)
					storetest.Miss(t, storetest.BeginReadOnly(t, store, "db"), c, "x", "it was loaded before it was removed")
				})
			})
		}
	}
}

// P1 to P3, P5: what becomes of a removal by each outcome of the commit.
func TestOutcomes(t *testing.T) {
	failure := errors.New("failure")
	for _, test := range []struct {
		name   string
		end    func(t *testing.T, tx *txcache.Tx)
		gone   bool // x is not there afterwards
		fenced bool // x cannot be filled
	}{
		{"committed", func(t *testing.T, tx *txcache.Tx) { storetest.Commit(t, tx) }, true, false},
		{"rolled back", func(t *testing.T, tx *txcache.Tx) { must(t, tx.Rollback()) }, false, false},
		{"refused", ending(txcache.NotCommitted(failure)), true, false},
		{"not sent", ending(txcache.NotSent(failure)), false, false},
		{"in doubt", ending(failure), true, true},
		{"the context is done", func(t *testing.T, tx *txcache.Tx) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := tx.Commit(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("Commit = %v", err)
			}
		}, false, false},
		{"panic", func(t *testing.T, tx *txcache.Tx) {
			defer func() {
				if p := recover(); p != "panic" {
					t.Errorf("it panics with %v", p)
				}
			}()
			_ = tx.CommitWith(t.Context(), func(context.Context) error { panic("panic") })
		}, true, true},
		{"panic that says that it was refused", func(t *testing.T, tx *txcache.Tx) {
			defer func() { _ = recover() }()
			_ = tx.CommitWith(t.Context(), func(context.Context) error { panic(txcache.NotCommitted(failure)) })
		}, true, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			eachRemoval(t, func(t *testing.T, s storetest.Setup, r removal) {
				stores := s.Open(t, 2, txcache.Options{Logger: storetest.Silent, Fence: 400 * time.Millisecond})
				caches := []*txcache.Cache[string, int]{tagged(t, stores[0], txcache.CacheOptions{}), tagged(t, stores[1], txcache.CacheOptions{})}
				fill := func(value int) {
					for i, store := range stores {
						tx := storetest.BeginReadOnly(t, store, "db")
						caches[i].Set(tx, "x", value)
						storetest.Commit(t, tx)
					}
				}
				fill(1)
				for i, store := range stores {
					storetest.Publish(t, store, "db", caches[i], "y", 1)
				}
				tx := storetest.Begin(t, stores[0], "db")
				r.in(t, tx, caches[0])
				caches[0].Set(tx, "x", 2)
				test.end(t, tx)
				for i, store := range stores {
					after := storetest.BeginReadOnly(t, store, "db")
					switch {
					case !test.gone:
						storetest.Hit(t, after, caches[i], "x", 1, "nothing was removed")
					case test.name != "committed":
						storetest.Miss(t, after, caches[i], "x", "it was removed")
					case i == 0 || s.Remote:
						storetest.Hit(t, after, caches[i], "x", 2, "it was written through")
					default:
						storetest.Miss(t, after, caches[i], "x", "it was removed")
					}
					storetest.Hit(t, after, caches[i], "y", 1, "it is another key")
				}
				if !test.gone {
					return
				}
				fill(3)
				for i, store := range stores {
					after := storetest.BeginReadOnly(t, store, "db")
					if test.fenced {
						storetest.Miss(t, after, caches[i], "x", "it is fenced")
					} else {
						storetest.Hit(t, after, caches[i], "x", 3, "it was filled again")
					}
				}
				if !test.fenced {
					return
				}
				storetest.Within(t, storetest.Recovery, "x is in use again", func() bool {
					fill(4)
					for i, store := range stores {
						if v, ok := caches[i].Get(t.Context(), storetest.BeginReadOnly(t, store, "db"), "x"); !ok || v != 4 {
							return false
						}
					}
					return true
				})
				for i, store := range stores {
					storetest.Hit(t, storetest.BeginReadOnly(t, store, "db"), caches[i], "y", 1, "it is another key")
				}
			})
		})
	}
}

func ending(err error) func(t *testing.T, tx *txcache.Tx) {
	return func(t *testing.T, tx *txcache.Tx) {
		if got := tx.CommitWith(t.Context(), func(context.Context) error { return err }); got != err {
			t.Errorf("CommitWith = %v; want %v", got, err)
		}
	}
}

// P3: the key of a commit in doubt is fenced for the lease, to the moment.
func TestADeleteInDoubtIsFencedForTheLease(t *testing.T) {
	for _, r := range removals {
		t.Run(r.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := storetest.NewRecorder()
				store := storetest.NewStore(t, b, txcache.Options{Logger: storetest.Silent})
				c := tagged(t, store, txcache.CacheOptions{})
				storetest.Publish(t, store, "db", c, "y", 1)
				for range 2 { // the second replaces the first
					tx := storetest.Begin(t, store, "db")
					r.in(t, tx, c)
					if err := tx.CommitWith(t.Context(), func(context.Context) error { return io.EOF }); err != io.EOF {
						t.Errorf("CommitWith = %v", err)
					}
				}
				b.Taken()
				time.Sleep(time.Minute - time.Nanosecond)
				storetest.Publish(t, store, "db", c, "x", 1)
				storetest.Miss(t, storetest.BeginReadOnly(t, store, "db"), c, "x", "the lease has not ended")
				storetest.Hit(t, storetest.BeginReadOnly(t, store, "db"), c, "y", 1, "it is another key")
				time.Sleep(time.Nanosecond)
				synctest.Wait()
				if got := b.Taken(); got != "Unfence Clear" && got != "Clear" {
					t.Errorf("%s; want one clear, when the lease has ended", got)
				}
				storetest.Publish(t, store, "db", c, "x", 1)
				storetest.Hit(t, storetest.BeginReadOnly(t, store, "db"), c, "x", 1, "the lease has ended")
				storetest.Hit(t, storetest.BeginReadOnly(t, store, "db"), c, "y", 1, "it is another key")
			})
		})
	}
}

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

// Any key and any tag can be removed: the empty one, long ones, and what is no text.
func TestAnyKeyAndTag(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		store := s.One(t)
		c := storetest.NewCache[string, string](t, store, "c", txcache.CacheOptions{})
		c.TagBy(func(_, value string) []string { return []string{value} })
		any := []string{"", "x", "x#", " ", "\x00", "\xff", "tag", strings.Repeat("a", 65), strings.Repeat("a", 66), strings.Repeat("b", 1<<16), "~", "∀"}
		for i, name := range any {
			for _, tag := range []bool{false, true} {
				fill := storetest.BeginReadOnly(t, store, "db")
				for _, key := range any {
					c.Set(fill, key, key)
				}
				storetest.Commit(t, fill)
				tx := storetest.Begin(t, store, "db")
				if tag {
					must(t, tx.ClearTags(name))
				} else {
					must(t, c.Delete(tx, name))
				}
				storetest.Commit(t, tx)
				after := storetest.BeginReadOnly(t, store, "db")
				for j, key := range any {
					if _, ok := c.Get(t.Context(), after, key); ok != (i != j) {
						t.Errorf("after the removal of %.9q (a tag: %v) a look-up of %.9q finds something: %v", name, tag, key, ok)
					}
				}
			}
		}
	})
}

// Keys of all kinds, and keys that no cache keeps.
func TestKeysOfAnyType(t *testing.T) {
	type point struct{ X, Y int }
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		store := s.One(t)
		c := storetest.NewCache[any, int](t, store, "c", txcache.CacheOptions{})
		keys := []any{1, int64(1), "1", 1.0, point{1, 2}, point{2, 1}, [2]int{1, 2}, true, nil, math.Inf(1)}
		for i, key := range keys {
			fill := storetest.BeginReadOnly(t, store, "db")
			for i, key := range keys {
				c.Set(fill, key, i)
			}
			storetest.Commit(t, fill)
			tx := storetest.Begin(t, store, "db")
			must(t, c.Delete(tx, math.NaN(), []int{1}, &i, key, func() {}, struct{ F any }{math.NaN()}))
			storetest.Miss(t, tx, c, key, "it is deleted")
			storetest.Commit(t, tx)
			after := storetest.BeginReadOnly(t, store, "db")
			for j, other := range keys {
				if i == j {
					storetest.Miss(t, after, c, other, "it is deleted")
				} else {
					storetest.Hit(t, after, c, other, j, "it is another key")
				}
			}
		}
		tx := storetest.Begin(t, store, "db")
		must(t, c.Delete(tx, math.NaN()))
		storetest.Commit(t, tx) // a delete of nothing
	})
}

// P11: a delete takes the key away in every user context, and for no context.
func TestEveryUserContext(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		for name, opts := range map[string]txcache.CacheOptions{
			"dependent": {}, "context-free": {ContextFree: true}, "ignores": {IgnoreContext: []string{"language"}},
		} {
			for _, r := range removals {
				t.Run(name+"/"+r.name, func(t *testing.T) {
					store := s.One(t)
					c := tagged(t, store, opts)
					handles := func(tx *txcache.Tx) []*txcache.Tx {
						return []*txcache.Tx{
							tx, tx.WithUser("u"), tx.WithUser(1), tx.WithUser("u").WithContext(map[string]any{"language": "en"}),
							tx.WithContext(map[string]any{"language": "fr"}), tx.WithContext(map[string]any{"company": 3}),
						}
					}
					fill := storetest.BeginReadOnly(t, store, "db")
					for i, h := range handles(fill) {
						c.Set(h, "x", i+1)
						c.Set(h, "y", i+1)
					}
					storetest.Commit(t, fill)
					for _, by := range []int{0, 3} {
						tx := storetest.Begin(t, store, "db")
						r.in(t, handles(tx)[by], c)
						for _, h := range handles(tx) {
							storetest.Miss(t, h, c, "x", "it is removed")
						}
						storetest.Commit(t, tx)
						after := storetest.BeginReadOnly(t, store, "db")
						for _, h := range handles(after) {
							storetest.Miss(t, h, c, "x", "it is removed")
							if _, ok := c.Get(t.Context(), h, "y"); !ok {
								t.Error("another key is gone")
							}
						}
						c.Set(handles(after)[by], "x", 9)
						storetest.Commit(t, after)
					}
				})
			}
		}
	})
}

// Several goroutines delete, set and undo in one transaction. Nothing is there
// afterwards that was removed last.
func TestConcurrentDeletes(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		store := s.One(t)
		c := tagged(t, store, txcache.CacheOptions{})
		tx := storetest.Begin(t, store, "db")
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				key := fmt.Sprint("of ", g)
				for i := range 50 {
					if i%2 == 0 {
						_ = c.Delete(tx, key)
					} else {
						_ = tx.ClearTags("tag of " + key)
					}
					c.Set(tx, key, i)
					c.Get(t.Context(), tx, "of 0")
				}
				if g%2 == 0 {
					_ = c.Delete(tx, key)
				}
			})
		}
		wg.Wait()
		storetest.Commit(t, tx)
		after := storetest.BeginReadOnly(t, store, "db")
		for g := range 8 {
			if key := fmt.Sprint("of ", g); g%2 == 0 {
				storetest.Miss(t, after, c, key, "it was deleted last")
			} else {
				storetest.Hit(t, after, c, key, 49, "it was set last")
			}
		}
	})
}
