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
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// A fleet is servers that share a cache whose loads take leases.
type fleet struct {
	stores []*txcache.Store
	caches []*txcache.Cache[string, int]
	loads  atomic.Int32
}

func newFleet(t *testing.T, stores []*txcache.Store, opts txcache.CacheOptions) *fleet {
	f := &fleet{stores: stores}
	for _, s := range stores {
		f.caches = append(f.caches, storetest.NewCache[string, int](t, s, "c", opts))
	}
	return f
}

// load loads x on one server, with a loader that takes a while and then answers
// how often one was called.
func (f *fleet) load(t *testing.T, server int, takes time.Duration) (int, error) {
	tx := storetest.BeginReadOnly(t, f.stores[server], "db")
	v, err := f.caches[server].Load(t.Context(), tx, "x", func(ctx context.Context) (int, error) {
		n := int(f.loads.Add(1))
		select {
		case <-time.After(takes):
			return n, nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	})
	tx.Rollback() // what was loaded under a lease is there all the same
	return v, err
}

var leased = txcache.CacheOptions{Lease: time.Second}

func TestOneServerLoadsForAll(t *testing.T) {
	for _, lease := range []bool{true, false} {
		t.Run(fmt.Sprintf("lease=%v", lease), func(t *testing.T) {
			storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
				if !s.Remote {
					return // these have no values to share
				}
				opts := leased
				if !lease {
					opts.Lease = -1
				}
				f := newFleet(t, s.Open(t, 3, txcache.Options{Lease: time.Second}), opts)
				var wg sync.WaitGroup
				for server := range f.stores {
					for range 20 {
						wg.Go(func() {
							if v, err := f.load(t, server, 50*time.Millisecond); v == 0 || err != nil || lease && v != 1 {
								t.Errorf("Load = %d, %v; want the value of the first loader", v, err)
							}
						})
					}
				}
				wg.Wait()
				if n := int(f.loads.Load()); n > len(f.stores) || lease && n != 1 {
					t.Errorf("the loader ran %d times; want once in each process at most, and with a lease once in all", n)
				}
				var leased, waited uint64
				for _, c := range f.caches {
					leased, waited = leased+c.Stats().Leased, waited+c.Stats().Waited
				}
				if lease && (leased != 1 || waited != 2) || !lease && leased+waited != 0 {
					t.Errorf("%d leased, %d waited", leased, waited)
				}
			})
		})
	}
}

// Time moves by itself in these: stores over one backend within the process.
func leaseTest(t *testing.T, test func(t *testing.T, f *fleet, v *storetest.Values)) {
	synctest.Test(t, func(t *testing.T) {
		v := storetest.NewValues()
		test(t, newFleet(t, storetest.Stores(t, 2, txcache.Options{Logger: storetest.Silent}, v), leased), v)
	})
}

// took fails the test unless load returns that value after that time, give or
// take a look at what others have done.
func (f *fleet) took(t *testing.T, server, want int, after time.Duration) {
	t.Helper()
	start := time.Now()
	v, err := f.load(t, server, 100*time.Millisecond)
	if late := time.Since(start) - after; v != want || err != nil || late < 0 || late > 20*time.Millisecond {
		t.Errorf("Load = %d, %v after %v; want %d after %v", v, err, time.Since(start), want, after)
	}
}

func TestALoadThatOutlivesItsLease(t *testing.T) {
	leaseTest(t, func(t *testing.T, f *fleet, v *storetest.Values) {
		var wg sync.WaitGroup
		wg.Go(func() { f.load(t, 0, time.Hour) })
		synctest.Wait()
		f.took(t, 1, 2, leased.Lease+100*time.Millisecond)
		wg.Wait()
		if v, ok := f.caches[0].Get(t.Context(), storetest.BeginReadOnly(t, f.stores[0], "db"), "x"); v != 1 || !ok {
			t.Errorf("the late one has %d, %v; want what it has loaded", v, ok)
		}
	})
}

