package loads_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// Where a load brings nothing that other processes could use, they load for
// themselves side by side, as soon as the first is done.
func TestWhatNoOtherProcessCanUse(t *testing.T) {
	const takes = 200 * time.Millisecond
	failure := errors.New("refused")
	for name, test := range map[string]struct {
		opts txcache.CacheOptions
		load func() (any, error)
		want error
	}{
		"failure":           {txcache.CacheOptions{}, func() (any, error) { return nil, failure }, failure},
		"failure and stale": {txcache.CacheOptions{Duration: time.Minute, StaleFor: time.Hour}, func() (any, error) { return nil, failure }, nil},
		"not encodable":     {txcache.CacheOptions{}, func() (any, error) { return func() {}, nil }, nil},
		"absent":            {txcache.CacheOptions{Absent: -1}, func() (any, error) { return nil, txcache.ErrAbsent }, txcache.ErrAbsent},
		"absent and stale":  {txcache.CacheOptions{Duration: time.Minute, StaleFor: time.Hour, Absent: -1}, func() (any, error) { return nil, txcache.ErrAbsent }, txcache.ErrAbsent},
		"over at once":      {txcache.CacheOptions{Duration: time.Nanosecond}, func() (any, error) { return 1, nil }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				all := storetest.Stores(t, 6, txcache.Options{Logger: storetest.Silent}, storetest.NewValues())
				test.opts.Lease = time.Minute
				caches := make([]*txcache.Cache[string, any], len(all))
				for i, s := range all {
					caches[i] = storetest.NewCache[string, any](t, s, "c", test.opts)
				}
				if test.opts.StaleFor > 0 {
					storetest.Publish(t, all[0], "db", caches[0], "x", any("old"))
					time.Sleep(2 * time.Minute)
				}
				start := time.Now()
				var wg sync.WaitGroup
				for i, s := range all {
					wg.Go(func() {
						_, err := caches[i].Load(t.Context(), storetest.BeginReadOnly(t, s, "db"), "x", func(context.Context) (any, error) { time.Sleep(takes); return test.load() })
						if err != test.want {
							t.Errorf("Load = %v; want %v", err, test.want)
						}
					})
				}
				wg.Wait()
				if took := time.Since(start); took > 2*takes+100*time.Millisecond {
					t.Errorf("six processes took %v; want the time of two loads", took)
				}
				if name == "failure and stale" { // it is there still, for one more
					tx := storetest.BeginReadOnly(t, all[1], "db")
					if v, err := caches[1].Load(t.Context(), tx, "x", func(context.Context) (any, error) { return nil, failure }); v != "old" || err != nil {
						t.Errorf("Load = %v, %v; want the expired value", v, err)
					}
				}
			})
		})
	}
}

// The word that each loads for itself is short: loads share leases again soon.
func TestAfterAFailureLeasesAreSharedAgain(t *testing.T) {
	leaseTest(t, func(t *testing.T, f *fleet, _ *storetest.Values) {
		tx := storetest.BeginReadOnly(t, f.stores[0], "db")
		if _, err := f.caches[0].Load(t.Context(), tx, "x", storetest.Constant(0, errors.New("refused"))); err == nil {
			t.Error("Load = nil; want the failure")
		}
		time.Sleep(leased.Lease)
		var wg sync.WaitGroup
		for server := range f.stores {
			wg.Go(func() { f.load(t, server, 100*time.Millisecond) })
		}
		wg.Wait()
		if n := f.loads.Load(); n != 1 {
			t.Errorf("%d loads; want one", n)
		}
	})
}

// A batch of which a part can be shared shares it.
func TestAPartOfABatchThatCanBeShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := storetest.Stores(t, 2, txcache.Options{Logger: storetest.Silent}, storetest.NewValues())
		var loads atomic.Int32
		start := time.Now()
		var wg sync.WaitGroup
		for _, s := range all {
			c := storetest.NewCache[string, any](t, s, "c", txcache.CacheOptions{Lease: time.Minute})
			wg.Go(func() {
				got, err := c.LoadMany(t.Context(), storetest.BeginReadOnly(t, s, "db"), []string{"good", "bad"}, func(_ context.Context, keys []string) (map[string]any, error) {
					time.Sleep(time.Second)
					loads.Add(int32(len(keys)))
					rows := map[string]any{}
					for _, key := range keys {
						if rows[key] = any(1); key == "bad" {
							rows[key] = func() {}
						}
					}
					return rows, nil
				})
				if len(got) != 2 || err != nil {
					t.Errorf("LoadMany = %v, %v", got, err)
				}
			})
		}
		wg.Wait()
		if took, n := time.Since(start), loads.Load(); n != 3 || took > 2100*time.Millisecond {
			t.Errorf("%d keys were loaded in %v; want 3 in the time of two loads", n, took)
		}
	})
}

// A caller that goes away while it asks for a lease, and does not hear that it was
// granted, keeps nobody waiting.
func TestALeaseThatWasGrantedToNobodyIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := storetest.NewValues()
		ctx, leave := context.WithCancel(t.Context())
		gone := newFleet(t, []*txcache.Store{storetest.NewStore(t, leavingValues{storetest.OpenValues{Values: v}, leave}, txcache.Options{Logger: storetest.Silent})}, leased)
		if _, err := gone.caches[0].Load(ctx, storetest.BeginReadOnly(t, gone.stores[0], "db"), "x", func(ctx context.Context) (int, error) { return 0, ctx.Err() }); err == nil {
			t.Error("Load = nil; want the context's error")
		}
		synctest.Wait()
		f := newFleet(t, storetest.Stores(t, 1, txcache.Options{}, v), leased)
		f.took(t, 0, 1, 100*time.Millisecond)
	})
}

// leavingValues grant a lease as its caller leaves.
type leavingValues struct {
	storetest.OpenValues
	leave func()
}

func (l leavingValues) Swap(ctx context.Context, swaps []backend.Swap) ([][]byte, error) {
	found, err := l.OpenValues.Swap(ctx, swaps)
	if swaps[0].Old == nil {
		l.leave()
		return nil, context.Canceled
	}
	return found, err
}
