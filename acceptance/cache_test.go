package acceptance_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/storetest"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

func TestNewCacheErrors(t *testing.T) {
	store := storetest.Setups[0].One(t)
	storetest.NewCache[string, int](t, store, "taken", txcache.CacheOptions{})
	type pointed struct{ P *int }
	for name, test := range map[string]struct {
		make func() error
		want string
	}{
		"empty name":        {func() error { _, err := txcache.NewCache[string, int](store, "", nil); return err }, "name is empty"},
		"invalid name":      {func() error { _, err := txcache.NewCache[string, int](store, "\xff", nil); return err }, "UTF-8"},
		"negative size":     {func() error { return makeCache[string](store, "a", txcache.CacheOptions{Size: -1}) }, "size is -1"},
		"negative duration": {func() error { return makeCache[string](store, "b", txcache.CacheOptions{Duration: -1}) }, "duration is -1ns"},
		"negative verify":   {func() error { return makeCache[string](store, "b", txcache.CacheOptions{Verify: -0.1}) }, "verify is -0.1"},
		"verify above 1":    {func() error { return makeCache[string](store, "b", txcache.CacheOptions{Verify: 1.5}) }, "verify is 1.5"},
		"negative jitter":   {func() error { return makeCache[string](store, "b", txcache.CacheOptions{Jitter: -0.1}) }, "jitter is -0.1"},
		"jitter above 1":    {func() error { return makeCache[string](store, "b", txcache.CacheOptions{Jitter: 1.1}) }, "jitter is 1.1"},
		"negative stale":    {func() error { return makeCache[string](store, "b", txcache.CacheOptions{StaleFor: -1}) }, "stale for is -1ns"},
		"verify NaN":        {func() error { return makeCache[string](store, "b", txcache.CacheOptions{Verify: math.NaN()}) }, "verify is NaN"},
		"pointer key":       {func() error { return makeCache[*int](store, "c", txcache.CacheOptions{}) }, "*int"},
		"pointer in key":    {func() error { return makeCache[pointed](store, "d", txcache.CacheOptions{}) }, "P"},
		"channel key":       {func() error { return makeCache[chan int](store, "e", txcache.CacheOptions{}) }, "chan int"},
		"time key":          {func() error { return makeCache[time.Time](store, "f", txcache.CacheOptions{}) }, "UnixNano"},
		"nil store":         {func() error { return makeCache[string](nil, "g", txcache.CacheOptions{}) }, "store is nil"},
		"duplicate":         {func() error { return makeCache[int](store, "taken", txcache.CacheOptions{}) }, "duplicate"},
	} {
		err := test.make()
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "txcache: ") {
			t.Errorf("%s: %v; want an error with %q", name, err, test.want)
		}
		if name == "duplicate" && !errors.Is(err, txcache.ErrDuplicate) {
			t.Errorf("duplicate: %v; want ErrDuplicate", err)
		}
	}
	if c := storetest.NewCache[string, int](t, store, "a", txcache.CacheOptions{}); c.Name() != "a" {
		t.Errorf("Name = %q; want a: a name that failed is free", c.Name())
	}
}

func makeCache[K comparable](s *txcache.Store, name string, opts txcache.CacheOptions) error {
	_, err := txcache.NewCache[K, int](s, name, &opts)
	return err
}

func TestMust(t *testing.T) {
	if got := txcache.Must(1, nil); got != 1 {
		t.Errorf("Must = %d; want 1", got)
	}
	failure := errors.New("failure")
	defer func() {
		if r := recover(); r != failure {
			t.Errorf("Must panics with %v; want the error", r)
		}
	}()
	txcache.Must(0, failure)
}

func TestCacheOfAnotherStore(t *testing.T) {
	a, b := storetest.Setups[0].One(t), storetest.Setups[0].One(t)
	c := storetest.NewCache[string, int](t, a, "c", txcache.CacheOptions{})
	storetest.Publish(t, a, "db", c, "x", 1)
	storetest.Publish(t, b, "db", storetest.NewCache[string, int](t, b, "c", txcache.CacheOptions{}), "x", 3)
	tx := storetest.Begin(t, b, "db")
	c.Set(tx, "x", 2)
	storetest.Miss(t, tx, c, "x", "the transaction is of another store")
	if err := c.Clear(tx); err == nil || !strings.Contains(err.Error(), "different stores") {
		t.Errorf("Clear = %v; want an error that says why", err)
	}
	if _, err := c.Load(t.Context(), tx, "x", func(context.Context) (int, error) { return 3, nil }); err == nil {
		t.Error("Load in a transaction of another store succeeds")
	}
}

