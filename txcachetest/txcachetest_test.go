package txcachetest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/txcachetest"
)

// What a store needs ends with its test, to the last goroutine.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// makers are the ways to make a store.
var makers = []struct {
	name string
	open func(testing.TB) *txcache.Store
}{
	{"Memory", txcachetest.Memory},
	{"Redis", txcachetest.Redis},
}

func TestStoreIsClosedWithTheTest(t *testing.T) {
	for _, m := range makers {
		t.Run(m.name, func(t *testing.T) {
			var store *txcache.Store
			t.Run("inner", func(t *testing.T) {
				store = m.open(t)
				tx, err := store.Begin(t.Context(), "shop")
				if err != nil {
					t.Fatal(err)
				}
				if tx.SyncedAt().IsZero() {
					t.Error("the transaction began without a state")
				}
				if err := tx.Commit(t.Context()); err != nil {
					t.Fatal(err)
				}
			})
			if _, err := store.Begin(t.Context(), "shop"); !errors.Is(err, txcache.ErrClosed) {
				t.Errorf("after the test Begin answers %v, want ErrClosed", err)
			}
		})
	}
}

func TestStoresShareNothing(t *testing.T) {
	for _, m := range makers {
		t.Run(m.name, func(t *testing.T) {
			for range 2 {
				store := m.open(t)
				price := newPrice(t, store, 0)
				set(t, store, price, 12)
				if _, ok := get(t, store, price); !ok {
					t.Error("a store lost its value")
				}
			}
			store := m.open(t)
			if v, ok := get(t, store, newPrice(t, store, 0)); ok {
				t.Errorf("a new store has %d, of another store", v)
			}
		})
	}
}

// Within a bubble a value expires as soon as the test says so, exactly at the end
// of its duration, and a hit does not extend its life.
func TestTimeMovesBySynctest(t *testing.T) {
	for _, m := range makers {
		t.Run(m.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := m.open(t)
				price := newPrice(t, store, time.Hour)
				set(t, store, price, 12)
				for _, step := range []struct {
					wait time.Duration
					want bool
				}{
					{30 * time.Minute, true},
					{30*time.Minute - time.Nanosecond, true},
					{time.Nanosecond, false},
				} {
					time.Sleep(step.wait)
					if _, ok := get(t, store, price); ok != step.want {
						t.Errorf("after another %v there is a value: %v, want %v", step.wait, ok, step.want)
					}
				}
			})
		})
	}
}

func newPrice(t *testing.T, store *txcache.Store, lifetime time.Duration) *txcache.Cache[string, int] {
	t.Helper()
	c, err := txcache.NewCache[string, int](store, "price", &txcache.CacheOptions{Duration: lifetime})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func set(t *testing.T, store *txcache.Store, price *txcache.Cache[string, int], value int) {
	t.Helper()
	err := store.Update(t.Context(), "shop", func(tx *txcache.Tx) error {
		price.Set(tx, "book", value)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, store *txcache.Store, price *txcache.Cache[string, int]) (value int, ok bool) {
	t.Helper()
	err := store.View(t.Context(), "shop", func(tx *txcache.Tx) error {
		value, ok = price.Get(t.Context(), tx, "book")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return value, ok
}

// A test of what a program does when a commit is in doubt is not failed by its
// store, which closes before the doubt is over.
func TestADoubtFailsNoTest(t *testing.T) {
	t.Run("of its own", func(t *testing.T) {
		store := txcachetest.Memory(t)
		c := txcache.Must(txcache.NewCache[string, int](store, "c", nil))
		tx, err := store.Begin(t.Context(), "db")
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Clear(tx); err != nil {
			t.Fatal(err)
		}
		lost := errors.New("the answer was lost")
		if err := tx.CommitWith(t.Context(), func(context.Context) error { return lost }); err != lost {
			t.Errorf("CommitWith = %v; want %v", err, lost)
		}
		if store.Status().InDoubt != 1 {
			t.Error("the commit is not in doubt")
		}
	})
}
