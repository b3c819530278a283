package loads_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// inBubbles runs a test with two servers in each setup.
func inBubbles(t *testing.T, opts txcache.CacheOptions, test func(t *testing.T, s storetest.Setup, f *fleet)) {
	for _, s := range storetest.Setups {
		t.Run(s.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				test(t, s, newFleet(t, s.Open(t, 2, txcache.Options{Logger: storetest.Silent}), opts))
			})
		})
	}
}

// lives fails the test unless x is 1 for that long, on all servers that have it, also in transactions
// that began before its end.
func (f *fleet) lives(t *testing.T, s storetest.Setup, life time.Duration) {
	t.Helper()
	servers := len(f.stores)
	if !s.Remote {
		servers = 1
	}
	time.Sleep(life - 2*time.Millisecond) // Redis counts in milliseconds
	var old []*txcache.Tx
	for i := range servers {
		tx := storetest.BeginReadOnly(t, f.stores[i], "db")
		storetest.Hit(t, tx, f.caches[i], "x", 1, fmt.Sprintf("server %d has it for %v", i, life))
		old = append(old, tx)
	}
	time.Sleep(2 * time.Millisecond)
	for i := range servers {
		storetest.Miss(t, old[i], f.caches[i], "x", "it has expired since the transaction began")
		storetest.Miss(t, storetest.BeginReadOnly(t, f.stores[i], "db"), f.caches[i], "x", "it has expired")
	}
}

// A value that is set with a life of its own has that, in all places in which a transaction
// may set it.
func TestAValueLivesForItsOwnTime(t *testing.T) {
	const life, minute = 10 * time.Second, time.Minute
	ways := map[string]func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, int], d time.Duration){
		"set": func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, int], d time.Duration) {
			c.SetFor(tx, "x", 1, d)
		},
		"set in place of another": func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, int], d time.Duration) {
			c.SetFor(tx, "x", 2, time.Millisecond)
			c.Set(tx, "x", 3)
			c.SetFor(tx, "x", 1, d)
		},
		"savepoint": func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, int], d time.Duration) {
			c.SetFor(tx, "x", 1, d)
			tx.Savepoint(func(tx *txcache.Tx) error {
				c.SetFor(tx, "x", 2, time.Hour)
				return errors.New("undone")
			})
		},
		"written through": func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, int], d time.Duration) {
			c.Delete(tx, "x") // but in a read-only transaction
			c.SetFor(tx, "x", 1, d)
		},
		"loaded": func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, int], d time.Duration) {
			if v, err := c.LoadFor(t.Context(), tx, "x", func(context.Context) (int, time.Duration, error) { return 1, d, nil }); v != 1 || err != nil {
				t.Errorf("LoadFor = %d, %v", v, err)
			}
		},
	}
	for _, cache := range []struct {
		opts      txcache.CacheOptions
		set, want time.Duration
	}{
		{txcache.CacheOptions{}, life, life},
		{txcache.CacheOptions{Duration: minute}, life, life},
		{txcache.CacheOptions{Duration: minute}, 10 * minute, 10 * minute},
		{txcache.CacheOptions{Duration: minute}, 0, minute},
		{txcache.CacheOptions{Duration: minute, StaleFor: time.Hour}, 10 * minute, 10 * minute},
		{txcache.CacheOptions{Absent: minute}, life, life},
	} {
		for name, set := range ways {
			for _, readOnly := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s for %v where others live for %v and %v, read-only: %t", name, cache.set, cache.opts.Duration, cache.opts.StaleFor, readOnly), func(t *testing.T) {
					inBubbles(t, cache.opts, func(t *testing.T, s storetest.Setup, f *fleet) {
						begin := storetest.Begin
						if readOnly {
							begin = storetest.BeginReadOnly
						}
						own := begin(t, f.stores[0], "db")
						if !readOnly {
							set(t, own, f.caches[0], cache.set)
						}
						tx := begin(t, f.stores[0], "db")
						set(t, tx, f.caches[0], cache.set)
						if !readOnly || name != "written through" {
							storetest.Commit(t, tx)
						} else {
							tx.Rollback() // what it has read is as good
						}
						storetest.Hit(t, own, f.caches[0], "x", 1, "the transaction has set it itself, or finds it")
						f.lives(t, s, cache.want)
						storetest.Miss(t, own, f.caches[0], "x", "it has expired there too")
					})
				})
			}
		}
	}
}