// A process that was killed while it held a lease leaves its mark behind.
func TestALeaseEndsByItself(t *testing.T) {
	leaseTest(t, func(t *testing.T, f *fleet, v *storetest.Values) {
		ctx, kill := context.WithCancel(t.Context())
		deaf := newFleet(t, []*txcache.Store{storetest.NewStore(t, deafValues{storetest.OpenValues{Values: v}}, txcache.Options{Logger: storetest.Silent})}, leased)
		tx := storetest.BeginReadOnly(t, deaf.stores[0], "db")
		var wg sync.WaitGroup
		wg.Go(func() {
			deaf.caches[0].Load(ctx, tx, "x", func(ctx context.Context) (int, error) { <-ctx.Done(); return 0, ctx.Err() })
		})
		synctest.Wait()
		time.Sleep(300 * time.Millisecond)
		kill()
		wg.Wait()
		f.took(t, 1, 1, 700*time.Millisecond+100*time.Millisecond)
	})
}

// deafValues take a lease and never hear that it is given back.
type deafValues struct{ storetest.OpenValues }

func (d deafValues) Swap(ctx context.Context, swaps []backend.Swap) ([][]byte, error) {
	if swaps[0].Old != nil {
		return nil, errors.New("killed")
	}
	return d.OpenValues.Swap(ctx, swaps)
}

// Others may let a load take longer than this server waits for them.
func TestNobodyWaitsForALeaseLongerThanItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := storetest.NewValues()
		patient := newFleet(t, storetest.Stores(t, 1, txcache.Options{}, v), txcache.CacheOptions{Lease: time.Hour})
		f := newFleet(t, storetest.Stores(t, 1, txcache.Options{}, v), leased)
		var wg sync.WaitGroup
		wg.Go(func() { patient.load(t, 0, time.Minute) })
		synctest.Wait()
		f.took(t, 0, 1, leased.Lease+100*time.Millisecond)
		wg.Wait()
	})
}

func TestWhoWaitsForALeaseWaitsNoLongerThanItsContext(t *testing.T) {
	leaseTest(t, func(t *testing.T, f *fleet, v *storetest.Values) {
		var wg sync.WaitGroup
		wg.Go(func() { f.load(t, 0, 900*time.Millisecond) })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := f.caches[1].Load(ctx, storetest.BeginReadOnly(t, f.stores[1], "db"), "x", storetest.Constant(0, nil))
		if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took != 300*time.Millisecond {
			t.Errorf("Load = %v after %v; want the context's error after 300ms", err, took)
		}
		wg.Wait()
	})
}

// twiceValues are asked for everything twice, as by a client that repeats what
// was not answered in time.
type twiceValues struct{ storetest.OpenValues }

func (v twiceValues) Swap(ctx context.Context, swaps []backend.Swap) ([][]byte, error) {
	if _, err := v.OpenValues.Swap(ctx, swaps); err != nil {
		return nil, err
	}
	return v.OpenValues.Swap(ctx, swaps)
}

func TestALeaseThatWasAskedForTwiceIsGranted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, []*txcache.Store{storetest.NewStore(t, twiceValues{storetest.OpenValues{Values: storetest.NewValues()}}, txcache.Options{})}, leased)
		f.took(t, 0, 1, 100*time.Millisecond)
	})
}

// Who cannot load gives the lease back: others do not wait for nothing.
func TestALeaseIsGivenBack(t *testing.T) {
	for name, load := range map[string]func(context.Context) (int, error){
		"failure": func(context.Context) (int, error) {
			time.Sleep(100 * time.Millisecond)
			return 0, errors.New("failure")
		},
		"cancelled": func(ctx context.Context) (int, error) { <-ctx.Done(); return 0, ctx.Err() },
		"panic":     func(context.Context) (int, error) { time.Sleep(100 * time.Millisecond); panic("loader") },
	} {
		t.Run(name, func(t *testing.T) {
			leaseTest(t, func(t *testing.T, f *fleet, v *storetest.Values) {
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
				defer cancel()
				var wg sync.WaitGroup
				wg.Go(func() {
					defer func() { recover() }()
					if _, err := f.caches[0].Load(ctx, storetest.BeginReadOnly(t, f.stores[0], "db"), "x", load); err == nil {
						t.Error("Load = nil; want an error")
					}
				})
				synctest.Wait()
				f.took(t, 1, 1, 200*time.Millisecond)
				wg.Wait()
			})
		})
	}
}

