package loads_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// A table is what loaders read; it remembers what they were asked for.
type table struct {
	rows map[string]int
	err  error
	wait time.Duration

	mu    sync.Mutex
	asked [][]string
}

func (r *table) load(ctx context.Context, missing []string) (map[string]int, error) {
	r.mu.Lock()
	r.asked = append(r.asked, slices.Sorted(slices.Values(missing)))
	r.mu.Unlock()
	time.Sleep(r.wait)
	loaded := map[string]int{}
	for _, key := range missing {
		if v, ok := r.rows[key]; ok {
			loaded[key] = v
		}
	}
	return loaded, r.err
}

// was fails the test unless the loader was called for these keys.
func (r *table) was(t *testing.T, asked ...[]string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if fmt.Sprint(r.asked) != fmt.Sprint(asked) {
		t.Errorf("the loader was called for %q; want %q", r.asked, asked)
	}
	r.asked = nil
}

func loadMany(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, int], r *table, keys ...string) map[string]int {
	t.Helper()
	got, err := c.LoadMany(t.Context(), tx, keys, r.load)
	if err != nil {
		t.Errorf("LoadMany: %v", err)
	}
	return got
}

func TestLoadManyLoadsWhatIsMissingOnce(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		store := s.One(t)
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		storetest.Publish(t, store, "db", c, "a", 1)
		rows := &table{rows: map[string]int{"a": -1, "b": 2, "c": 3}}
		for _, readOnly := range []bool{false, true} {
			tx := storetest.Begin(t, store, "db")
			if readOnly {
				tx = storetest.BeginReadOnly(t, store, "db")
			}
			want := map[string]int{"a": 1, "b": 2, "c": 3}
			if got := loadMany(t, tx, c, rows, "a", "b", "c", "b", "none"); !maps.Equal(got, want) {
				t.Errorf("LoadMany = %v; want %v", got, want)
			}
			rows.was(t, []string{"b", "c", "none"})
			if got := loadMany(t, tx, c, rows, "none", "c"); !maps.Equal(got, map[string]int{"c": 3}) {
				t.Errorf("LoadMany = %v; want c alone", got)
			}
			rows.was(t)
			if !readOnly {
				tx.Rollback()
				continue
			}
			storetest.Commit(t, tx)
		}
		storetest.Hit(t, storetest.Begin(t, store, "db"), c, "b", 2, "it was loaded in a read-only transaction")
		if got, err := c.LoadMany(t.Context(), storetest.Begin(t, store, "db"), nil, nil); len(got) != 0 || err != nil {
			t.Errorf("LoadMany of nothing = %v, %v", got, err)
		}
	})
}

func TestLoadManyFails(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		store := s.One(t)
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		failure := errors.New("no connection")
		rows := &table{rows: map[string]int{"a": 1}, err: failure}
		tx := storetest.BeginReadOnly(t, store, "db")
		if got, err := c.LoadMany(t.Context(), tx, []string{"a", "b"}, rows.load); got != nil || err != failure {
			t.Errorf("LoadMany = %v, %v; want the loader's error as it is", got, err)
		}
		storetest.Miss(t, tx, c, "a", "a failure is not cached")
		if c.Absent(t.Context(), tx, "b") {
			t.Error("a failure makes nothing absent")
		}
		tx.Rollback()
		if _, err := c.LoadMany(t.Context(), tx, []string{"a"}, rows.load); err != txcache.ErrTxDone {
			t.Errorf("LoadMany in a finished transaction: %v; want ErrTxDone", err)
		}
	})
}

func TestLoadManyAsksTheBackendOnce(t *testing.T) {
	v := storetest.NewValues()
	stores := storetest.Stores(t, 2, txcache.Options{}, v)
	a := storetest.NewCache[string, int](t, stores[0], "c", txcache.CacheOptions{})
	b := storetest.NewCache[string, int](t, stores[1], "c", txcache.CacheOptions{})
	rows := &table{rows: map[string]int{"x": 1, "y": 2, "z": 3}}
	tx := storetest.BeginReadOnly(t, stores[0], "db")
	loadMany(t, tx, a, rows, "x", "y")
	storetest.Commit(t, tx)
	v.Gets = 0
	rows.asked = nil
	if got := loadMany(t, storetest.BeginReadOnly(t, stores[1], "db"), b, rows, "x", "y", "z"); len(got) != 3 {
		t.Errorf("LoadMany = %v; want all three", got)
	}
	rows.was(t, []string{"z"})
	if v.Gets != 1 {
		t.Errorf("the backend was asked %d times; want once", v.Gets)
	}
}

// Batches that overlap wait for each other, whoever begins.
func TestBatchesThatOverlapLoadNothingTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := storetest.Setups[0].One(t)
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		rows := &table{rows: map[string]int{"a": 1, "b": 2, "c": 3, "d": 4}, wait: time.Second}
		var wg sync.WaitGroup
		for _, keys := range [][]string{{"a", "b"}, {"b", "c"}, {"c", "d", "a"}, {"none", "a"}} {
			wg.Go(func() {
				got := loadMany(t, storetest.BeginReadOnly(t, store, "db"), c, rows, keys...)
				for _, key := range keys {
					if got[key] != rows.rows[key] {
						t.Errorf("LoadMany(%q) = %v", keys, got)
					}
				}
			})
			synctest.Wait()
		}
		wg.Go(func() {
			if v, err := c.Load(t.Context(), storetest.BeginReadOnly(t, store, "db"), "c", nil); v != 3 || err != nil {
				t.Errorf("Load = %d, %v; want what a batch is loading", v, err)
			}
		})
		wg.Go(func() {
			if _, err := c.Load(t.Context(), storetest.BeginReadOnly(t, store, "db"), "none", nil); err != txcache.ErrAbsent {
				t.Errorf("Load = %v; want ErrAbsent, as a batch finds out", err)
			}
		})
		wg.Wait()
		rows.was(t, []string{"a", "b"}, []string{"c"}, []string{"d"}, []string{"none"})
	})
}