// A value that is warm after a clear lives for its own time.
func TestAWarmValueLivesForItsOwnTime(t *testing.T) {
	inBubbles(t, txcache.CacheOptions{Warm: true}, func(t *testing.T, s storetest.Setup, f *fleet) {
		tx := storetest.Begin(t, f.stores[0], "db")
		storetest.Clear(t, tx, f.caches[0])
		f.caches[0].SetFor(tx, "x", 1, time.Minute)
		storetest.Commit(t, tx)
		f.lives(t, s, time.Minute)
	})
}

func TestALifeMayBeOfAnyLength(t *testing.T) {
	inBubbles(t, txcache.CacheOptions{Duration: time.Minute}, func(t *testing.T, s storetest.Setup, f *fleet) {
		c := f.caches[0]
		tx := storetest.BeginReadOnly(t, f.stores[0], "db")
		for _, d := range []time.Duration{math.MinInt64, math.MinInt64 + 1, -time.Hour, -1, 1} {
			for _, tx := range []*txcache.Tx{tx, storetest.Begin(t, f.stores[0], "db")} {
				c.Set(tx, "x", 1)
				c.SetFor(tx, "x", 2, d)
				time.Sleep(time.Nanosecond)
				storetest.Miss(t, tx, c, "x", fmt.Sprintf("it lived for %v, and took the place of what was there", d))
			}
		}
		c.SetFor(tx, "long", 1, math.MaxInt64)
		storetest.Commit(t, tx)
		for i := range f.caches {
			storetest.Miss(t, storetest.BeginReadOnly(t, f.stores[i], "db"), f.caches[i], "x", "nothing of it was published")
		}
		time.Sleep(24 * time.Hour)
		storetest.Hit(t, storetest.BeginReadOnly(t, f.stores[0], "db"), c, "long", 1, "it lives for ever, nearly")
	})
}

func TestJitterShortensLivesOfTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := storetest.Setups[0].One(t)
		c := storetest.NewCache[int, int](t, store, "c", txcache.CacheOptions{Jitter: 0.5})
		tx := storetest.BeginReadOnly(t, store, "db")
		const values = 200
		for i := range values {
			c.SetFor(tx, i, i, 100*time.Second)
		}
		left := func() int {
			keys := make([]int, values)
			for i := range keys {
				keys[i] = i
			}
			return len(c.GetMany(t.Context(), tx, keys))
		}
		time.Sleep(50 * time.Second)
		if n := left(); n != values {
			t.Errorf("%d values are left after half of their lives; want all", n)
		}
		time.Sleep(25 * time.Second)
		if n := left(); n == 0 || n == values {
			t.Errorf("%d values are left after three quarters; want some", n)
		}
		time.Sleep(25 * time.Second)
		if n := left(); n != 0 {
			t.Errorf("%d values outlive what was said", n)
		}
	})
}

func TestStaleForCountsFromTheEndOfAValuesOwnLife(t *testing.T) {
	failure := errors.New("no connection")
	opts := txcache.CacheOptions{StaleFor: time.Hour}
	expiring(t, opts, func(t *testing.T, s storetest.Setup, store *txcache.Store, c *txcache.Cache[string, int]) {
		tx := storetest.BeginReadOnly(t, store, "db")
		c.SetFor(tx, "x", 1, time.Minute)
		storetest.Commit(t, tx)
		time.Sleep(time.Minute + opts.StaleFor - time.Millisecond)
		if v, err := c.Load(t.Context(), storetest.BeginReadOnly(t, store, "db"), "x", storetest.Constant(0, failure)); v != 1 || err != nil {
			t.Errorf("Load = %d, %v; want the value, which expired less than an hour ago", v, err)
		}
		time.Sleep(time.Millisecond)
		if v, err := c.Load(t.Context(), storetest.BeginReadOnly(t, store, "db"), "x", storetest.Constant(0, failure)); err != failure {
			t.Errorf("Load = %d, %v; want the failure", v, err)
		}
	})
}