// Scenario 16: nil is a value.
// GetOr returns its default for a miss alone; SetMany and GetMany are Set and Get of each key.
func TestDefaultsAndManyValues(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		store := s.One(t)
		c := storetest.NewCache[string, any](t, store, "c", txcache.CacheOptions{})
		tx := storetest.Begin(t, store, "db")
		c.SetMany(tx, map[string]any{"nil": nil, "one": 1})
		check := func(tx *txcache.Tx) {
			t.Helper()
			for key, want := range map[string]any{"nil": nil, "one": 1, "none": "default"} {
				if v := c.GetOr(t.Context(), tx, key, "default"); v != want {
					t.Errorf("GetOr(%q) = %v; want %v", key, v, want)
				}
			}
			got := c.GetMany(t.Context(), tx, []string{"nil", "one", "none"})
			if v, ok := got["nil"]; len(got) != 2 || !ok || v != nil || got["one"] != 1 {
				t.Errorf("GetMany = %v; want the two values that were set", got)
			}
		}
		check(tx)
		storetest.Commit(t, tx)
		check(storetest.Begin(t, store, "db"))
	})
}

func TestNilIsAValue(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		store := s.One(t)
		anyValue := storetest.NewCache[string, any](t, store, "any", txcache.CacheOptions{})
		pointer := storetest.NewCache[string, *int](t, store, "pointer", txcache.CacheOptions{})
		slice := storetest.NewCache[string, []string](t, store, "slice", txcache.CacheOptions{})
		tx := storetest.Begin(t, store, "db")
		anyValue.Set(tx, "nil", nil)
		pointer.Set(tx, "nil", nil)
		slice.Set(tx, "nil", nil)
		slice.Set(tx, "empty", []string{})
		check := func(tx *txcache.Tx) {
			t.Helper()
			if v, ok := anyValue.Get(t.Context(), tx, "nil"); !ok || v != nil {
				t.Errorf("any: Get = %v, %v; want nil, true", v, ok)
			}
			if v, ok := pointer.Get(t.Context(), tx, "nil"); !ok || v != nil {
				t.Errorf("pointer: Get = %v, %v; want nil, true", v, ok)
			}
			if v, ok := slice.Get(t.Context(), tx, "nil"); !ok || v != nil {
				t.Errorf("slice: Get = %v, %v; want nil, true", v, ok)
			}
			if v, ok := slice.Get(t.Context(), tx, "empty"); !ok || v == nil || len(v) != 0 {
				t.Errorf("slice: Get = %v, %v; want an empty slice that is not nil", v, ok)
			}
			if _, ok := anyValue.Get(t.Context(), tx, "none"); ok {
				t.Error("any: Get of nothing stored is a hit")
			}
		}
		check(tx)
		storetest.Commit(t, tx)
		check(storetest.Begin(t, store, "db"))
	})
}

// Scenario 17, to the nanosecond where the setup counts them.
func TestExpiry(t *testing.T) {
	for _, s := range storetest.Setups {
		for _, d := range []time.Duration{0, 10 * time.Millisecond, time.Second, 36 * time.Hour, math.MaxInt64} {
			t.Run(fmt.Sprintf("%s/%v", s.Name, d), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					store := s.One(t)
					c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{Duration: d})
					storetest.Publish(t, store, "db", c, "x", 1)
					writer := storetest.Begin(t, store, "db")
					c.Set(writer, "own", 1)
					if d == 0 || d == math.MaxInt64 {
						time.Sleep(24 * 365 * time.Hour)
						storetest.Hit(t, storetest.Begin(t, store, "db"), c, "x", 1, "it never expires")
						return
					}
					time.Sleep(d / 2)
					storetest.Hit(t, storetest.Begin(t, store, "db"), c, "x", 1, "it is half its life old")
					time.Sleep(d - d/2 - 1)
					if !s.Coarse {
						storetest.Hit(t, storetest.Begin(t, store, "db"), c, "x", 1, "it has a nanosecond to live")
					}
					storetest.Hit(t, writer, c, "own", 1, "it has a nanosecond to live")
					time.Sleep(time.Nanosecond)
					storetest.Miss(t, storetest.Begin(t, store, "db"), c, "x", "it has expired, and the hits have not made it live longer")
					storetest.Miss(t, writer, c, "own", "it has expired")
					storetest.Commit(t, writer)
					storetest.Miss(t, storetest.Begin(t, store, "db"), c, "own", "it had expired before it was published")
					storetest.Publish(t, store, "db", c, "x", 2)
					storetest.Hit(t, storetest.Begin(t, store, "db"), c, "x", 2, "it is set anew")
				})
			})
		}
	}
}

