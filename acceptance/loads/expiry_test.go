package loads_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

func TestJitterShortensLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := storetest.Setups[0].One(t)
		c := storetest.NewCache[int, int](t, store, "c", txcache.CacheOptions{Duration: 100 * time.Second, Jitter: 0.2})
		tx := storetest.BeginReadOnly(t, store, "db")
		const values = 1000
		for i := range values {
			c.Set(tx, i, i)
		}
		left := func() (n int) {
			for i := range values {
				if _, ok := c.Get(t.Context(), tx, i); ok {
					n++
				}
			}
			return n
		}
		for _, test := range []struct {
			after       time.Duration
			least, most int // eight standard deviations of a binomial distribution
		}{{80 * time.Second, values, values}, {10 * time.Second, 370, 630}, {10 * time.Second, 0, 0}} {
			time.Sleep(test.after)
			if n := left(); n < test.least || n > test.most {
				t.Errorf("%d values are left after another %v; want %d to %d", n, test.after, test.least, test.most)
			}
		}
	})
}

// expiring opens one store in each setup within which time can be moved.
func expiring(t *testing.T, opts txcache.CacheOptions, test func(t *testing.T, s storetest.Setup, store *txcache.Store, c *txcache.Cache[string, int])) {
	for _, s := range storetest.Setups[:3] {
		t.Run(s.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := s.Open(t, 1, txcache.Options{Logger: storetest.Silent})[0]
				test(t, s, store, storetest.NewCache[string, int](t, store, "c", opts))
			})
		})
	}
}

func TestStaleForAnswersForALoaderThatFails(t *testing.T) {
	failure := errors.New("no connection")
	opts := txcache.CacheOptions{Duration: time.Minute, StaleFor: time.Hour}
	expiring(t, opts, func(t *testing.T, s storetest.Setup, store *txcache.Store, c *txcache.Cache[string, int]) {
		load := func(want int, err error) {
			t.Helper()
			for _, tx := range []*txcache.Tx{storetest.Begin(t, store, "db"), storetest.BeginReadOnly(t, store, "db")} {
				v, e := c.Load(t.Context(), tx, "x", storetest.Constant(0, failure))
				if v != want || e != err {
					t.Errorf("Load = %d, %v; want %d, %v", v, e, want, err)
				}
				many, e := c.LoadMany(t.Context(), tx, []string{"x"}, func(context.Context, []string) (map[string]int, error) { return nil, failure })
				if many["x"] != want || e != err {
					t.Errorf("LoadMany = %v, %v; want %d, %v", many, e, want, err)
				}
				storetest.Commit(t, tx)
			}
		}
		load(0, failure)
		storetest.Publish(t, store, "db", c, "x", 1)
		load(1, nil) // it has not expired
		time.Sleep(2 * time.Minute)
		storetest.Miss(t, storetest.BeginReadOnly(t, store, "db"), c, "x", "it has expired")
		load(1, nil)
		if s := c.Stats(); s.ExpiredHits != 4 || s.LoadErrors != 8 {
			t.Errorf("Stats = %+v; want 4 expired hits among 8 failures", s)
		}
		if _, err := c.LoadMany(t.Context(), storetest.BeginReadOnly(t, store, "db"), []string{"x", "y"}, func(context.Context, []string) (map[string]int, error) { return nil, failure }); err != failure {
			t.Errorf("LoadMany = %v; want the failure, as there is nothing for y", err)
		}
		cancelled, cancel := context.WithCancel(t.Context())
		if _, err := c.Load(cancelled, storetest.BeginReadOnly(t, store, "db"), "x", func(context.Context) (int, error) { cancel(); return 0, failure }); err != failure {
			t.Errorf("Load = %v; want the failure, as nobody waits for a value any more", err)
		}
		if v, err := c.Load(t.Context(), storetest.BeginReadOnly(t, store, "db"), "x", storetest.Constant(0, errNoRow)); err != txcache.ErrAbsent {
			t.Errorf("Load = %d, %v; want ErrAbsent, which is no failure", v, err)
		}
	})
	expiring(t, opts, func(t *testing.T, s storetest.Setup, store *txcache.Store, c *txcache.Cache[string, int]) {
		storetest.Publish(t, store, "db", c, "x", 1)
		time.Sleep(opts.Duration + opts.StaleFor - time.Nanosecond)
		if v, err := c.Load(t.Context(), storetest.BeginReadOnly(t, store, "db"), "x", storetest.Constant(0, failure)); v != 1 || err != nil {
			t.Errorf("Load = %d, %v; want the value until the end", v, err)
		}
		time.Sleep(time.Nanosecond)
		if _, err := c.Load(t.Context(), storetest.BeginReadOnly(t, store, "db"), "x", storetest.Constant(0, failure)); err != failure {
			t.Errorf("Load = %v; want the failure, as it is too late", err)
		}
	})
}

