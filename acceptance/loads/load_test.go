package loads_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

func TestLoad(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		store := s.One(t)
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		failure := errors.New("no such row")
		tx := storetest.Begin(t, store, "db")
		if _, err := c.Load(t.Context(), tx, "x", storetest.Constant(0, failure)); err != failure {
			t.Errorf("Load = %v; want the loader's error as it is", err)
		}
		storetest.Miss(t, tx, c, "x", "a failure is not cached")
		for _, loaded := range []int{1, 2} {
			if v, err := c.Load(t.Context(), tx, "x", storetest.Constant(loaded, nil)); v != 1 || err != nil {
				t.Errorf("Load = %d, %v; want what the first loader returned", v, err)
			}
		}
		storetest.Miss(t, storetest.Begin(t, store, "db"), c, "x", "a read-write transaction shares nothing before it commits")
		storetest.Commit(t, tx)
		storetest.Hit(t, storetest.Begin(t, store, "db"), c, "x", 1, "it was published by the commit")
	})
}

// Scenario 18: a thousand concurrent loads.
func TestConcurrentLoadsShareOneLoader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := storetest.NewValues()
		store := storetest.NewStore(t, v, txcache.Options{})
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		var loads atomic.Int32
		var wg sync.WaitGroup
		for i := range 1000 {
			wg.Go(func() {
				tx, err := store.BeginReadOnly(t.Context(), "db")
				if err != nil {
					t.Error(err)
					return
				}
				defer tx.Rollback()
				v, err := c.Load(t.Context(), tx, "x", func(context.Context) (int, error) {
					loads.Add(1)
					time.Sleep(time.Second)
					return 1, nil
				})
				if v != 1 || err != nil {
					t.Errorf("Load %d = %d, %v; want 1", i, v, err)
				}
			})
		}
		wg.Wait()
		if got := loads.Load(); got != 1 {
			t.Errorf("the loader ran %d times; want once", got)
		}
		if got := c.Stats(); got.Shared != 999 || got.Loads != 1 {
			t.Errorf("Stats = %+v; want 1 load and 999 shared", got)
		}
		if v.Gets != 1 {
			t.Errorf("the backend was asked %d times; want once", v.Gets)
		}
	})
}

// A second load of a key begins while the first one's loader runs.
func TestTheLeaderGoesAway(t *testing.T) {
	failure := errors.New("failure")
	for name, test := range map[string]struct {
		lead  func(t *testing.T, c *txcache.Cache[string, int], tx *txcache.Tx) // takes a second
		value int
		err   error
		loads int32 // of the one who waits
	}{
		"value": {func(t *testing.T, c *txcache.Cache[string, int], tx *txcache.Tx) {
			c.Load(t.Context(), tx, "x", func(context.Context) (int, error) { time.Sleep(time.Second); return 1, nil })
		}, 1, nil, 0},
		"error": {func(t *testing.T, c *txcache.Cache[string, int], tx *txcache.Tx) {
			c.Load(t.Context(), tx, "x", func(context.Context) (int, error) { time.Sleep(time.Second); return 0, failure })
		}, 0, failure, 0},
		"cancelled": {func(t *testing.T, c *txcache.Cache[string, int], tx *txcache.Tx) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, err := c.Load(ctx, tx, "x", func(ctx context.Context) (int, error) { <-ctx.Done(); return 0, ctx.Err() }); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the leader's Load = %v; want its context's error", err)
			}
		}, 2, nil, 1},
		"panic": {func(t *testing.T, c *txcache.Cache[string, int], tx *txcache.Tx) {
			defer func() {
				if recover() != failure {
					t.Error("the leader's panic did not come through")
				}
			}()
			c.Load(t.Context(), tx, "x", func(context.Context) (int, error) { time.Sleep(time.Second); panic(failure) })
		}, 2, nil, 1},
		"transaction ended": {func(t *testing.T, c *txcache.Cache[string, int], tx *txcache.Tx) {
			c.Load(t.Context(), tx, "x", func(context.Context) (int, error) {
				time.Sleep(time.Second)
				tx.Rollback()
				return 0, failure
			})
		}, 2, nil, 1},
	} {
		for _, readOnly := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/readOnly=%v", name, readOnly), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					store := storetest.Setups[0].One(t)
					c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
					var wg sync.WaitGroup
					wg.Go(func() { test.lead(t, c, storetest.BeginReadOnly(t, store, "db")) })
					synctest.Wait() // its loader is busy

					var loads atomic.Int32
					tx := storetest.Begin(t, store, "db")
					if readOnly {
						tx = storetest.BeginReadOnly(t, store, "db")
					}
					v, err := c.Load(t.Context(), tx, "x", func(context.Context) (int, error) { loads.Add(1); return 2, nil })
					if v != test.value || err != test.err || loads.Load() != test.loads {
						t.Errorf("the one who waits gets %d, %v after %d loads; want %d, %v, %d", v, err, loads.Load(), test.value, test.err, test.loads)
					}
					wg.Wait()
				})
			})
		}
	}
}

