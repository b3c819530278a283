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
func TestRemovalsInSavepoints(t *testing.T) {
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
