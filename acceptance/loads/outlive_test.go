package loads_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

const (
	loadLimit = 10 * time.Second
	loadTime  = 5 * time.Second
)

// An outliving is a fleet whose caches have loaders that work without a caller.
type outliving struct {
	*fleet
	behind atomic.Int32 // calls of these
	own    atomic.Int32 // of those of callers
}

func newOutliving(f *fleet, load func(ctx context.Context, key string) (int, error)) *outliving {
	o := &outliving{fleet: f}
	for _, c := range f.caches {
		c.RefreshEarly(func(ctx context.Context, tx *txcache.Tx, key string) (int, error) {
			o.behind.Add(1)
			return load(ctx, key)
		})
	}
	return o
}

// slow answers 1 after a while.
func slow(ctx context.Context, _ string) (int, error) {
	select {
	case <-time.After(loadTime):
		return 1, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// load loads a key for a caller, whose own loader takes a second, and answers 2.
func (o *outliving) load(ctx context.Context, tx *txcache.Tx, server int, key string) (int, error) {
	return o.caches[server].Load(ctx, tx, key, func(context.Context) (int, error) {
		o.own.Add(1)
		time.Sleep(time.Second)
		return 2, nil
	})
}

// got fails the test unless a caller that begins now gets that value after that time.
func (o *outliving) got(t *testing.T, key string, want int, after time.Duration) {
	t.Helper()
	start := time.Now()
	v, err := o.load(t.Context(), storetest.BeginReadOnly(t, o.stores[0], "db"), 0, key)
	if took := time.Since(start); v != want || err != nil || took != after {
		t.Errorf("Load = %d, %v after %v; want %d after %v", v, err, took, want, after)
	}
}

func (o *outliving) calls(t *testing.T, behind, own int32) {
	t.Helper()
	if o.behind.Load() != behind || o.own.Load() != own {
		t.Errorf("%d loads in the background, %d by callers; want %d and %d", o.behind.Load(), o.own.Load(), behind, own)
	}
}

// outlives runs a test in each setup.
func outlives(t *testing.T, opts txcache.CacheOptions, load func(ctx context.Context, key string) (int, error), test func(t *testing.T, o *outliving)) {
	opts.LoadLimit = loadLimit
	inBubbles(t, opts, func(t *testing.T, _ storetest.Setup, f *fleet) { test(t, newOutliving(f, load)) })
}

// The caller that began a load goes, those who wait for it get its value, and those who come later.
func TestALoadOutlivesItsCaller(t *testing.T) {
	outlives(t, txcache.CacheOptions{}, slow, func(t *testing.T, o *outliving) {
		start := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() {
			gone := errors.New("the client has gone")
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(time.Second, func() { cancel(gone) })
			tx, _ := o.stores[0].BeginReadOnly(ctx, "db")
			if _, err := o.load(ctx, tx, 0, "x"); err != gone || time.Since(start) != time.Second {
				t.Errorf("Load = %v after %v; want its context's cause, after a second", err, time.Since(start))
			}
			tx.Rollback()
		})
		time.Sleep(2 * time.Second)
		for range 3 {
			wg.Go(func() { o.got(t, "x", 1, loadTime-2*time.Second) })
		}
		wg.Wait()
		synctest.Wait() // the transaction in the background has sent the value
		o.got(t, "x", 1, 0)
		o.calls(t, 1, 0)
		if s := o.caches[0].Stats(); s.Shared != 3 || s.Loads != 1 || s.Hits+s.Misses != 5 {
			t.Errorf("Stats = %+v; want 5 look-ups, one load, and that three shared it", s)
		}
	})
}

// At the limit those who wait call their own loader, once for all, be it that the one in the
// background returns then or not; and nobody waits for it any more.
func TestALoadThatOutlivesItsLimit(t *testing.T) {
	for name, load := range map[string]func(ctx context.Context, key string) (int, error){
		"returns": func(ctx context.Context, _ string) (int, error) { <-ctx.Done(); return 0, ctx.Err() },
		"stays":   func(context.Context, string) (int, error) { time.Sleep(time.Minute); return 3, nil },
	} {
		t.Run(name, func(t *testing.T) {
			outlives(t, txcache.CacheOptions{Duration: 2 * time.Second}, load, func(t *testing.T, o *outliving) {
				var wg sync.WaitGroup
				for range 3 {
					wg.Go(func() { o.got(t, "x", 2, loadLimit+time.Second) })
				}
				wg.Wait()
				o.calls(t, 1, 1)
				time.Sleep(2 * time.Second)
				o.got(t, "x", 2, loadLimit+time.Second) // a load of its own
				o.calls(t, 2, 2)
				time.Sleep(2 * time.Minute)
			})
		})
	}
}

func TestACallerWaitsForOneLimitAlone(t *testing.T) {
	outlives(t, txcache.CacheOptions{}, func(ctx context.Context, _ string) (int, error) { <-ctx.Done(); return 0, ctx.Err() }, func(t *testing.T, o *outliving) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		go o.load(ctx, storetest.BeginReadOnly(t, o.stores[0], "db"), 0, "x") // its caller begins it, and goes
		time.Sleep(2 * time.Second)
		o.got(t, "x", 2, loadLimit-time.Second)
		o.calls(t, 1, 1)
	})
}