// Only what has expired is returned, never what was cleared: not by others, and
// not by the transaction itself.
func TestStaleForNeverAnswersWithWhatWasCleared(t *testing.T) {
	failure := errors.New("no connection")
	expiring(t, txcache.CacheOptions{Duration: time.Minute, StaleFor: time.Hour}, func(t *testing.T, s storetest.Setup, store *txcache.Store, c *txcache.Cache[string, int]) {
		fails := func(tx *txcache.Tx, why string) {
			t.Helper()
			if v, err := c.Load(t.Context(), tx, "x", storetest.Constant(0, failure)); err != failure {
				t.Errorf("Load = %d, %v; want the failure: %s", v, err, why)
			}
		}
		storetest.Publish(t, store, "db", c, "x", 1)
		time.Sleep(2 * time.Minute)
		old := storetest.BeginReadOnly(t, store, "db")
		writer := storetest.Begin(t, store, "db")
		storetest.Clear(t, writer, c)
		fails(writer, "it has cleared the cache")
		err := writer.CommitWith(t.Context(), func(context.Context) error {
			fails(storetest.BeginReadOnly(t, store, "db"), "the cache is fenced")
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		fails(storetest.BeginReadOnly(t, store, "db"), "the cache was cleared")
		fails(old, "the cache was cleared since it began")

		storetest.Publish(t, store, "db", c, "x", 2)
		time.Sleep(2 * time.Minute)
		v, err := c.Load(t.Context(), storetest.BeginReadOnly(t, store, "db"), "x", func(context.Context) (int, error) {
			writer := storetest.Begin(t, store, "db")
			storetest.Clear(t, writer, c)
			storetest.Commit(t, writer)
			return 0, failure
		})
		if err != failure {
			t.Errorf("Load = %d, %v; want the failure: the cache was cleared while the loader ran", v, err)
		}
	})
}

// A refreshed is a cache whose values are refreshed early: each load takes a
// while, and returns how many there were.
type refreshed struct {
	store *txcache.Store
	c     *txcache.Cache[string, int]
	takes time.Duration
	loads atomic.Int64
	waits atomic.Int64 // calls of loaders by those who asked
}

func (r *refreshed) slow() (int, error) {
	time.Sleep(r.takes)
	return int(r.loads.Add(1)), nil
}

func (r *refreshed) load(ctx context.Context, tx *txcache.Tx) (int, error) {
	return r.c.Load(ctx, tx, "x", func(context.Context) (int, error) {
		r.waits.Add(1)
		return r.slow()
	})
}

func newRefreshed(t *testing.T, store *txcache.Store, c *txcache.Cache[string, int]) *refreshed {
	r := &refreshed{store: store, c: c, takes: 50 * time.Millisecond}
	c.RefreshEarly(func(ctx context.Context, tx *txcache.Tx, key string) (int, error) {
		if key != "x" || tx.Database() != "db" {
			t.Errorf("the loader got key %q, database %q; want x, db", key, tx.Database())
		}
		return r.slow()
	})
	return r
}

// ask begins transactions that ask for the value, with that pause on average.
func (r *refreshed) ask(t *testing.T, for_, pause time.Duration, random *rand.Rand) {
	for end := time.Now().Add(for_); time.Now().Before(end); {
		tx := storetest.BeginReadOnly(t, r.store, "db")
		if _, err := r.load(t.Context(), tx); err != nil {
			t.Error(err)
		}
		tx.Rollback()
		time.Sleep(time.Duration(random.Int64N(int64(2 * pause))))
	}
}

// The first one waits for the loader, and nobody ever again.
func TestNobodyWaitsForAValueThatIsRefreshedEarly(t *testing.T) {
	const (
		duration  = 10 * time.Second
		durations = 20
		askers    = 64
	)
	seed := storetest.Seed(t)
	t.Logf("TXCACHE_SEED=%d", seed)
	synctest.Test(t, func(t *testing.T) {
		store := storetest.Setups[0].One(t)
		r := newRefreshed(t, store, storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{Duration: duration}))
		r.ask(t, time.Nanosecond, time.Nanosecond, rand.New(rand.NewPCG(seed, 0)))
		var wg sync.WaitGroup
		for i := range askers {
			wg.Go(func() { r.ask(t, durations*duration, 50*time.Millisecond, rand.New(rand.NewPCG(seed, uint64(i)))) })
		}
		wg.Wait()
		synctest.Wait()
		loads := r.loads.Load()
		if waits := r.waits.Load(); waits != 1 {
			t.Errorf("%d calls waited for the loader; want the first alone", waits)
		}
		if loads < durations || float64(loads) > 1.2*durations {
			t.Errorf("%d loads in %d durations; want one in each, and a fifth more at most", loads, durations)
		}
		if s := r.c.Stats(); s.EarlyRefreshes != uint64(loads-1) || s.Loads != uint64(loads) {
			t.Errorf("Stats = %+v; want %d loads, all but the first early", s, loads)
		}
	})
}

// nearlyOver lets a value be loaded and brings it close to its expiry, so that
// the next hit refreshes it.
func (r *refreshed) nearlyOver(t *testing.T, duration time.Duration) {
	tx := storetest.BeginReadOnly(t, r.store, "db")
	if _, err := r.load(t.Context(), tx); err != nil {
		t.Error(err)
	}
	storetest.Commit(t, tx)
	time.Sleep(duration - time.Nanosecond)
}

// P4: a refresh reads its own snapshot, after its own begin, so it goes to the
// generation of that; a value that was cleared is not refreshed.
func TestEarlyRefreshBelongsToItsGeneration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := storetest.Setups[0].One(t)
		r := newRefreshed(t, store, storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{Duration: time.Minute}))
		r.nearlyOver(t, time.Minute)
		storetest.Hit(t, storetest.BeginReadOnly(t, store, "db"), r.c, "x", 1, "it begins to be refreshed")
		synctest.Wait() // the loader is busy
		writer := storetest.Begin(t, store, "db")
		storetest.Clear(t, writer, r.c)
		storetest.Commit(t, writer)
		time.Sleep(time.Second)
		storetest.Miss(t, storetest.BeginReadOnly(t, store, "db"), r.c, "x", "what the refresh has read is older than the clear")
		if r.loads.Load() != 2 {
			t.Errorf("%d loads; want the refresh to have run", r.loads.Load())
		}
	})
}

