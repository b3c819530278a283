package loads_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// A world is keys whose loaders load other keys.
type world struct {
	t      *testing.T
	needs  map[string][]string
	stores []*txcache.Store
	caches [][2]*txcache.Cache[string, string] // of each store; a key is in one of them

	mu    sync.Mutex
	loads map[string]int
	rand  *rand.Rand
}

func newWorld(t *testing.T, stores []*txcache.Store, lease time.Duration, needs map[string][]string) *world {
	w := &world{t: t, needs: needs, stores: stores, loads: map[string]int{}, rand: rand.New(rand.NewPCG(1, 2))}
	for _, s := range stores {
		opts := txcache.CacheOptions{Lease: lease, Size: 1000}
		w.caches = append(w.caches, [2]*txcache.Cache[string, string]{
			storetest.NewCache[string, string](t, s, "a", opts), storetest.NewCache[string, string](t, s, "b", opts),
		})
	}
	return w
}

// draw returns a random number below n.
func (w *world) draw(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rand.IntN(n)
}

// load loads key on a server. path are the keys in whose loaders it is; a key that
// is among them is not loaded again by its own loader.
func (w *world) load(ctx context.Context, server int, tx *txcache.Tx, key string, path []string) error {
	cache := w.caches[server][key[0]%2]
	loader := func(ctx context.Context) (string, error) { return key, w.within(ctx, server, tx, key, path) }
	var got string
	var err error
	if w.draw(3) > 0 {
		got, err = cache.Load(ctx, tx, key, loader)
	} else {
		var many map[string]string
		many, err = cache.LoadMany(ctx, tx, []string{key}, func(ctx context.Context, _ []string) (map[string]string, error) {
			v, err := loader(ctx)
			return map[string]string{key: v}, err
		})
		got = many[key]
	}
	if err == nil && got != key {
		err = fmt.Errorf("the value of %s is %q", key, got)
	}
	return err
}

// within is what the loader of key does.
func (w *world) within(ctx context.Context, server int, tx *txcache.Tx, key string, path []string) error {
	w.mu.Lock()
	w.loads[key]++
	w.mu.Unlock()
	time.Sleep(time.Duration(1+w.draw(20)) * time.Millisecond)
	if slices.Contains(path, key) {
		return nil
	}
	path = append(slices.Clone(path), key)
	var wg sync.WaitGroup
	var failure atomic.Pointer[error]
	for _, need := range w.needs[key] {
		load := func(ctx context.Context, tx *txcache.Tx) {
			if err := w.load(ctx, server, tx, need, path); err != nil {
				failure.Store(&err)
			}
		}
		switch w.draw(4) {
		case 0: // a transaction of its own, in a goroutine
			wg.Go(func() {
				other, err := w.stores[server].BeginReadOnly(ctx, "db")
				if err != nil {
					failure.Store(&err)
					return
				}
				defer other.Rollback()
				load(ctx, other)
			})
		case 1: // with another context than the loader's
			load(context.WithoutCancel(w.t.Context()), tx)
		default:
			load(ctx, tx)
		}
	}
	wg.Wait()
	if err := failure.Load(); err != nil {
		return *err
	}
	return nil
}

// all loads all keys on all servers at about the same time, and returns how long
// that took.
func (w *world) all() time.Duration {
	start := time.Now()
	var wg sync.WaitGroup
	for server, s := range w.stores {
		for key := range w.needs {
			after := time.Duration(w.draw(30)) * time.Millisecond
			wg.Go(func() {
				time.Sleep(after)
				tx := storetest.BeginReadOnly(w.t, s, "db")
				if err := w.load(w.t.Context(), server, tx, key, nil); err != nil {
					w.t.Errorf("Load(%s): %v", key, err)
				}
			})
		}
	}
	wg.Wait()
	return time.Since(start)
}

// Whatever needs what: all loads come to an end, and where nothing goes in circles
// no key is loaded twice.
func TestLoadsThatNeedEachOther(t *testing.T) {
	runs := 150
	if testing.Short() {
		runs = 40
	}
	for run := range runs {
		seed := rand.Uint64()
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := rand.New(rand.NewPCG(seed, 0))
				cyclic, servers, lease := run%2 == 0, 1+r.IntN(3), []time.Duration{-1, time.Hour}[r.IntN(2)]
				keys := 3 + r.IntN(5)
				needs := map[string][]string{}
				for i := range keys {
					key := fmt.Sprintf("%c", 'a'+i)
					needs[key] = nil
					for j := range keys {
						if (cyclic || j < i) && r.IntN(keys) < 2 {
							needs[key] = append(needs[key], fmt.Sprintf("%c", 'a'+j))
						}
					}
				}
				w := newWorld(t, storetest.Stores(t, servers, txcache.Options{Logger: storetest.Silent}, storetest.NewValues()), lease, needs)
				w.rand = rand.New(rand.NewPCG(seed, 1))
				took := w.all()
				if took > time.Minute {
					t.Errorf("it took %v: loads waited for each other\n%v", took, needs)
				}
				most := servers
				if lease > 0 {
					most = 1
				}
				for key, n := range w.loads {
					if !cyclic && n > most {
						t.Errorf("%s was loaded %d times by %d servers with lease %v; want %d\n%v", key, n, servers, lease, most, needs)
					}
				}
			})
		})
	}
}