func TestALoadInTheBackgroundThatFails(t *testing.T) {
	failure := errors.New("no such column")
	for name, test := range map[string]struct {
		load func(ctx context.Context, key string) (int, error)
		want int
		err  error
		own  int32
	}{
		"an error of the statement is that of all": {func(context.Context, string) (int, error) { return 0, failure }, 0, failure, 0},
		"an absence too": {func(context.Context, string) (int, error) { return 0, errNoRow }, 0, txcache.ErrAbsent, 0},
		"an error that may concern it alone is not":     {func(context.Context, string) (int, error) { return 0, context.DeadlineExceeded }, 2, nil, 1},
		"a panic is nobody's":                           {func(context.Context, string) (int, error) { panic("loader") }, 2, nil, 1},
		"nor is it of concern if it ends its goroutine": {func(context.Context, string) (int, error) { runtime.Goexit(); return 0, nil }, 2, nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			outlives(t, txcache.CacheOptions{}, func(ctx context.Context, key string) (int, error) {
				time.Sleep(time.Second)
				return test.load(ctx, key)
			}, func(t *testing.T, o *outliving) {
				var wg sync.WaitGroup
				for range 3 {
					wg.Go(func() {
						v, err := o.load(t.Context(), storetest.BeginReadOnly(t, o.stores[0], "db"), 0, "x")
						if v != test.want || !errors.Is(err, test.err) {
							t.Errorf("Load = %d, %v; want %d, %v", v, err, test.want, test.err)
						}
					})
				}
				wg.Wait()
				o.calls(t, 1, test.own)
			})
		})
	}
}

// An expired value stands in for an error of a load in the background as for any other.
func TestStaleForAnswersForALoadInTheBackground(t *testing.T) {
	failure := errors.New("no such column")
	outlives(t, txcache.CacheOptions{Duration: time.Minute, StaleFor: time.Hour}, func(context.Context, string) (int, error) { return 0, failure }, func(t *testing.T, o *outliving) {
		storetest.Publish(t, o.stores[0], "db", o.caches[0], "x", 7)
		time.Sleep(2 * time.Minute)
		o.got(t, "x", 7, 0)
		o.calls(t, 1, 0)
	})
}

// P4: what a load in the background has read before a clear goes to those who began before it, and to
// nobody else; and one that begins after a clear is of no use to those who began before.
func TestALoadInTheBackgroundBelongsToItsGeneration(t *testing.T) {
	changes := map[string]func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, int]) error{
		"clear":  func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, int]) error { return c.Clear(tx) },
		"delete": func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, int]) error { return c.Delete(tx, "x") },
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			outlives(t, txcache.CacheOptions{}, slow, func(t *testing.T, o *outliving) {
				var wg sync.WaitGroup
				wg.Go(func() { o.got(t, "x", 1, loadTime) })
				time.Sleep(time.Second)
				for i := range o.stores { // that of the same process, and another
					writer := storetest.Begin(t, o.stores[i], "db")
					if err := change(t, writer, o.caches[i]); err != nil {
						t.Error(err)
					}
					storetest.Commit(t, writer)
					storetest.Miss(t, storetest.BeginReadOnly(t, o.stores[0], "db"), o.caches[0], "x", "it was changed")
				}
				wg.Wait()
				storetest.Miss(t, storetest.BeginReadOnly(t, o.stores[0], "db"), o.caches[0], "x", "what was loaded is of before the change")
			})
			outlives(t, txcache.CacheOptions{}, slow, func(t *testing.T, o *outliving) {
				old := storetest.BeginReadOnly(t, o.stores[0], "db")
				writer := storetest.Begin(t, o.stores[1], "db")
				if err := change(t, writer, o.caches[1]); err != nil {
					t.Error(err)
				}
				storetest.Commit(t, writer) // of which the first process does not know
				if v, err := o.load(t.Context(), old, 0, "x"); v != 2 || err != nil {
					t.Errorf("Load = %d, %v; want what its own loader returns", v, err)
				}
				o.calls(t, 0, 1)
				storetest.Miss(t, storetest.BeginReadOnly(t, o.stores[0], "db"), o.caches[0], "x", "what it has loaded is of before the change")
			})
		})
	}
}