// All who share a load get its value, also one that is not kept; the next one loads anew.
func TestCallersShareAValueThatIsNotKept(t *testing.T) {
	inBubbles(t, txcache.CacheOptions{Duration: time.Minute}, func(t *testing.T, s storetest.Setup, f *fleet) {
		c, loads := f.caches[0], 0
		load := func(context.Context) (int, time.Duration, error) {
			loads++
			time.Sleep(time.Second)
			return 1, -1, nil
		}
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if v, err := c.LoadFor(t.Context(), storetest.BeginReadOnly(t, f.stores[0], "db"), "x", load); v != 1 || err != nil {
					t.Errorf("LoadFor = %d, %v", v, err)
				}
			})
		}
		wg.Wait()
		if loads != 1 {
			t.Errorf("%d loads; want one for all", loads)
		}
		storetest.Miss(t, storetest.BeginReadOnly(t, f.stores[0], "db"), c, "x", "it is not kept")
		tx := storetest.Begin(t, f.stores[0], "db")
		c.LoadFor(t.Context(), tx, "x", load)
		storetest.Miss(t, tx, c, "x", "nor in the transaction that has loaded it")
	})
}

// The process that waits for another's load gets the life with the value.
func TestALeasedValueLivesForItsOwnTime(t *testing.T) {
	inBubbles(t, txcache.CacheOptions{Lease: time.Minute}, func(t *testing.T, s storetest.Setup, f *fleet) {
		if !s.Remote {
			return // these share no values
		}
		var wg sync.WaitGroup
		loads := 0
		for i, c := range f.caches {
			wg.Go(func() {
				v, err := c.LoadFor(t.Context(), storetest.BeginReadOnly(t, f.stores[i], "db"), "x", func(context.Context) (int, time.Duration, error) {
					loads++
					time.Sleep(time.Second)
					return 1, 10 * time.Second, nil
				})
				if v != 1 || err != nil {
					t.Errorf("LoadFor = %d, %v", v, err)
				}
			})
		}
		start := time.Now()
		wg.Wait()
		if loads != 1 {
			t.Errorf("%d loads; want one", loads)
		}
		f.lives(t, s, time.Until(start.Add(11*time.Second)))
	})
}

// A loader says for how long there is nothing.
func TestAnAbsenceLivesForItsOwnTime(t *testing.T) {
	for _, test := range []struct {
		absent, life, want time.Duration // of the option, of the loader, and how long it is known
	}{
		{0, 10 * time.Second, 10 * time.Second},
		{time.Minute, 10 * time.Second, 10 * time.Second},
		{time.Second, 10 * time.Second, 10 * time.Second},
		{time.Second, 0, time.Second},
		{time.Minute, -1, 0},
		{-1, 10 * time.Second, 0},
	} {
		t.Run(fmt.Sprint(test), func(t *testing.T) {
			inBubbles(t, txcache.CacheOptions{Absent: test.absent}, func(t *testing.T, s storetest.Setup, f *fleet) {
				tx := storetest.BeginReadOnly(t, f.stores[0], "db")
				_, err := f.caches[0].LoadFor(t.Context(), tx, "x", func(context.Context) (int, time.Duration, error) {
					return 0, test.life, fmt.Errorf("%w: no row", txcache.ErrAbsent)
				})
				if !errors.Is(err, txcache.ErrAbsent) {
					t.Errorf("LoadFor = %v; want ErrAbsent", err)
				}
				storetest.Commit(t, tx)
				servers := 1
				if s.Remote {
					servers = 2
				}
				known := func(want bool) {
					t.Helper()
					for i := range servers {
						if got := f.caches[i].Absent(t.Context(), storetest.BeginReadOnly(t, f.stores[i], "db"), "x"); got != want {
							t.Errorf("server %d: absence is known: %t; want %t", i, got, want)
						}
					}
				}
				if test.want > 0 {
					time.Sleep(test.want - 2*time.Millisecond)
					known(true)
					time.Sleep(2 * time.Millisecond)
				}
				known(false)
			})
		})
	}
}