// Its own value expires in a transaction: what others have set is older.
func TestOwnExpiredValueDoesNotUncoverAnOlderOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := storetest.Setups[0].One(t)
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{Duration: time.Minute})
		tx := storetest.Begin(t, store, "db")
		c.Set(tx, "x", 2)
		time.Sleep(30 * time.Second)
		storetest.Publish(t, store, "db", c, "x", 1)
		time.Sleep(30 * time.Second)
		storetest.Miss(t, tx, c, "x", "the transaction has changed it")
	})
}

func TestStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := storetest.Setups[0].One(t)
		c := storetest.NewCache[int, int](t, store, "c", txcache.CacheOptions{})
		d := storetest.NewCache[int, int](t, store, "d", txcache.CacheOptions{})
		tx := storetest.Begin(t, store, "db")
		c.Get(t.Context(), tx, 1)                                                                                 // miss
		c.Load(t.Context(), tx, 1, func(context.Context) (int, error) { time.Sleep(time.Second); return 1, nil }) // miss
		c.Load(t.Context(), tx, 2, func(context.Context) (int, error) { return 0, errors.New("not there") })      // miss
		c.Get(t.Context(), tx, 1)                                                                                 // hit
		c.GetMany(t.Context(), tx, []int{1, 3})                                                                   // hit, miss
		storetest.Clear(t, tx, d)
		d.Get(t.Context(), tx, 1) // bypassed
		storetest.Commit(t, tx)
		tx = storetest.Begin(t, store, "db")
		c.Get(t.Context(), tx, 1) // hit
		tx.ClearAll()
		storetest.Commit(t, tx)

		want := map[string]txcache.Stats{
			"c": {Name: "c", Hits: 3, Misses: 4, Loads: 2, LoadErrors: 1, LoadTime: time.Second, Published: 1, Clears: 1, LoadDurations: backend.Durations{0: 1, 15: 1}}, // of none and of a second
			"d": {Name: "d", Misses: 1, Bypassed: 1, Clears: 2},
		}
		n := 0
		for got := range store.Stats() {
			if got != want[got.Name] {
				t.Errorf("Stats = %+v; want %+v", got, want[got.Name])
			}
			n++
		}
		if n != 2 || c.Stats() != want["c"] {
			t.Errorf("%d caches, %+v; want 2, the same as from the store", n, c.Stats())
		}
		for range store.Stats() {
			break // stopping early is fine
		}
	})
}

// The bits that tell which caches a transaction has touched are shared by
// caches whose ids are 64 apart.
func TestMoreThanSixtyFourCaches(t *testing.T) {
	store := storetest.NewStore(t, memorybackend.New(), txcache.Options{})
	caches := make([]*txcache.Cache[int, int], 200)
	for i := range caches {
		caches[i] = storetest.NewCache[int, int](t, store, fmt.Sprint("cache ", i), txcache.CacheOptions{})
		storetest.Publish(t, store, "db", caches[i], 1, i)
	}
	tx := storetest.Begin(t, store, "db")
	storetest.Clear(t, tx, caches[7])
	caches[8].Set(tx, 1, -8)
	for i, c := range caches {
		switch i {
		case 7:
			storetest.Miss(t, tx, c, 1, "it is cleared")
		case 8:
			storetest.Hit(t, tx, c, 1, -8, "it is the transaction's own")
		default:
			storetest.Hit(t, tx, c, 1, i, "each cache has its own values")
		}
	}
	storetest.Commit(t, tx)
	tx = storetest.Begin(t, store, "db")
	for i, c := range caches {
		switch i {
		case 7:
			storetest.Miss(t, tx, c, 1, "it was cleared")
		case 8:
			storetest.Hit(t, tx, c, 1, -8, "it was published")
		default:
			storetest.Hit(t, tx, c, 1, i, "the others are left alone")
		}
	}
}