// What a batch was waiting for is loaded after all if whoever was loading it
// goes away; what it has loaded itself is not loaded again.
func TestABatchOutlivesALeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := storetest.Setups[0].One(t)
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		var wg sync.WaitGroup
		wg.Go(func() {
			tx := storetest.BeginReadOnly(t, store, "db")
			c.Load(t.Context(), tx, "a", func(context.Context) (int, error) {
				time.Sleep(time.Second)
				tx.Rollback()
				return 0, errors.New("interrupted")
			})
		})
		synctest.Wait()
		rows := &table{rows: map[string]int{"a": 1, "b": 2}}
		if got := loadMany(t, storetest.BeginReadOnly(t, store, "db"), c, rows, "a", "b"); got["a"] != 1 || got["b"] != 2 {
			t.Errorf("LoadMany = %v; want both", got)
		}
		rows.was(t, []string{"b"}, []string{"a"})
		wg.Wait()
	})
}

func TestABatchSharesAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := storetest.Setups[0].One(t)
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		failure := errors.New("no connection")
		var wg sync.WaitGroup
		wg.Go(func() {
			c.Load(t.Context(), storetest.BeginReadOnly(t, store, "db"), "a", func(context.Context) (int, error) {
				time.Sleep(time.Second)
				return 0, failure
			})
		})
		synctest.Wait()
		rows := &table{rows: map[string]int{"a": 1, "b": 2}}
		tx := storetest.BeginReadOnly(t, store, "db")
		if _, err := c.LoadMany(t.Context(), tx, []string{"a", "b"}, rows.load); err != failure {
			t.Errorf("LoadMany = %v; want the error of whom it waited for", err)
		}
		storetest.Hit(t, tx, c, "b", 2, "it has been loaded all the same")
		wg.Wait()
	})
}

// A batch within a loader waits for nobody, and batches that wait for each other
// do so after they have landed their own.
func TestBatchesDoNotLockUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := storetest.Setups[0].One(t)
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		rows := &table{rows: map[string]int{"a": 1, "b": 2}, wait: time.Second}
		var wg sync.WaitGroup
		for _, keys := range [][]string{{"a", "b"}, {"b", "a"}} {
			wg.Go(func() {
				tx := storetest.BeginReadOnly(t, store, "db")
				outer, err := c.LoadMany(t.Context(), tx, keys[:1], func(ctx context.Context, missing []string) (map[string]int, error) {
					time.Sleep(time.Second)
					inner, err := c.LoadMany(ctx, tx, keys[1:], rows.load)
					return map[string]int{missing[0]: inner[keys[1]] + 10}, err
				})
				if len(outer) != 1 || err != nil {
					t.Errorf("LoadMany = %v, %v", outer, err)
				}
			})
		}
		wg.Wait()
	})
}

func TestLoadManyWithKeysThatCannotBeCached(t *testing.T) {
	store := storetest.Setups[0].One(t)
	c := storetest.NewCache[any, int](t, store, "c", txcache.CacheOptions{})
	tx := storetest.BeginReadOnly(t, store, "db")
	pointer := new(int) // no key that another process could have
	for range 2 {
		got, err := c.LoadMany(t.Context(), tx, []any{pointer, "a"}, func(_ context.Context, missing []any) (map[any]int, error) {
			loaded := map[any]int{}
			for _, key := range missing {
				loaded[key] = 1
			}
			return loaded, nil
		})
		if len(got) != 2 || err != nil {
			t.Errorf("LoadMany = %v, %v; want both", got, err)
		}
	}
	if s := c.Stats(); s.Loads != 2 || s.Bypassed != 2 || s.Hits != 1 {
		t.Errorf("Stats = %+v; want the first key loaded each time, the second once", s)
	}
}

func TestLoadManyVerifiesHits(t *testing.T) {
	v := verifying(t, storetest.Setups[0])
	storetest.Publish(t, v.Store, "shop", v.c, "a", 1)
	storetest.Publish(t, v.Store, "shop", v.c, "b", 2)
	tx := storetest.BeginReadOnly(t, v.Store, "shop")
	v.c.SetAbsent(tx, "gone")
	v.c.SetAbsent(tx, "come")
	rows := &table{rows: map[string]int{"a": 1, "b": 3, "come": 4}}
	want := map[string]int{"a": 1, "b": 3, "come": 4}
	if got := loadMany(t, tx, v.c, rows, "a", "b", "gone", "come"); !maps.Equal(got, want) {
		t.Errorf("LoadMany = %v; want %v", got, want)
	}
	if len(v.hit) != 2 || v.hit[0].Cached != 2 || v.hit[1].Cached != txcache.ErrAbsent || v.hit[1].Loaded != 4 {
		t.Errorf("OnStale got %+v; want b and come", v.hit)
	}
	if s := v.c.Stats(); s.Verified != 4 || s.Mismatches != 2 || s.Loads != 1 {
		t.Errorf("Stats = %+v; want 4 hits verified by one load, 2 mismatches", s)
	}
}