func TestWhoRefreshesNothing(t *testing.T) {
	for name, test := range map[string]func(t *testing.T, r *refreshed){
		"a read-write transaction": func(t *testing.T, r *refreshed) {
			storetest.Hit(t, storetest.Begin(t, r.store, "db"), r.c, "x", 1, "it is there")
		},
		"a value that is young": func(t *testing.T, r *refreshed) {
			storetest.Publish(t, r.store, "db", r.c, "x", 1)
			storetest.Hit(t, storetest.BeginReadOnly(t, r.store, "db"), r.c, "x", 1, "it is there")
		},
		"a store that is closed": func(t *testing.T, r *refreshed) {
			tx := storetest.BeginReadOnly(t, r.store, "db")
			r.store.Close()
			storetest.Hit(t, tx, r.c, "x", 1, "it is there")
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := storetest.Setups[0].One(t)
				r := newRefreshed(t, store, storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{Duration: time.Minute}))
				r.nearlyOver(t, time.Minute)
				test(t, r)
				time.Sleep(time.Second)
				if r.loads.Load() != 1 {
					t.Errorf("%d loads; want the first alone", r.loads.Load())
				}
			})
		})
	}
}

// A refresh that fails, panics or finds nothing is no harm; Close ends one that
// is busy.
func TestEarlyRefreshesThatFail(t *testing.T) {
	for name, test := range map[string]struct {
		load func(context.Context, *txcache.Tx, string) (int, error)
		want txcache.Stats
	}{
		"error":  {func(context.Context, *txcache.Tx, string) (int, error) { return 0, errors.New("no connection") }, txcache.Stats{LoadErrors: 1}},
		"panic":  {func(context.Context, *txcache.Tx, string) (int, error) { panic("loader") }, txcache.Stats{LoadErrors: 1}},
		"absent": {func(context.Context, *txcache.Tx, string) (int, error) { return 0, errNoRow }, txcache.Stats{EarlyRefreshes: 1}},
		"busy": {func(ctx context.Context, _ *txcache.Tx, _ string) (int, error) {
			<-ctx.Done()
			return 0, ctx.Err()
		}, txcache.Stats{LoadErrors: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := storetest.Setups[0].One(t)
				r := newRefreshed(t, store, storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{Duration: time.Minute}))
				r.nearlyOver(t, time.Minute)
				r.c.RefreshEarly(test.load)
				tx := storetest.BeginReadOnly(t, store, "db")
				storetest.Hit(t, tx, r.c, "x", 1, "it begins to be refreshed")
				synctest.Wait()
				if name == "absent" {
					asksNobody(t, tx, r.c, "the refresh has found nothing")
				} else if name != "busy" {
					storetest.Hit(t, tx, r.c, "x", 1, "it has not expired")
				}
				if err := store.Close(); err != nil {
					t.Error(err)
				}
				if s := r.c.Stats(); s.LoadErrors < test.want.LoadErrors || s.EarlyRefreshes != test.want.EarlyRefreshes {
					t.Errorf("Stats = %+v; want %+v", s, test.want)
				}
			})
		})
	}
}

