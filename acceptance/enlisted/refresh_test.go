package enlisted_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/enlistertest"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// A refresh has no snapshot of a transaction of the database: it renews values of those that have none either. // P12
func TestARefreshRenewsNothingExact(t *testing.T) {
	for _, exact := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			db := enlistertest.New()
			s := storetest.NewStore(t, db.Backend(), txcache.Options{})
			if err := s.Sync(t.Context(), "db"); err != nil {
				t.Fatal(err)
			}
			c := storetest.NewCache[string, int](t, s, "c", txcache.CacheOptions{Duration: time.Minute})
			c.RefreshEarly(func(context.Context, *txcache.Tx, string) (int, error) { return 2, nil })
			tx := enlist(t, s, db.Begin(exact), true)
			if _, err := c.Load(t.Context(), tx, "x", func(context.Context) (int, error) { time.Sleep(time.Hour); return 1, nil }); err != nil {
				t.Error(err) // it takes so long that each hit wants a refresh
			}
			storetest.Commit(t, tx)
			time.Sleep(30 * time.Second)
			for range 5 { // until it is drawn
				if _, ok := c.Get(t.Context(), enlist(t, s, db.Begin(exact), true), "x"); !ok {
					t.Error("it has not expired, and is a miss")
				}
				synctest.Wait()
			}
			time.Sleep(31 * time.Second)
			if tx := enlist(t, s, db.Begin(exact), true); exact {
				storetest.Miss(t, tx, c, "x", "it has expired, and a refresh is of no snapshot")
			} else {
				storetest.Hit(t, tx, c, "x", 2, "it was refreshed")
			}
		})
	}
}