// Three loaders, each of which needs what the next one loads, in one process and
// over several. Each batch has a key more than it needs, so that nothing goes in a
// circle but the batches.
func TestLoadsInACircleDoNotLockUp(t *testing.T) {
	const lease = 20 * time.Second
	for _, servers := range []int{1, 2, 3} {
		storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
			if servers > 1 && !s.Remote {
				return // these share no values
			}
			var caches []*txcache.Cache[string, int]
			all := s.Open(t, servers, txcache.Options{Logger: storetest.Silent})
			for _, store := range all {
				caches = append(caches, storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{Lease: lease}))
			}
			start := time.Now()
			var inside, wg sync.WaitGroup
			inside.Add(3)
			for i := range 3 {
				wg.Go(func() {
					server := i % servers
					tx := storetest.BeginReadOnly(t, all[server], "db")
					batch := []string{fmt.Sprint("needs", i), fmt.Sprint("plain", i)}
					got, err := caches[server].LoadMany(t.Context(), tx, batch, func(ctx context.Context, keys []string) (map[string]int, error) {
						inside.Done()
						inside.Wait()
						v, err := caches[server].Load(ctx, tx, fmt.Sprint("plain", (i+1)%3), storetest.Constant(1, nil))
						return map[string]int{batch[0]: v + 1, batch[1]: 1}, err
					})
					if err != nil || got[batch[0]] != 2 || got[batch[1]] != 1 {
						t.Errorf("LoadMany(%q) = %v, %v", batch, got, err)
					}
				})
			}
			wg.Wait()
			if took := time.Since(start); took > lease/2 {
				t.Errorf("it took %v with %d servers: they waited for each other", took, servers)
			}
		})
	}
}

// A load may wait for a lease whose owner waits for another, as long as that is not
// its own: what goes in no circle is loaded once by all servers.
func TestLeasesWaitInARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := storetest.Stores(t, 3, txcache.Options{Logger: storetest.Silent}, storetest.NewValues())
		var loads atomic.Int32
		var wg sync.WaitGroup
		for i, store := range all {
			c := storetest.NewCache[int, int](t, store, "c", txcache.CacheOptions{Lease: time.Hour})
			wg.Go(func() {
				time.Sleep(time.Duration(i) * time.Second)
				tx := storetest.BeginReadOnly(t, store, "db")
				var load func(ctx context.Context, key int) (int, error)
				load = func(ctx context.Context, key int) (int, error) {
					return c.Load(ctx, tx, key, func(ctx context.Context) (int, error) {
						loads.Add(1)
						time.Sleep(time.Minute)
						if key == 0 {
							return 0, nil
						}
						v, err := load(ctx, key-1)
						return v + 1, err
					})
				}
				// The first loads 0, the second 1, which waits for it, the third 2.
				if v, err := load(t.Context(), i); v != i || err != nil {
					t.Errorf("Load(%d) = %d, %v", i, v, err)
				}
			})
		}
		wg.Wait()
		if n := loads.Load(); n != 3 {
			t.Errorf("%d loads of three keys; want 3", n)
		}
	})
}

// A mark has room for some owners; where there are more the load does not wait.
func TestManyLeasesInACircle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const servers = 15
		all := storetest.Stores(t, servers, txcache.Options{Logger: storetest.Silent}, storetest.NewValues())
		start := time.Now()
		var inside, wg sync.WaitGroup
		inside.Add(servers)
		for i, store := range all {
			c := storetest.NewCache[int, int](t, store, "c", txcache.CacheOptions{Lease: time.Hour})
			wg.Go(func() {
				tx := storetest.BeginReadOnly(t, store, "db")
				_, err := c.Load(t.Context(), tx, i, func(ctx context.Context) (int, error) {
					inside.Done()
					inside.Wait()
					return c.Load(ctx, tx, (i+1)%servers, storetest.Constant(1, nil))
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if took := time.Since(start); took > time.Minute {
			t.Errorf("it took %v", took)
		}
	})
}
