package loads_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// A hit refreshes a value early whatever method it is by.
func TestEveryHitRefreshesEarly(t *testing.T) {
	ctx := context.Background()
	for name, read := range map[string]func(c *txcache.Cache[string, int], tx *txcache.Tx) (int, bool){
		"Get":   func(c *txcache.Cache[string, int], tx *txcache.Tx) (int, bool) { return c.Get(ctx, tx, "x") },
		"GetOr": func(c *txcache.Cache[string, int], tx *txcache.Tx) (int, bool) { return c.GetOr(ctx, tx, "x", 0), true },
		"GetMany": func(c *txcache.Cache[string, int], tx *txcache.Tx) (int, bool) {
			v, ok := c.GetMany(ctx, tx, []string{"none", "x"})["x"]
			return v, ok
		},
		"Load": func(c *txcache.Cache[string, int], tx *txcache.Tx) (int, bool) {
			v, err := c.Load(ctx, tx, "x", storetest.Constant(0, errors.New("not called")))
			return v, err == nil
		},
		"LoadMany": func(c *txcache.Cache[string, int], tx *txcache.Tx) (int, bool) {
			got, err := c.LoadMany(ctx, tx, []string{"x"}, func(context.Context, []string) (map[string]int, error) { return nil, errors.New("not called") })
			return got["x"], err == nil
		},
	} {
		for _, touched := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/touched=%v", name, touched), func(t *testing.T) {
				expiring(t, txcache.CacheOptions{Duration: time.Minute}, func(t *testing.T, s storetest.Setup, store *txcache.Store, c *txcache.Cache[string, int]) {
					r := newRefreshed(t, store, c)
					r.nearlyOver(t, time.Minute)
					if s.Name == "values without near" {
						read(c, storetest.BeginReadOnly(t, store, "db"))
						if time.Sleep(time.Second); r.loads.Load() != 1 {
							t.Error("a value is refreshed without a near cache")
						}
						return
					}
					tx := storetest.BeginReadOnly(t, store, "db")
					if touched {
						c.Set(tx, "another", 1)
					}
					if v, ok := read(c, tx); v != 1 || !ok {
						t.Errorf("it finds %d, %v; want the value", v, ok)
					}
					time.Sleep(r.takes + time.Millisecond)
					if v, ok := read(c, storetest.BeginReadOnly(t, store, "db")); v != 2 || !ok || c.Stats().EarlyRefreshes != 1 {
						t.Errorf("it finds %d, %v after %d refreshes; want the value of the refresh", v, ok, c.Stats().EarlyRefreshes)
					}
				})
			})
		}
	}
}

// A refresh that fails is a matter of its key, in its database.
func TestARefreshThatFailsStopsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := storetest.Setups[0].One(t)
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{Duration: time.Minute})
		tried := map[string]int{}
		c.RefreshEarly(func(_ context.Context, tx *txcache.Tx, key string) (int, error) {
			tried[tx.Database()+" "+key]++
			if key == "bad" {
				return 0, errors.New("refused")
			}
			return 2, nil
		})
		var wg sync.WaitGroup
		for _, database := range []string{"a", "b"} {
			for _, key := range []string{"bad", "good"} {
				wg.Go(func() {
					if _, err := c.Load(t.Context(), storetest.BeginReadOnly(t, store, database), key, func(context.Context) (int, error) { time.Sleep(time.Second); return 1, nil }); err != nil {
						t.Error(err)
					}
				})
			}
		}
		wg.Wait()
		time.Sleep(time.Minute - time.Millisecond)
		for _, key := range []string{"bad", "good"} {
			for _, database := range []string{"a", "b"} {
				for range 50 { // until it is drawn
					c.Get(t.Context(), storetest.BeginReadOnly(t, store, database), key)
					synctest.Wait()
				}
			}
		}
		for _, refreshed := range []string{"a bad", "b bad", "a good", "b good"} {
			if n := tried[refreshed]; n != 1 {
				t.Errorf("%s was tried %d times; want once", refreshed, n)
			}
		}
	})
}

// A refresh that fails is not tried again for a sixteenth of the Duration, however often the value is hit.
func TestARefreshThatFailsRestsForASixteenth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const duration = 16 * time.Second
		store := storetest.Setups[0].One(t)
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{Duration: duration})
		var tries []time.Time
		c.RefreshEarly(func(context.Context, *txcache.Tx, string) (int, error) {
			tries = append(tries, time.Now())
			return 0, errors.New("refused")
		})
		tx := storetest.BeginReadOnly(t, store, "db")
		if _, err := c.Load(t.Context(), tx, "x", func(context.Context) (int, error) { time.Sleep(time.Hour); return 1, nil }); err != nil {
			t.Error(err) // it takes so long that each hit wants a refresh
		}
		for end := time.Now().Add(duration - time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			storetest.Hit(t, tx, c, "x", 1, "it has not expired")
			synctest.Wait()
		}
		if len(tries) < 10 {
			t.Errorf("%d tries in %v; want about one in each second", len(tries), duration)
		}
		for i := range tries[1:] {
			if rest := tries[i+1].Sub(tries[i]); rest < duration/16 {
				t.Errorf("try %d comes %v after the one before", i+2, rest)
			}
		}
	})
}

