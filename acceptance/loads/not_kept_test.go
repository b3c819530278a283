package loads_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// What a refresh does not keep is not taken for an absence.
func TestWhatARefreshDoesNotKeepIsNotAbsent(t *testing.T) {
	inBubbles(t, txcache.CacheOptions{}, func(t *testing.T, s storetest.Setup, f *fleet) {
		for _, c := range f.caches {
			c.RefreshEarlyFor(func(context.Context, *txcache.Tx, string) (int, time.Duration, error) { return 2, -1, nil })
		}
		tx := storetest.BeginReadOnly(t, f.stores[0], "db")
		f.caches[0].LoadFor(t.Context(), tx, "x", func(context.Context) (int, time.Duration, error) {
			time.Sleep(time.Minute) // so that it is refreshed long before its end
			return 1, 2 * time.Second, nil
		})
		storetest.Commit(t, tx)
		storetest.Hit(t, storetest.BeginReadOnly(t, f.stores[0], "db"), f.caches[0], "x", 1, "it has not expired")
		synctest.Wait()
		if f.caches[0].Stats().EarlyRefreshes == 0 {
			return // there is no near cache, or chance did not want it
		}
		for i := range f.stores {
			tx := storetest.BeginReadOnly(t, f.stores[i], "db")
			if f.caches[i].Absent(t.Context(), tx, "x") {
				t.Errorf("server %d: it is taken for absent", i)
			}
			if v, err := f.caches[i].Load(t.Context(), tx, "x", storetest.Constant(3, nil)); v != 3 || err != nil {
				t.Errorf("server %d: Load = %d, %v; want what its loader returns", i, v, err)
			}
		}
	})
}

// What is not kept does not stand in for an error either.
func TestStaleForKnowsNothingOfAValueThatIsNotKept(t *testing.T) {
	failure := errors.New("no connection")
	inBubbles(t, txcache.CacheOptions{StaleFor: time.Hour}, func(t *testing.T, s storetest.Setup, f *fleet) {
		c := f.caches[0]
		tx := storetest.BeginReadOnly(t, f.stores[0], "db")
		c.SetFor(tx, "set", 1, -1)
		c.LoadFor(t.Context(), tx, "loaded", func(context.Context) (int, time.Duration, error) { return 1, -1, nil })
		storetest.Commit(t, tx)
		for _, key := range []string{"set", "loaded"} {
			if v, err := c.Load(t.Context(), storetest.BeginReadOnly(t, f.stores[0], "db"), key, storetest.Constant(0, failure)); err != failure {
				t.Errorf("Load of %q = %d, %v; want the failure", key, v, err)
			}
		}
	})
}