func TestWhoWaitsForALoadWaitsNoLongerThanItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := storetest.Setups[0].One(t)
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		blocked := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			c.Load(t.Context(), storetest.BeginReadOnly(t, store, "db"), "x", func(context.Context) (int, error) { <-blocked; return 1, nil })
		})
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Load(ctx, storetest.BeginReadOnly(t, store, "db"), "x", storetest.Constant(2, nil)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Load = %v; want the context's error", err)
		}
		close(blocked)
		wg.Wait()
	})
}

// What a read-write transaction loads may be its own uncommitted change.
func TestReadWriteTransactionsShareNoLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := storetest.Setups[0].One(t)
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		var wg sync.WaitGroup
		wg.Go(func() {
			c.Load(t.Context(), storetest.Begin(t, store, "db"), "x", func(context.Context) (int, error) { time.Sleep(time.Second); return 1, nil })
		})
		synctest.Wait()
		v, err := c.Load(t.Context(), storetest.BeginReadOnly(t, store, "db"), "x", storetest.Constant(2, nil))
		if v != 2 || err != nil {
			t.Errorf("Load = %d, %v; want its own: the other's is not committed", v, err)
		}
		wg.Wait()
	})
}

// P4: a load that began before a clear is not shared with those after it.
func TestLoadOfAnOlderGenerationIsNotShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := storetest.Setups[0].One(t)
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		var wg sync.WaitGroup
		wg.Go(func() {
			v, err := c.Load(t.Context(), storetest.BeginReadOnly(t, store, "db"), "x", func(context.Context) (int, error) { time.Sleep(time.Second); return 1, nil })
			if v != 1 || err != nil {
				t.Errorf("the old load = %d, %v; want its own value", v, err)
			}
		})
		synctest.Wait()
		writer := storetest.Begin(t, store, "db")
		storetest.Clear(t, writer, c)
		storetest.Commit(t, writer)
		v, err := c.Load(t.Context(), storetest.BeginReadOnly(t, store, "db"), "x", storetest.Constant(2, nil))
		if v != 2 || err != nil {
			t.Errorf("Load after the clear = %d, %v; want a value of its own", v, err)
		}
		wg.Wait()
		storetest.Hit(t, storetest.Begin(t, store, "db"), c, "x", 2, "the older value went to the older generation")
	})
}

// Two loaders that need each other's keys: neither waits for the other.
func TestLoadsWithinLoadsDoNotLockUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := storetest.Setups[0].One(t)
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		var wg sync.WaitGroup
		for _, keys := range [][2]string{{"a", "b"}, {"b", "a"}} {
			wg.Go(func() {
				tx := storetest.BeginReadOnly(t, store, "db")
				v, err := c.Load(t.Context(), tx, keys[0], func(ctx context.Context) (int, error) {
					time.Sleep(time.Second) // both have begun
					inner, err := c.Load(ctx, tx, keys[1], storetest.Constant(1, nil))
					return inner + 1, err
				})
				if v != 2 && v != 3 || err != nil { // 3: the other one was done by then
					t.Errorf("Load(%s) = %d, %v; want 2 or 3", keys[0], v, err)
				}
			})
		}
		wg.Wait()
	})
}

// A loader that loads its own key with the context of its caller instead of the
// one it got does not wait for itself.
func TestLoadOfTheSameKeyWithinALoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := storetest.Setups[0].One(t)
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		ctx := t.Context()
		tx := storetest.BeginReadOnly(t, store, "db")
		v, err := c.Load(ctx, tx, "x", func(context.Context) (int, error) {
			inner, err := c.Load(ctx, tx, "x", storetest.Constant(1, nil))
			return inner + 1, err
		})
		if v != 2 || err != nil {
			t.Errorf("Load = %d, %v; want 2", v, err)
		}
	})
}

func TestLoadInAPrivateCache(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		store := s.One(t)
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		storetest.Publish(t, store, "db", c, "x", 1)
		tx := storetest.Begin(t, store, "db")
		storetest.Clear(t, tx, c)
		for _, loaded := range []int{2, 3} {
			if v, err := c.Load(t.Context(), tx, "x", storetest.Constant(loaded, nil)); v != 2 || err != nil {
				t.Errorf("Load = %d, %v; want 2, loaded once", v, err)
			}
		}
		storetest.Hit(t, storetest.Begin(t, store, "db"), c, "x", 1, "nothing is committed")
	})
}
