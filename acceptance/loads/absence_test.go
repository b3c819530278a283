package loads_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// Absence is of the key that a loader was called for: what another load within the
// loader did not find is an error like any other, however it comes through.
func TestAbsenceIsOfTheKeyThatIsLoaded(t *testing.T) {
	none := func(context.Context) (int, error) { return 0, txcache.ErrAbsent }
	noneMany := func(context.Context, []int) (map[int]int, error) {
		return nil, fmt.Errorf("rows: %w", txcache.ErrAbsent)
	}
	type nest struct {
		store             *txcache.Store
		orders, customers *txcache.Cache[int, int]
		tx                *txcache.Tx
	}
	for _, test := range []struct {
		name   string
		within func(ctx context.Context, n nest) error // what the loader of orders/1 returns
		absent bool
	}{
		{"of another cache", func(ctx context.Context, n nest) error {
			_, err := n.customers.Load(ctx, n.tx, 1, none)
			if err == txcache.ErrAbsent || !errors.Is(err, txcache.ErrAbsent) {
				t.Errorf("within a loader Load = %v; want ErrAbsent, wrapped", err)
			}
			return err
		}, false},
		{"of another cache, known", func(ctx context.Context, n nest) error {
			n.customers.SetAbsent(n.tx, 1)
			_, err := n.customers.Load(ctx, n.tx, 1, none)
			return err
		}, false},
		{"of another cache, wrapped", func(ctx context.Context, n nest) error {
			_, err := n.customers.Load(ctx, n.tx, 1, none)
			return fmt.Errorf("customer: %w", err)
		}, false},
		{"of another cache, joined", func(ctx context.Context, n nest) error {
			_, err := n.customers.Load(ctx, n.tx, 1, none)
			return errors.Join(errors.New("no customer"), err)
		}, false},
		{"of another cache, with the caller's context", func(_ context.Context, n nest) error {
			_, err := n.customers.Load(t.Context(), n.tx, 1, none)
			return err
		}, false},
		{"of another cache, in a transaction of its own", func(ctx context.Context, n nest) error {
			return n.store.View(ctx, "db", func(tx *txcache.Tx) error {
				_, err := n.customers.Load(ctx, tx, 1, none)
				return err
			})
		}, false},
		{"of another cache, in a transaction that writes", func(ctx context.Context, n nest) error {
			return n.store.Update(ctx, "db", func(tx *txcache.Tx) error {
				_, err := n.customers.Load(ctx, tx, 1, none)
				return err
			})
		}, false},
		{"two loads deep", func(ctx context.Context, n nest) error {
			_, err := n.customers.Load(ctx, n.tx, 1, func(ctx context.Context) (int, error) { return n.customers.Load(ctx, n.tx, 2, none) })
			return err
		}, false},
		{"of a batch", func(ctx context.Context, n nest) error {
			_, err := n.customers.LoadMany(ctx, n.tx, []int{1, 2}, noneMany)
			return err
		}, false},
		{"of another key", func(ctx context.Context, n nest) error {
			_, err := n.orders.Load(ctx, n.tx, 2, none)
			return err
		}, false},
		{"of another user's", func(ctx context.Context, n nest) error {
			_, err := n.orders.Load(ctx, n.tx.WithUser("somebody"), 1, none)
			return err
		}, false},
		{"of another database", func(ctx context.Context, n nest) error {
			return n.store.View(ctx, "other", func(tx *txcache.Tx) error {
				_, err := n.orders.Load(ctx, tx, 1, none)
				return err
			})
		}, false},
		{"its own", func(context.Context, nest) error { return txcache.ErrAbsent }, true},
		{"its own, wrapped", func(context.Context, nest) error { return fmt.Errorf("order: %w", txcache.ErrAbsent) }, true},
		{"its own, found by a load within", func(ctx context.Context, n nest) error {
			_, err := n.orders.Load(ctx, n.tx, 1, none)
			return fmt.Errorf("order: %w", err)
		}, true},
		{"its own, because of another's", func(ctx context.Context, n nest) error {
			_, err := n.customers.Load(ctx, n.tx, 1, none)
			return fmt.Errorf("%w, as %w", txcache.ErrAbsent, err)
		}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			store := storetest.Setups[1].One(t)
			orders := storetest.NewCache[int, int](t, store, "orders", txcache.CacheOptions{})
			customers := storetest.NewCache[int, int](t, store, "customers", txcache.CacheOptions{})
			tx := storetest.BeginReadOnly(t, store, "db")
			_, err := orders.Load(t.Context(), tx, 1, func(ctx context.Context) (int, error) {
				return 0, test.within(ctx, nest{store, orders, customers, tx})
			})
			if !errors.Is(err, txcache.ErrAbsent) {
				t.Errorf("Load = %v; want an error that wraps ErrAbsent", err)
			}
			if test.absent && err != txcache.ErrAbsent {
				t.Errorf("Load = %v; want ErrAbsent as it is", err)
			}
			storetest.Commit(t, tx)
			tx = storetest.BeginReadOnly(t, store, "db")
			if got := orders.Absent(t.Context(), tx, 1); got != test.absent {
				t.Errorf("Absent = %v; want %v", got, test.absent)
			}
			if v, err := orders.Load(t.Context(), tx, 1, storetest.Constant(7, nil)); test.absent != errors.Is(err, txcache.ErrAbsent) || !test.absent && v != 7 {
				t.Errorf("Load = %d, %v", v, err)
			}
		})
	}
}

