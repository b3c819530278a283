package loads_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

type side bool

func (s side) Begun() bool { return bool(s) }

// A caller that holds a connection, or may, loads for itself: the loader in the background needs one too.
func TestCallersThatLeaveNoLoadToTheBackground(t *testing.T) {
	for name, load := range map[string]func(t *testing.T, o *outliving) (int, error){
		"a read-write transaction": func(t *testing.T, o *outliving) (int, error) {
			return o.load(t.Context(), storetest.Begin(t, o.stores[0], "db"), 0, "x")
		},
		"one that has begun in the database": func(t *testing.T, o *outliving) (int, error) {
			tx := storetest.BeginReadOnly(t, o.stores[0], "db")
			tx.SetSide(side(true))
			return o.load(t.Context(), tx, 0, "x")
		},
		"a savepoint": func(t *testing.T, o *outliving) (v int, err error) {
			storetest.BeginReadOnly(t, o.stores[0], "db").Savepoint(func(tx *txcache.Tx) error {
				v, err = o.load(t.Context(), tx, 0, "x")
				return err
			})
			return v, err
		},
		"a loader": func(t *testing.T, o *outliving) (int, error) {
			other := storetest.NewCache[string, int](t, o.stores[0], "other", txcache.CacheOptions{})
			return other.Load(t.Context(), storetest.BeginReadOnly(t, o.stores[0], "db"), "y", func(ctx context.Context) (int, error) {
				return o.load(ctx, storetest.BeginReadOnly(t, o.stores[0], "db"), 0, "x")
			})
		},
		"a loader that keeps its context": func(t *testing.T, o *outliving) (int, error) {
			other := storetest.NewCache[string, int](t, o.stores[0], "other", txcache.CacheOptions{})
			tx := storetest.BeginReadOnly(t, o.stores[0], "db")
			return other.Load(t.Context(), tx, "y", func(context.Context) (int, error) { return o.load(t.Context(), tx, 0, "x") })
		},
	} {
		t.Run(name, func(t *testing.T) {
			outlives(t, txcache.CacheOptions{}, slow, func(t *testing.T, o *outliving) {
				start := time.Now()
				alone := func() { // it waits for no load in the background either
					if v, err := load(t, o); v != 2 || err != nil {
						t.Errorf("Load = %d, %v; want what its own loader returns", v, err)
					}
				}
				alone()
				o.calls(t, 0, 1)
				if took := time.Since(start); took != time.Second {
					t.Errorf("it took %v", took)
				}
			})
			outlives(t, txcache.CacheOptions{}, slow, func(t *testing.T, o *outliving) {
				var wg sync.WaitGroup
				wg.Go(func() { o.got(t, "x", 1, loadTime) })
				time.Sleep(time.Millisecond)
				start := time.Now()
				if v, err := load(t, o); v != 2 || err != nil || time.Since(start) != time.Second {
					t.Errorf("Load = %d, %v after %v; want what its own loader returns, after a second", v, err, time.Since(start))
				}
				wg.Wait()
				o.calls(t, 1, 1)
			})
		})
	}
	t.Run("one that has not begun in the database does", func(t *testing.T) {
		outlives(t, txcache.CacheOptions{}, slow, func(t *testing.T, o *outliving) {
			tx := storetest.BeginReadOnly(t, o.stores[0], "db")
			tx.SetSide(side(false))
			if v, err := o.load(t.Context(), tx, 0, "x"); v != 1 || err != nil {
				t.Errorf("Load = %d, %v", v, err)
			}
			o.calls(t, 1, 0)
		})
	})
	t.Run("a cache without a loader for it", func(t *testing.T) {
		inBubbles(t, txcache.CacheOptions{LoadLimit: loadLimit}, func(t *testing.T, _ storetest.Setup, f *fleet) {
			(&outliving{fleet: f}).got(t, "x", 2, time.Second)
		})
	})
}

// LoadMany of several keys calls its own loader, also for a key that alone is missing.
func TestLoadManyLeavesNoLoadToTheBackground(t *testing.T) {
	outlives(t, txcache.CacheOptions{}, slow, func(t *testing.T, o *outliving) {
		storetest.Publish(t, o.stores[0], "db", o.caches[0], "y", 7)
		got, err := o.caches[0].LoadMany(t.Context(), storetest.BeginReadOnly(t, o.stores[0], "db"), []string{"y", "x"}, func(_ context.Context, missing []string) (map[string]int, error) {
			o.own.Add(1)
			return map[string]int{"x": 2}, nil
		})
		if got["x"] != 2 || got["y"] != 7 || err != nil {
			t.Errorf("LoadMany = %v, %v; want what its own loader returns under x, and 7 under y", got, err)
		}
		o.calls(t, 0, 1)
	})
}