// So many refreshes run at a time, and no load in the background beside them.
func TestRefreshesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most, keys = 32, 40
		store := storetest.Setups[0].One(t)
		c := storetest.NewCache[int, int](t, store, "c", txcache.CacheOptions{Duration: time.Minute, LoadLimit: time.Minute})
		running := 0
		c.RefreshEarly(func(ctx context.Context, _ *txcache.Tx, _ int) (int, error) {
			running++
			<-ctx.Done()
			return 0, ctx.Err()
		})
		tx := storetest.Begin(t, store, "db") // which loads for itself
		if _, err := c.Load(t.Context(), tx, 0, func(context.Context) (int, error) { time.Sleep(time.Hour); return 1, nil }); err != nil {
			t.Error(err) // it takes so long that each hit wants a refresh
		}
		for key := range keys {
			c.Set(tx, key, 1)
		}
		storetest.Commit(t, tx)
		tx = storetest.BeginReadOnly(t, store, "db")
		for key := range keys {
			for range 50 { // until it is drawn
				c.Get(t.Context(), tx, key)
				synctest.Wait()
			}
		}
		if running != most {
			t.Errorf("%d refreshes run; want %d", running, most)
		}
		if v, err := c.Load(t.Context(), tx, keys, func(context.Context) (int, error) { return 2, nil }); v != 2 || err != nil || running != most {
			t.Errorf("Load = %d, %v with %d loads in the background; want what its own loader returns", v, err, running)
		}
		store.Close()
	})
}

// A loader that panics in the background, or ends its goroutine, is told of: its
// place, and nothing of what it has said.
func TestARefreshThatPanicsIsLogged(t *testing.T) {
	for name, end := range map[string]func(){
		"panic": func() { panic("a secret") },
		"error": func() { panic(fmt.Errorf("a secret")) },
		"index": func() { _ = []int{}[runtime.NumCPU()] },
		"end":   runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				store := storetest.Setups[0].Open(t, 1, txcache.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})[0]
				r := newRefreshed(t, store, storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{Duration: time.Minute}))
				r.nearlyOver(t, time.Minute)
				r.c.RefreshEarly(func(context.Context, *txcache.Tx, string) (int, error) { end(); return 0, nil })
				storetest.Hit(t, storetest.BeginReadOnly(t, store, "db"), r.c, "x", 1, "it begins to be refreshed")
				synctest.Wait()
				text := log.String()
				if !strings.Contains(text, "refresh") || !strings.Contains(text, "cache=c") || !strings.Contains(text, "database=db") || strings.Contains(text, "secret") {
					t.Errorf("the log has %q; want the cache and database, and nothing of the panic's value", text)
				}
				if name != "end" && !strings.Contains(text, "TestARefreshThatPanicsIsLogged") {
					t.Errorf("the log has %q; want the function that panicked", text)
				}
				if s := r.c.Stats(); s.LoadErrors != 1 {
					t.Errorf("Stats = %+v; want a failed load", s)
				}
			})
		})
	}
}

// A refresh of a cache without a Duration ends after a minute.
func TestARefreshWithoutADurationEndsAfterAMinute(t *testing.T) {
	inBubbles(t, txcache.CacheOptions{}, func(t *testing.T, s storetest.Setup, f *fleet) {
		c := f.caches[0]
		var took atomic.Int64
		c.RefreshEarlyFor(func(ctx context.Context, _ *txcache.Tx, _ string) (int, time.Duration, error) {
			start := time.Now()
			<-ctx.Done()
			took.Store(int64(time.Since(start)))
			return 0, 0, ctx.Err()
		})
		tx := storetest.BeginReadOnly(t, f.stores[0], "db")
		c.LoadFor(t.Context(), tx, "x", func(context.Context) (int, time.Duration, error) {
			time.Sleep(time.Minute)
			return 1, 10 * time.Second, nil
		})
		storetest.Commit(t, tx)
		tx = storetest.BeginReadOnly(t, f.stores[0], "db")
		for range 20 {
			storetest.Hit(t, tx, c, "x", 1, "it has not expired")
		}
		synctest.Wait()
		time.Sleep(2 * time.Minute)
		if !s.Coarse && s.Name != "values without near" && took.Load() != int64(time.Minute) {
			t.Errorf("the refresh had %v; want a minute", time.Duration(took.Load()))
		}
	})
}
