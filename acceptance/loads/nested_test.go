package loads_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// Loads within loads share one loader as others do: in a process, and with leases
// between processes.
func TestLoadsWithinLoadsShareOneLoader(t *testing.T) {
	for _, lease := range []time.Duration{-1, 5 * time.Second} {
		storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
			const users = 25
			servers := s.Open(t, 2, txcache.Options{})
			want, parents := len(servers), users*len(servers)
			if s.Remote && lease > 0 {
				want, parents = 1, users
			}
			var loads, began atomic.Int32
			var wg, all sync.WaitGroup
			all.Add(parents)
			for _, store := range servers {
				pages := storetest.NewCache[int, string](t, store, "pages", txcache.CacheOptions{Lease: lease})
				settings := storetest.NewCache[string, string](t, store, "settings", txcache.CacheOptions{Lease: lease})
				for user := range users {
					wg.Go(func() {
						tx := storetest.BeginReadOnly(t, store, "db")
						page, err := pages.Load(t.Context(), tx, user, func(ctx context.Context) (string, error) {
							if began.Add(1) <= int32(parents) {
								all.Done()
							}
							return settings.Load(ctx, tx, "theme", func(context.Context) (string, error) {
								loads.Add(1)
								all.Wait() // all others are under way by then, and join it
								time.Sleep(100 * time.Millisecond)
								return "dark", nil
							})
						})
						if page != "dark" || err != nil {
							t.Errorf("Load = %q, %v", page, err)
						}
					})
				}
			}
			wg.Wait()
			if n := int(loads.Load()); n < 1 || n > want {
				t.Errorf("lease %v: the loader of the settings ran %d times, within %d others; want %d at most", lease, n, began.Load(), want)
			}
		})
	}
}

// A loader that does not pass on its context, but loads in the same transaction, or
// in one that it has loaded in before, waits in no circle either.
func TestALoaderThatDropsItsContext(t *testing.T) {
	for _, other := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			store := storetest.Setups[0].One(t)
			c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
			start := time.Now()
			var wg sync.WaitGroup
			wg.Go(func() {
				tx := storetest.BeginReadOnly(t, store, "db")
				_, err := c.Load(t.Context(), tx, "a", func(ctx context.Context) (int, error) {
					in := tx
					if other {
						in = storetest.BeginReadOnly(t, store, "db")
					}
					return c.Load(ctx, in, "b", func(context.Context) (int, error) {
						time.Sleep(time.Second)
						return c.Load(t.Context(), in, "c", storetest.Constant(1, nil))
					})
				})
				if err != nil {
					t.Error(err)
				}
			})
			wg.Go(func() {
				tx := storetest.BeginReadOnly(t, store, "db")
				_, err := c.Load(t.Context(), tx, "c", func(ctx context.Context) (int, error) {
					time.Sleep(2 * time.Second)
					return c.Load(ctx, tx, "a", storetest.Constant(2, nil))
				})
				if err != nil {
					t.Error(err)
				}
			})
			wg.Wait()
			if took := time.Since(start); took > 3*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// A caller that misses does not wait for what a refresh loads within its loader, just
// as it does not wait for the refresh; refreshes share such loads among themselves.
func TestNobodyWaitsForALoadWithinARefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := storetest.Setups[0].One(t)
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{Duration: time.Hour})
		for _, key := range []string{"x", "y"} {
			if _, err := c.Load(t.Context(), storetest.BeginReadOnly(t, store, "db"), key, func(context.Context) (int, error) { time.Sleep(time.Second); return 1, nil }); err != nil {
				t.Error(err)
			}
		}
		settings := storetest.NewCache[string, int](t, store, "settings", txcache.CacheOptions{})
		c.RefreshEarly(func(ctx context.Context, tx *txcache.Tx, _ string) (int, error) {
			return settings.Load(ctx, tx, "s", func(ctx context.Context) (int, error) { <-ctx.Done(); return 0, ctx.Err() })
		})
		time.Sleep(time.Hour - time.Second - time.Microsecond)
		for _, key := range []string{"x", "y"} {
			for range 100 {
				storetest.Hit(t, storetest.BeginReadOnly(t, store, "db"), c, key, 1, "it is refreshed")
				synctest.Wait()
			}
		}
		if n := settings.Stats().Loads; n != 1 {
			t.Errorf("two refreshes load the same %d times; want once", n)
		}
		start := time.Now()
		if v, err := settings.Load(t.Context(), storetest.BeginReadOnly(t, store, "db"), "s", storetest.Constant(2, nil)); v != 2 || err != nil || time.Since(start) > 0 {
			t.Errorf("Load = %d, %v after %v; want its own at once", v, err, time.Since(start))
		}
		store.Close()
	})
}

// A lease is given back whatever its mark has come to say.
func TestALeaseThatToldForWhomItWaitsIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := storetest.Stores(t, 2, txcache.Options{Logger: storetest.Silent}, storetest.NewValues())
		var caches []*txcache.Cache[string, int]
		for _, s := range all {
			caches = append(caches, storetest.NewCache[string, int](t, s, "c", txcache.CacheOptions{Lease: time.Hour}))
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			c := caches[1]
			c.Load(t.Context(), storetest.BeginReadOnly(t, all[1], "db"), "inner", func(context.Context) (int, error) { time.Sleep(time.Minute); return 1, nil })
		})
		synctest.Wait()
		tx := storetest.BeginReadOnly(t, all[0], "db")
		func() {
			defer func() { recover() }()
			caches[0].Load(t.Context(), tx, "outer", func(ctx context.Context) (int, error) {
				if v, err := caches[0].Load(ctx, tx, "inner", storetest.Constant(2, nil)); v != 1 || err != nil {
					t.Errorf("Load = %d, %v; want what the other server loads", v, err)
				}
				panic("loader")
			})
		}()
		start := time.Now()
		if v, err := caches[1].Load(t.Context(), storetest.BeginReadOnly(t, all[1], "db"), "outer", storetest.Constant(3, nil)); v != 3 || err != nil || time.Since(start) > time.Second {
			t.Errorf("Load = %d, %v after %v; want its own at once", v, err, time.Since(start))
		}
		wg.Wait()
	})
}