// Absence is shared as a value is.
func TestALeaseForWhatIsAbsent(t *testing.T) {
	leaseTest(t, func(t *testing.T, f *fleet, v *storetest.Values) {
		var wg sync.WaitGroup
		wg.Go(func() {
			tx := storetest.BeginReadOnly(t, f.stores[0], "db")
			if _, err := f.caches[0].Load(t.Context(), tx, "x", func(context.Context) (int, error) { time.Sleep(100 * time.Millisecond); return 0, errNoRow }); err != txcache.ErrAbsent {
				t.Errorf("Load = %v; want ErrAbsent", err)
			}
		})
		synctest.Wait()
		if _, err := f.load(t, 1, 0); err != txcache.ErrAbsent || f.loads.Load() != 0 {
			t.Errorf("Load = %v after %d loads; want ErrAbsent and none", err, f.loads.Load())
		}
		wg.Wait()
	})
}

// P8: without the backend nobody waits.
func TestNobodyWaitsForALeaseDuringAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := storetest.NewValues()
		var down atomic.Bool
		all := make([]*txcache.Store, 2)
		for i := range all {
			all[i] = storetest.NewStore(t, lostValues{storetest.OpenValues{Values: v}, &down}, txcache.Options{Logger: storetest.Silent})
		}
		f := newFleet(t, all, leased)
		var wg sync.WaitGroup
		wg.Go(func() { f.load(t, 0, 500*time.Millisecond) })
		synctest.Wait()
		wg.Go(func() {
			time.Sleep(50 * time.Millisecond)
			down.Store(true)
		})
		f.took(t, 1, 2, 150*time.Millisecond) // it was waiting when the backend went away
		wg.Wait()
	})
}

// lostValues fail while down is set.
type lostValues struct {
	storetest.OpenValues
	down *atomic.Bool
}

func (l lostValues) Swap(ctx context.Context, swaps []backend.Swap) ([][]byte, error) {
	if l.down.Load() {
		return nil, errors.New("away")
	}
	return l.OpenValues.Swap(ctx, swaps)
}

// P4: the lease of an older generation keeps nobody of a newer one waiting, and
// its value answers none of them.
func TestALeaseBelongsToAGeneration(t *testing.T) {
	leaseTest(t, func(t *testing.T, f *fleet, v *storetest.Values) {
		var wg sync.WaitGroup
		wg.Go(func() { f.load(t, 0, 900*time.Millisecond) })
		synctest.Wait()
		writer := storetest.Begin(t, f.stores[1], "db")
		storetest.Clear(t, writer, f.caches[1])
		storetest.Commit(t, writer)
		f.took(t, 1, 2, 100*time.Millisecond)
		wg.Wait()
		storetest.Hit(t, storetest.BeginReadOnly(t, f.stores[0], "db"), f.caches[0], "x", 2, "the older value went to the older generation")
	})
}

// Each of several servers loads a part of what all of them want, calls its
// loader once for it, and waits for the rest.
func TestBatchesShareLeases(t *testing.T) {
	leaseTest(t, func(t *testing.T, f *fleet, v *storetest.Values) {
		rows := &table{rows: map[string]int{"a": 1, "b": 2, "c": 3, "d": 4}, wait: 100 * time.Millisecond}
		var wg sync.WaitGroup
		for server, keys := range [][]string{{"a", "b", "c"}, {"c", "d", "b"}} {
			wg.Go(func() {
				if got := loadMany(t, storetest.BeginReadOnly(t, f.stores[server], "db"), f.caches[server], rows, keys...); len(got) != 3 {
					t.Errorf("LoadMany(%q) = %v; want all of them", keys, got)
				}
			})
			synctest.Wait()
		}
		wg.Wait()
		rows.was(t, []string{"a", "b", "c"}, []string{"d"})
	})
}