// What another server has refreshed is taken from the backend.
func TestServersShareEarlyRefreshes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := storetest.Stores(t, 2, txcache.Options{}, storetest.NewValues())
		opts := txcache.CacheOptions{Duration: time.Minute}
		r := newRefreshed(t, all[0], storetest.NewCache[string, int](t, all[0], "c", opts))
		other := newRefreshed(t, all[1], storetest.NewCache[string, int](t, all[1], "c", opts))
		tx := storetest.BeginReadOnly(t, all[0], "db")
		if _, err := r.load(t.Context(), tx); err != nil {
			t.Error(err)
		}
		start := time.Now()
		storetest.Commit(t, tx)
		storetest.Hit(t, storetest.BeginReadOnly(t, all[1], "db"), other.c, "x", 1, "it is shared")
		other.c.Load(t.Context(), storetest.BeginReadOnly(t, all[1], "db"), "y", func(context.Context) (int, error) { return other.slow() })
		time.Sleep(59 * time.Second)
		for range 900 { // it is refreshed for sure
			storetest.Hit(t, storetest.BeginReadOnly(t, all[0], "db"), r.c, "x", 1, "it has not expired")
			time.Sleep(time.Millisecond)
			synctest.Wait() // a loader that ends in the same moment has kept its value
			if r.loads.Load() == 2 {
				break
			}
		}
		time.Sleep(time.Until(start.Add(time.Minute - time.Nanosecond)))
		storetest.Hit(t, storetest.BeginReadOnly(t, all[1], "db"), other.c, "x", 1, "it is asked for anew, before it expires")
		synctest.Wait()
		storetest.Hit(t, storetest.BeginReadOnly(t, all[1], "db"), other.c, "x", 2, "the other server has loaded it")
		if s := other.c.Stats(); s.EarlyRefreshes != 0 || s.RemoteHits != 1 {
			t.Errorf("Stats = %+v; want no refresh, and one remote hit: nobody has asked for more", s)
		}
		time.Sleep(time.Second) // in which a loader would have ended
		if other.loads.Load() != 1 {
			t.Errorf("%d loads; want that of y alone", other.loads.Load())
		}
	})
}