// A hot value is refreshed before its own expiry, and the new one has a life of its own; in a cache
// whose values live for ever otherwise too.
func TestValuesAreRefreshedBeforeTheirOwnExpiry(t *testing.T) {
	for _, duration := range []time.Duration{0, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			store := storetest.Setups[0].One(t)
			c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{Duration: duration})
			loads := 0
			c.RefreshEarlyFor(func(ctx context.Context, tx *txcache.Tx, key string) (int, time.Duration, error) {
				loads++
				time.Sleep(time.Millisecond)
				return 2, 3 * time.Minute, ctx.Err()
			})
			tx := storetest.BeginReadOnly(t, store, "db")
			c.LoadFor(t.Context(), tx, "x", func(context.Context) (int, time.Duration, error) {
				time.Sleep(time.Millisecond) // so that loads are known to take some time
				return 1, time.Minute, nil
			})
			time.Sleep(time.Minute - time.Nanosecond)
			storetest.Hit(t, tx, c, "x", 1, "it begins to be refreshed")
			time.Sleep(2 * time.Minute)
			storetest.Hit(t, storetest.BeginReadOnly(t, store, "db"), c, "x", 2, "it was refreshed")
			time.Sleep(2 * time.Minute)
			storetest.Miss(t, storetest.BeginReadOnly(t, store, "db"), c, "x", "that has expired")
			if loads != 1 {
				t.Errorf("with a Duration of %v: %d refreshes; want one", duration, loads)
			}
		})
	}
}

// A refresh that fails is not tried again before the value has expired, be its life much shorter
// than the cache's Duration, and is tried for the next value.
func TestARefreshRestsNoLongerThanItsValueLives(t *testing.T) {
	for _, duration := range []time.Duration{0, 24 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			store := storetest.NewStore(t, storetest.NewValues(), txcache.Options{Logger: storetest.Silent})
			c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{Duration: duration})
			tries := 0
			c.RefreshEarlyFor(func(context.Context, *txcache.Tx, string) (int, time.Duration, error) {
				tries++
				return 0, 0, errors.New("no connection")
			})
			for life := range 3 {
				tx := storetest.BeginReadOnly(t, store, "db")
				c.LoadFor(t.Context(), tx, "x", func(context.Context) (int, time.Duration, error) {
					time.Sleep(time.Second)
					return 1, time.Minute, nil
				})
				storetest.Commit(t, tx)
				tx = storetest.BeginReadOnly(t, store, "db")
				time.Sleep(time.Minute - time.Microsecond)
				for range 10 {
					storetest.Hit(t, tx, c, "x", 1, "it has not expired")
					synctest.Wait()
				}
				if tries != life+1 {
					t.Errorf("with a Duration of %v: %d refreshes in %d lives; want one in each", duration, tries, life+1)
				}
				time.Sleep(time.Microsecond)
			}
		})
	}
}

// A refresh whose loader says that the value is over takes away the one that is there, for all.
func TestARefreshedValueThatIsNotKept(t *testing.T) {
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
		time.Sleep(time.Second)
		if f.caches[0].Stats().EarlyRefreshes == 0 {
			return // there is no near cache, or chance did not want it
		}
		for i := range f.stores {
			storetest.Miss(t, storetest.BeginReadOnly(t, f.stores[i], "db"), f.caches[i], "x", "it is over")
		}
	})
}