// A lease costs a round trip, and sends the value when it is loaded, not with the end of the transaction.
func TestWhatALeaseCosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		trips := map[time.Duration]uint64{}
		for _, lease := range []time.Duration{-1, time.Minute} {
			f := newFleet(t, storetest.Setups[3].Open(t, 2, txcache.Options{}), txcache.CacheOptions{Lease: lease})
			if _, err := f.caches[0].Load(t.Context(), storetest.BeginReadOnly(t, f.stores[0], "db"), "first", storetest.Constant(1, nil)); err != nil {
				t.Error(err) // the server has its script then
			}
			tx := storetest.BeginReadOnly(t, f.stores[0], "db")
			before := f.stores[0].Status().Backend.RoundTrips
			if _, err := f.caches[0].Load(t.Context(), tx, "x", storetest.Constant(1, nil)); err != nil {
				t.Error(err)
			}
			if _, ok := f.caches[1].Get(t.Context(), storetest.BeginReadOnly(t, f.stores[1], "db"), "x"); ok != (lease > 0) {
				t.Errorf("with a lease of %v: another process has the value before the transaction ends: %t", lease, ok)
			}
			storetest.Commit(t, tx)
			trips[lease] = f.stores[0].Status().Backend.RoundTrips - before
		}
		if trips[time.Minute] != trips[-1]+1 {
			t.Errorf("a load takes %d round trips, and %d with a lease; want one more", trips[-1], trips[time.Minute])
		}
	})
}

// What was sent under a lease is not sent again by the commit.
func TestALeasedValueIsSentOnce(t *testing.T) {
	leaseTest(t, func(t *testing.T, f *fleet, v *storetest.Values) {
		tx := storetest.BeginReadOnly(t, f.stores[0], "db")
		if _, err := f.caches[0].Load(t.Context(), tx, "x", storetest.Constant(1, nil)); err != nil {
			t.Error(err)
		}
		storetest.Commit(t, tx)
		if v.Sets != 1 || v.Given != 1 {
			t.Errorf("%d calls of Set with %d values; want one with one", v.Sets, v.Given)
		}
	})
}

// Nothing leaves a savepoint, and a read-write transaction shares nothing: they
// take no leases.
func TestWhoTakesNoLeases(t *testing.T) {
	leaseTest(t, func(t *testing.T, f *fleet, v *storetest.Values) {
		load := func(tx *txcache.Tx) error {
			_, err := f.caches[0].Load(t.Context(), tx, "x", storetest.Constant(1, nil))
			return err
		}
		if err := load(storetest.Begin(t, f.stores[0], "db")); err != nil {
			t.Error(err)
		}
		if err := storetest.BeginReadOnly(t, f.stores[0], "db").Savepoint(load); err != nil {
			t.Error(err)
		}
		if s := f.caches[0].Stats(); s.Leased != 0 || v.Sets != 0 {
			t.Errorf("%d leases taken, %d calls of Set; want none", s.Leased, v.Sets)
		}
	})
}

// What is of no use, because it has expired or cannot be read, does not stand in
// the way of a lease, and comes back for those who may want it when nothing
// better was loaded.
func TestALeaseTakesThePlaceOfWhatHasExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := storetest.NewValues()
		opts := txcache.CacheOptions{Lease: time.Second, Duration: time.Minute, StaleFor: time.Hour}
		f := newFleet(t, storetest.Stores(t, 2, txcache.Options{NoNear: true, Logger: storetest.Silent}, v), opts)
		storetest.Publish(t, f.stores[0], "db", f.caches[0], "x", 7)
		time.Sleep(2 * time.Minute)
		tx := storetest.BeginReadOnly(t, f.stores[0], "db")
		for range 2 {
			if got, err := f.caches[0].Load(t.Context(), tx, "x", storetest.Constant(0, errors.New("no connection"))); got != 7 || err != nil {
				t.Errorf("Load = %d, %v; want the expired value", got, err)
			}
		}
		f.took(t, 1, 1, 100*time.Millisecond)
		if s := f.caches[0].Stats(); s.Leased != 2 || s.ExpiredHits != 2 {
			t.Errorf("Stats = %+v; want 2 leases and 2 expired hits", s)
		}
	})
}