// The same in a refresh, and for Verify: what a nested load did not find makes
// nothing absent, and no hit stale.
func TestNestedAbsenceInRefreshesAndVerify(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hits int
		store := storetest.Setups[0].Open(t, 1, txcache.Options{Logger: storetest.Silent, OnStale: func(context.Context, txcache.StaleHit) { hits++ }})[0]
		customers := storetest.NewCache[string, int](t, store, "customers", txcache.CacheOptions{})
		none := func(context.Context) (int, error) { return 0, txcache.ErrAbsent }

		verified := storetest.NewCache[string, int](t, store, "verified", txcache.CacheOptions{Verify: 1})
		storetest.Publish(t, store, "db", verified, "x", 1)
		tx := storetest.BeginReadOnly(t, store, "db")
		v, err := verified.Load(t.Context(), tx, "x", func(ctx context.Context) (int, error) { return customers.Load(ctx, tx, "y", none) })
		if v != 1 || err != nil || hits != 0 {
			t.Errorf("Load = %d, %v, and %d stale hits; want the hit, as the loader failed", v, err, hits)
		}

		r := newRefreshed(t, store, storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{Duration: time.Minute}))
		r.c.RefreshEarly(func(ctx context.Context, tx *txcache.Tx, key string) (int, error) {
			return customers.Load(ctx, tx, key, none)
		})
		r.nearlyOver(t, time.Minute)
		storetest.Hit(t, storetest.BeginReadOnly(t, store, "db"), r.c, "x", 1, "it begins to be refreshed")
		synctest.Wait()
		storetest.Hit(t, storetest.BeginReadOnly(t, store, "db"), r.c, "x", 1, "the refresh failed")
		if s := r.c.Stats(); s.LoadErrors != 1 || s.EarlyRefreshes != 0 {
			t.Errorf("Stats = %+v; want a failed refresh", s)
		}
	})
}

// With a negative Absent nothing is remembered of what is gone; what was cached of
// it is forgotten all the same, on every server.
func TestWhatIsGoneIsForgotten(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		var mu sync.Mutex
		found := 0
		all := s.Open(t, 2, txcache.Options{Logger: storetest.Silent, OnStale: func(context.Context, txcache.StaleHit) { mu.Lock(); found++; mu.Unlock() }})
		c := storetest.NewCache[string, int](t, all[0], "c", txcache.CacheOptions{Absent: -1, Verify: 1})
		other := storetest.NewCache[string, int](t, all[1], "c", txcache.CacheOptions{Absent: -1})
		storetest.Publish(t, all[0], "db", c, "x", 1)
		for range 3 {
			tx := storetest.BeginReadOnly(t, all[0], "db")
			if _, err := c.Load(t.Context(), tx, "x", storetest.Constant(0, errNoRow)); err != txcache.ErrAbsent {
				t.Errorf("Load = %v; want ErrAbsent", err)
			}
			storetest.Miss(t, tx, c, "x", "it is gone")
			storetest.Commit(t, tx)
		}
		if found != 1 {
			t.Errorf("the hit was stale %d times; want once", found)
		}
		if s.Remote { // the others have no value of it in their process
			time.Sleep(2 * time.Millisecond)
			storetest.Miss(t, storetest.BeginReadOnly(t, all[1], "db"), other, "x", "it is gone")
		}
		known(t, storetest.BeginReadOnly(t, all[0], "db"), c, "absences are not remembered")
	})
}

func TestARefreshOfWhatIsGoneIsNotRepeated(t *testing.T) {
	expiring(t, txcache.CacheOptions{Duration: time.Minute, Absent: -1, StaleFor: time.Hour}, func(t *testing.T, s storetest.Setup, store *txcache.Store, c *txcache.Cache[string, int]) {
		if s.Name == "values without near" {
			return // which refreshes nothing
		}
		r := newRefreshed(t, store, c)
		r.nearlyOver(t, time.Minute)
		refreshes := 0
		c.RefreshEarly(func(context.Context, *txcache.Tx, string) (int, error) { refreshes++; return 0, txcache.ErrAbsent })
		storetest.Hit(t, storetest.BeginReadOnly(t, store, "db"), c, "x", 1, "it begins to be refreshed")
		synctest.Wait()
		for range 10 {
			storetest.Miss(t, storetest.BeginReadOnly(t, store, "db"), c, "x", "it is gone")
			synctest.Wait()
		}
		if refreshes != 1 {
			t.Errorf("%d refreshes; want one", refreshes)
		}
		failure := errors.New("no connection")
		if v, err := c.Load(t.Context(), storetest.BeginReadOnly(t, store, "db"), "x", storetest.Constant(0, failure)); err != failure {
			t.Errorf("Load = %d, %v; want the failure: it is known that nothing is there", v, err)
		}
	})
}
