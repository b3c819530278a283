package acceptance_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// A load counts however it ends: the slowest ones often fail.
func TestHowLongLoadsTakeIsCountedAlsoIfTheyFail(t *testing.T) {
	for name, end := range map[string]func() error{
		"it returns":          func() error { return nil },
		"it fails":            func() error { return errors.New("no such table") },
		"it panics":           func() error { panic("out of range") },
		"its goroutine exits": func() error { runtime.Goexit(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := storetest.Setups[0].One(t)
				c := storetest.NewCache[int, int](t, store, "c", txcache.CacheOptions{})
				tx := storetest.Begin(t, store, "db")
				done := make(chan struct{})
				go func() {
					defer close(done)
					defer func() { recover() }()
					c.Load(t.Context(), tx, 1, func(context.Context) (int, error) {
						time.Sleep(2 * time.Second)
						return 1, end()
					})
				}()
				<-done
				if s := c.Stats(); s.LoadTime != 2*time.Second || s.LoadDurations != (backend.Durations{16: 1}) {
					t.Errorf("the load took %v, in buckets %v; want 2s, one at 16", s.LoadTime, s.LoadDurations)
				}
			})
		})
	}
}

// A commit with a clear is counted with all that it waits for; one that the database
// does not make, or that clears nothing, is not.
func TestHowLongCommitsWithAClearTakeIsCounted(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		store := s.One(t)
		c := storetest.NewCache[int, int](t, store, "c", txcache.CacheOptions{})
		commit := func(change func(tx *txcache.Tx) error, result error) {
			t.Helper()
			tx := storetest.Begin(t, store, "db")
			if err := change(tx); err != nil {
				t.Fatal(err)
			}
			if err := tx.CommitWith(t.Context(), func(context.Context) error { time.Sleep(10 * time.Millisecond); return result }); !errors.Is(err, result) {
				t.Fatal(err)
			}
		}
		commit(func(tx *txcache.Tx) error { return c.Clear(tx) }, nil)
		commit(func(tx *txcache.Tx) error { return c.Delete(tx, 1) }, nil)
		commit(func(tx *txcache.Tx) error { return c.Clear(tx) }, txcache.NotSent(errors.New("not asked")))
		commit(func(tx *txcache.Tx) error { return c.Clear(tx) }, txcache.NotCommitted(errors.New("refused")))
		commit(func(tx *txcache.Tx) error { c.Set(tx, 1, 1); return nil }, nil)
		status := store.Status()
		if n := status.CommitDurations.Total(); n != 2 || status.CommitTime < 20*time.Millisecond {
			t.Errorf("%d commits took %v; want 2, with that of the database", n, status.CommitTime)
		}
		for i, n := range status.CommitDurations {
			if n > 0 && i < backend.DurationIndex(10*time.Millisecond) {
				t.Errorf("%d commits took %v at most; want 10 ms at least", n, backend.DurationBound(i))
			}
		}
	})
}