// Close ends the loads in the background. Their callers load for themselves.
func TestCloseEndsLoadsInTheBackground(t *testing.T) {
	for name, load := range map[string]func(ctx context.Context, key string) (int, error){
		"one that returns": slow,
		"one that stays":   func(context.Context, string) (int, error) { time.Sleep(time.Minute); return 3, nil },
	} {
		t.Run(name, func(t *testing.T) {
			outlives(t, txcache.CacheOptions{}, load, func(t *testing.T, o *outliving) {
				var wg sync.WaitGroup
				wg.Go(func() { o.got(t, "x", 2, 2*time.Second) })
				time.Sleep(time.Second)
				start := time.Now()
				if err := o.stores[0].Close(); err != nil || time.Since(start) > time.Second {
					t.Errorf("Close = %v after %v", err, time.Since(start))
				}
				wg.Wait()
				time.Sleep(time.Minute)
			})
		})
	}
}

// So many run at a time; further callers load for themselves.
func TestLoadsInTheBackgroundAreBounded(t *testing.T) {
	const most = 32
	outlives(t, txcache.CacheOptions{}, slow, func(t *testing.T, o *outliving) {
		var wg sync.WaitGroup
		for i := range most {
			wg.Go(func() { o.got(t, string(rune('a'+i)), 1, loadTime) })
		}
		synctest.Wait()
		o.got(t, "x1", 2, time.Second)
		wg.Wait()
		synctest.Wait() // a load ends when its value has been sent
		o.got(t, "x2", 1, loadTime)
		o.calls(t, most+1, 1)
	})
}

// A load in the background takes a lease as any other, and gives what it has loaded to the process that waits.
func TestALoadInTheBackgroundTakesALease(t *testing.T) {
	inBubbles(t, txcache.CacheOptions{Lease: time.Minute, LoadLimit: loadLimit}, func(t *testing.T, s storetest.Setup, f *fleet) {
		if !s.Remote {
			return // these share no values
		}
		o := newOutliving(f, slow)
		var wg sync.WaitGroup
		for i := range o.stores {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if _, err := o.load(ctx, storetest.BeginReadOnly(t, o.stores[i], "db"), i, "x"); err != context.DeadlineExceeded {
					t.Errorf("Load = %v; want that its time is over", err)
				}
			})
		}
		wg.Wait()
		time.Sleep(loadTime)
		for i := range o.stores {
			storetest.Hit(t, storetest.BeginReadOnly(t, o.stores[i], "db"), o.caches[i], "x", 1, "it was loaded once for both")
		}
		o.calls(t, 1, 0)
	})
}

// A loader in the background may load from the cache, and needs no other place to do so.
func TestLoadsWithinLoadsInTheBackground(t *testing.T) {
	inBubbles(t, txcache.CacheOptions{LoadLimit: loadLimit}, func(t *testing.T, s storetest.Setup, f *fleet) {
		o := &outliving{fleet: f}
		f.caches[0].RefreshEarly(func(ctx context.Context, tx *txcache.Tx, key string) (int, error) {
			o.behind.Add(1)
			if key == "x" { // x needs y, which needs x
				return o.load(ctx, tx, 0, "y")
			}
			return o.load(ctx, tx, 0, "x")
		})
		var wg sync.WaitGroup
		for _, key := range []string{"x", "y"} {
			wg.Go(func() {
				if v, err := o.load(t.Context(), storetest.BeginReadOnly(t, o.stores[0], "db"), 0, key); v != 2 || err != nil {
					t.Errorf("Load = %d, %v", v, err)
				}
			})
		}
		wg.Wait()
		o.calls(t, 2, 2)
	})
}
