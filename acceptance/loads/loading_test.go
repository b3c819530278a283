package loads_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// P7: whatever a loader does with the keys it is given, each value comes under
// its own.
func TestLoadManyKeepsItsKeysToItself(t *testing.T) {
	store := storetest.Setups[0].One(t)
	c := storetest.NewCache[int, int](t, store, "c", txcache.CacheOptions{})
	got, err := c.LoadMany(t.Context(), storetest.BeginReadOnly(t, store, "db"), []int{3, 1, 2}, func(_ context.Context, missing []int) (map[int]int, error) {
		slices.Sort(missing)
		rows := map[int]int{}
		for _, key := range missing {
			rows[key] = 10 * key
		}
		clear(missing)
		return rows, nil
	})
	want := map[int]int{1: 10, 2: 20, 3: 30}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("LoadMany = %v, %v; want %v", got, err, want)
	}
	for key, v := range want {
		if cached, ok := c.Get(t.Context(), storetest.Begin(t, store, "db"), key); !ok || cached != v {
			t.Errorf("Get(%d) = %d, %v; want %d", key, cached, ok, v)
		}
	}
}

// Of keys of which some are near the loader gets the others alone, each once, and each hit counts once.
func TestLoadManyLoadsWhatIsNotNear(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		store := s.One(t)
		c := storetest.NewCache[int, int](t, store, "c", txcache.CacheOptions{})
		storetest.Publish(t, store, "db", c, 1, 10)
		storetest.Publish(t, store, "db", c, 3, 30)
		before := c.Stats().Hits
		var asked [][]int
		got, err := c.LoadMany(t.Context(), storetest.BeginReadOnly(t, store, "db"), []int{1, 2, 1, 3, 2, 4}, func(_ context.Context, missing []int) (map[int]int, error) {
			asked = append(asked, slices.Sorted(slices.Values(missing)))
			return map[int]int{2: 20}, nil
		})
		if want := map[int]int{1: 10, 2: 20, 3: 30}; err != nil || !maps.Equal(got, want) {
			t.Errorf("LoadMany = %v, %v; want %v", got, err, want)
		}
		if len(asked) != 1 || !slices.Equal(asked[0], []int{2, 4}) {
			t.Errorf("the loader was asked for %v; want 2 and 4, once", asked)
		}
		if hits := c.Stats().Hits - before; hits != 2 {
			t.Errorf("%d hits; want 2", hits)
		}
	})
}

func TestLoadManyWithAKeyThatNoMapHas(t *testing.T) {
	store := storetest.Setups[0].One(t)
	c := storetest.NewCache[any, int](t, store, "c", txcache.CacheOptions{})
	got, err := c.LoadMany(t.Context(), storetest.BeginReadOnly(t, store, "db"), []any{[]int{1}, "a"}, func(_ context.Context, missing []any) (map[any]int, error) {
		return map[any]int{missing[0]: len(missing)}, nil
	})
	if err != nil || len(got) != 1 || got["a"] != 1 {
		t.Errorf("LoadMany = %v, %v; want a alone", got, err)
	}
}

// Only keys that are left out are absent: an ErrAbsent from elsewhere is an error
// like any other, and none for those who wait.
func TestErrAbsentOfABatchMakesNothingAbsent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := storetest.Setups[0].One(t)
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		for _, keys := range [][]string{{"x"}, {"x", "y"}} {
			var wg sync.WaitGroup
			wg.Go(func() {
				_, err := c.LoadMany(t.Context(), storetest.BeginReadOnly(t, store, "db"), keys, func(context.Context, []string) (map[string]int, error) {
					time.Sleep(time.Second)
					return nil, fmt.Errorf("settings: %w", txcache.ErrAbsent)
				})
				if !errors.Is(err, txcache.ErrAbsent) {
					t.Errorf("LoadMany = %v; want the loader's error", err)
				}
			})
			synctest.Wait()
			if v, err := c.Load(t.Context(), storetest.Begin(t, store, "db"), "x", storetest.Constant(1, nil)); v != 1 || err != nil {
				t.Errorf("Load = %d, %v; want what its own loader returns", v, err)
			}
			wg.Wait()
			known(t, storetest.BeginReadOnly(t, store, "db"), c, "nobody has said so of x")
		}
	})
}

// A hit that turns out to be stale because there is nothing any more.
func TestVerifyFindsWhatIsGone(t *testing.T) {
	v := verifying(t, storetest.Setups[0])
	storetest.Publish(t, v.Store, "shop", v.c, "pen", 1)
	if got, err := v.c.Load(t.Context(), storetest.BeginReadOnly(t, v.Store, "shop"), "pen", storetest.Constant(0, errNoRow)); err != txcache.ErrAbsent {
		t.Errorf("Load = %d, %v; want ErrAbsent", got, err)
	}
}

