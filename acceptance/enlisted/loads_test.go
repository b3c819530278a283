package enlisted_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/enlistertest"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// A load is shared by transactions that would load the same, and by no others.
func TestLoadsAreSharedByEqualStates(t *testing.T) {
	for name, change := range map[string]func(*txcache.Tx, *txcache.Cache[string, int]) error{
		"nothing":     nil,
		"another key": func(tx *txcache.Tx, c *txcache.Cache[string, int]) error { return c.Delete(tx, "y") },
		"the key":     func(tx *txcache.Tx, c *txcache.Cache[string, int]) error { return c.Delete(tx, "x") },
		"a tag":       func(tx *txcache.Tx, c *txcache.Cache[string, int]) error { return tx.ClearTags("tag") },
		"the cache":   func(tx *txcache.Tx, c *txcache.Cache[string, int]) error { return c.Clear(tx) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				db, s, c := one(t, txcache.CacheOptions{})
				c.TagBy(func(string, int) []string { return []string{"tag"} })
				old := enlist(t, s, db.Begin(true), true)
				if change != nil {
					q := db.Begin(true)
					tx := enlist(t, s, q, false)
					if err := change(tx, c); err != nil {
						t.Fatal(err)
					}
					if err := tx.CommitWith(t.Context(), func(context.Context) error { return q.Commit() }); err != nil {
						t.Fatal(err)
					}
				}
				young := enlist(t, s, db.Begin(true), true)
				shared := change == nil || name == "another key"
				loading, loaded := make(chan bool), make(chan int)
				go func() {
					v, err := c.Load(t.Context(), old, "x", func(context.Context) (int, error) {
						loading <- true
						<-loading
						return 1, nil
					})
					if err != nil {
						t.Error(err)
					}
					loaded <- v
				}()
				<-loading
				if !shared {
					if v, err := c.Load(t.Context(), young, "x", storetest.Constant(2, nil)); v != 2 || err != nil {
						t.Errorf("Load returned %d, %v; want its own", v, err)
					}
					close(loading)
					<-loaded
					return
				}
				waited := make(chan int)
				go func() {
					v, err := c.Load(t.Context(), young, "x", storetest.Constant(2, nil))
					if err != nil {
						t.Error(err)
					}
					waited <- v
				}()
				synctest.Wait() // it waits for the other
				close(loading)
				<-loaded
				if v := <-waited; v != 1 {
					t.Errorf("Load returned %d; want what the other has loaded", v)
				}
			})
		})
	}
}

type side bool

func (s side) Begun() bool { return bool(s) }

// Of the transactions of the database, those leave a load to the background that have neither a snapshot
// nor a connection. // P12
func TestALoadInTheBackgroundIsNotExact(t *testing.T) {
	for _, test := range []struct {
		exact bool
		side  any // what is told of its side; nil: nothing
		want  int
	}{{true, side(false), 2}, {true, nil, 2}, {false, nil, 2}, {false, side(true), 2}, {false, side(false), 1}} {
		db := enlistertest.New()
		var begins atomic.Int32 // of transactions
		s := storetest.NewStore(t, db.Backend(), txcache.Options{Trace: func(ctx context.Context, o txcache.Operation) (context.Context, func(error)) {
			if o.Name == "begin" {
				begins.Add(1)
			}
			return ctx, func(error) {}
		}})
		if err := s.Sync(t.Context(), "db"); err != nil {
			t.Fatal(err)
		}
		c := storetest.NewCache[string, int](t, s, "c", txcache.CacheOptions{LoadLimit: time.Minute})
		loads := 0
		c.RefreshEarly(func(context.Context, *txcache.Tx, string) (int, error) { loads++; return 1, nil })
		tx := enlist(t, s, db.Begin(test.exact), true)
		if side, ok := test.side.(side); ok {
			tx.SetSide(side)
		}
		if v, err := c.Load(t.Context(), tx, "x", storetest.Constant(2, nil)); v != test.want || err != nil || loads != 2-test.want || int(begins.Load()) != 1+loads {
			t.Errorf("exact: %t, begun: %v: Load = %d, %v with %d loads in the background; %d transactions", test.exact, test.side, v, err, loads, begins.Load())
		}
		s.Close()
	}
}