// P1: the expired value of others is not for a transaction that has set its own.
func TestStaleForLeavesOwnValuesAlone(t *testing.T) {
	failure := errors.New("no connection")
	expiring(t, txcache.CacheOptions{Duration: time.Minute, StaleFor: time.Hour}, func(t *testing.T, s storetest.Setup, store *txcache.Store, c *txcache.Cache[string, int]) {
		storetest.Publish(t, store, "db", c, "k", 1)
		storetest.Publish(t, store, "db", c, "l", 1)
		w := storetest.Begin(t, store, "db")
		c.Set(w, "k", 2)
		time.Sleep(2 * time.Minute)
		got, err := c.LoadMany(t.Context(), w, []string{"k", "l"}, func(context.Context, []string) (map[string]int, error) { return nil, failure })
		if err != failure {
			t.Errorf("LoadMany = %v, %v; want the failure", got, err)
		}
		if v, ok := c.Get(t.Context(), storetest.Begin(t, store, "db"), "k"); ok || v != 0 {
			t.Errorf("Get = %d, %v; want nothing", v, ok)
		}
	})
	expiring(t, txcache.CacheOptions{Duration: time.Minute, StaleFor: 1 << 62}, func(t *testing.T, s storetest.Setup, store *txcache.Store, c *txcache.Cache[string, int]) {
		storetest.Publish(t, store, "db", c, "k", 1)
		w := storetest.Begin(t, store, "db")
		time.Sleep(2 * time.Minute)
		_, err := c.Load(t.Context(), w, "k", func(context.Context) (int, error) {
			storetest.Clear(t, w, c)
			return 0, failure
		})
		if err != failure {
			t.Errorf("Load = %v; want the failure, as its own loader has cleared", err)
		}
		tx := storetest.BeginReadOnly(t, store, "db")
		c.SetAbsent(tx, "k")
		storetest.Commit(t, tx)
		time.Sleep(2 * time.Minute)
		if v, err := c.Load(t.Context(), storetest.BeginReadOnly(t, store, "db"), "k", storetest.Constant(0, failure)); err != failure {
			t.Errorf("Load = %d, %v; want the failure, as the last that was known is absence", v, err)
		}
	})
}

// A caller that misses does not wait for a refresh, which may wait for the connection
// that the caller holds.
func TestNobodyWaitsForARefresh(t *testing.T) {
	for _, readOnly := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			store := storetest.Setups[0].One(t)
			r := newRefreshed(t, store, storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{Duration: time.Hour}))
			r.nearlyOver(t, time.Hour)
			r.c.RefreshEarly(func(ctx context.Context, _ *txcache.Tx, _ string) (int, error) { <-ctx.Done(); return 0, ctx.Err() })
			storetest.Hit(t, storetest.BeginReadOnly(t, store, "db"), r.c, "x", 1, "it begins to be refreshed")
			synctest.Wait()
			time.Sleep(time.Second) // it has expired
			tx := storetest.Begin(t, store, "db")
			if readOnly {
				tx = storetest.BeginReadOnly(t, store, "db")
			}
			start := time.Now()
			if v, err := r.load(t.Context(), tx); v != 2 || err != nil || time.Since(start) != r.takes {
				t.Errorf("Load = %d, %v after %v; want its own at once", v, err, time.Since(start))
			}
			store.Close()
		})
	}
}

// The loader of a refresh may look into the cache first, as loaders often do; it
// does not find the value that it is to replace.
func TestARefreshReadsTheDatabase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := storetest.Setups[0].One(t)
		r := newRefreshed(t, store, storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{Duration: time.Minute}))
		r.c.RefreshEarly(func(ctx context.Context, tx *txcache.Tx, _ string) (int, error) { return r.load(ctx, tx) })
		r.nearlyOver(t, time.Minute)
		storetest.Hit(t, storetest.BeginReadOnly(t, store, "db"), r.c, "x", 1, "it begins to be refreshed")
		time.Sleep(time.Second)
		storetest.Hit(t, storetest.BeginReadOnly(t, store, "db"), r.c, "x", 2, "it was loaded, not looked up")
	})
}

// A refresh that fails is not tried again with each hit.
func TestARefreshThatFailsIsNotRepeatedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := storetest.Setups[0].One(t)
		r := newRefreshed(t, store, storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{Duration: time.Minute}))
		r.nearlyOver(t, time.Minute-500*time.Millisecond)
		tries := 0
		r.c.RefreshEarly(func(context.Context, *txcache.Tx, string) (int, error) { tries++; return 0, errors.New("refused") })
		for range 499 {
			storetest.Hit(t, storetest.BeginReadOnly(t, store, "db"), r.c, "x", 1, "it has not expired")
			time.Sleep(time.Millisecond)
			synctest.Wait()
		}
		if tries > 1 {
			t.Errorf("%d tries in half a second; want one", tries)
		}
	})
}

// A read-only transaction whose own value has expired sees what others have.
func TestAnExpiredValueOfAReadOnlyTransactionHidesNothing(t *testing.T) {
	expiring(t, txcache.CacheOptions{Duration: time.Minute}, func(t *testing.T, s storetest.Setup, store *txcache.Store, c *txcache.Cache[string, int]) {
		tx := storetest.BeginReadOnly(t, store, "db")
		c.Set(tx, "x", 1)
		time.Sleep(2 * time.Minute)
		storetest.Publish(t, store, "db", c, "x", 2)
		storetest.Hit(t, tx, c, "x", 2, "another has set it since")
	})
}
