package acceptance_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
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

// Scenario 16: keys that are equal in Go are the same, others are not.
func TestKeys(t *testing.T) {
	type id int64
	type pair struct {
		A string
		B any
	}
	keys := []any{
		nil, 1, int8(1), int64(1), uint(1), id(1), true, 1.0, float32(1), "1", "true", "1.0", '1', [1]string{"a"}, "a", [1]any{"a"},
		[2]string{"a", ""}, pair{"a", nil}, pair{"a", "b"}, pair{"a", 1}, "", " ", "~", "a~", strings.Repeat("k", 10_000),
		"\xff", "\xfe", complex(1, 0), netip.MustParseAddr("::1"), time.Second,
	}
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		store := s.One(t)
		c := storetest.NewCache[any, int](t, store, "c", txcache.CacheOptions{})
		tx := storetest.Begin(t, store, "db")
		for i, key := range keys {
			c.Set(tx, key, i)
		}
		storetest.Commit(t, tx)
		tx = storetest.Begin(t, store, "db")
		for i, key := range keys {
			storetest.Hit(t, tx, c, key, i, "no other key is the same")
		}
		if got := c.GetMany(t.Context(), tx, keys); len(got) != len(keys) {
			t.Errorf("GetMany found %d of %d", len(got), len(keys))
		}
	})
}

func TestUnstableKeysMiss(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		store := s.One(t)
		c := storetest.NewCache[any, int](t, store, "c", txcache.CacheOptions{})
		floats := storetest.NewCache[float64, int](t, store, "floats", txcache.CacheOptions{})
		tx := storetest.Begin(t, store, "db")
		for _, key := range []any{[]int{1}, map[string]int{}, new(int), make(chan int), func() {}, math.NaN(), time.Now(), [1]any{[]int{}}} {
			c.Set(tx, key, 1)
			if v, ok := c.Get(t.Context(), tx, key); ok {
				t.Errorf("Get(%T) = %d; want a miss: it is no stable key", key, v)
			}
			if got := c.GetMany(t.Context(), tx, []any{key}); len(got) != 0 {
				t.Errorf("GetMany(%T) found something", key)
			}
			if v, err := c.Load(t.Context(), tx, key, func(context.Context) (int, error) { return 7, nil }); v != 7 || err != nil {
				t.Errorf("Load(%T) = %d, %v; want what the loader returns", key, v, err)
			}
		}
		floats.Set(tx, math.NaN(), 1)
		storetest.Miss(t, tx, floats, math.NaN(), "it does not even equal itself")
		floats.Set(tx, math.Copysign(0, -1), 1)
		storetest.Hit(t, tx, floats, 0, 1, "the zeros are equal")
		storetest.Commit(t, tx)
		storetest.Hit(t, storetest.Begin(t, store, "db"), floats, 0, 1, "the zeros are equal")
	})
}

func TestUserContext(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		store := s.Open(t, 1, txcache.Options{ContextIgnoredKeys: []string{"client"}})[0]
		c := storetest.NewCache[string, string](t, store, "c", txcache.CacheOptions{IgnoreContext: []string{"page"}})
		free := storetest.NewCache[string, string](t, store, "free", txcache.CacheOptions{ContextFree: true})
		tx := storetest.Begin(t, store, "db")
		handles := map[string]*txcache.Tx{
			"nobody":   tx,
			"user 1":   tx.WithUser(1),
			"user 1.0": tx.WithUser(1.0),
			"user '1'": tx.WithUser("1"),
			"user nil": tx.WithUser(nil),
			"key user": tx.WithContext(map[string]any{"user": 1}),
			"en":       tx.WithContext(map[string]any{"language": "en"}),
			"de":       tx.WithContext(map[string]any{"language": "de"}),
			"1 en":     tx.WithContext(map[string]any{"language": "en"}).WithUser(1),
			"1 en c":   tx.WithUser(1).WithContext(map[string]any{"language": "en", "company": 1}),
			"list":     tx.WithContext(map[string]any{"ids": []int{1, 2}}),
			"list'":    tx.WithContext(map[string]any{"ids": []int{2, 1}}),
			"strings":  tx.WithContext(map[string]any{"ids": []string{"1", "2"}}),
		}
		for name, handle := range handles {
			c.Set(handle, "x", name)
		}
		check := func(handles map[string]*txcache.Tx) {
			t.Helper()
			for name, handle := range handles {
				storetest.Hit(t, handle, c, "x", name, "each context has its own value")
			}
		}
		check(handles)
		free.Set(handles["en"], "x", "one for all")
		storetest.Hit(t, handles["de"], free, "x", "one for all", "the cache is context-free")
		storetest.Commit(t, tx)

		tx = storetest.Begin(t, store, "db")
		check(map[string]*txcache.Tx{
			"nobody": tx.WithContext(nil),
			"user 1": tx.WithUser(2).WithUser(1),
			"1 en":   tx.WithContext(map[string]any{"language": "de", "client": "c"}).WithUser(1).WithContext(map[string]any{"language": "en", "page": 3}),
			"1 en c": tx.WithContext(map[string]any{"company": 1}).WithUser(1).WithContext(map[string]any{"language": "en"}),
			"list":   tx.WithContext(map[string]any{"ids": []int{1, 2}, "client": func() {}}),
		})
	})
}

func TestContextIsTakenAsItIs(t *testing.T) {
	store := storetest.Setups[0].One(t)
	c := storetest.NewCache[string, string](t, store, "c", txcache.CacheOptions{})
	ids := []int{1}
	values := map[string]any{"ids": ids}
	tx := storetest.Begin(t, store, "db")
	handle := tx.WithContext(values)
	ids[0] = 2
	values["more"] = true
	c.Set(handle, "x", "one")
	storetest.Hit(t, tx.WithContext(map[string]any{"ids": []int{1}}), c, "x", "one", "later changes of the values do not count")
	storetest.Miss(t, tx.WithContext(map[string]any{"ids": []int{2}}), c, "x", "later changes of the values do not count")
}

// A context without a canonical form is never shared, not even with itself.
func TestContextThatCannotBeFrozen(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		store := s.One(t)
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		ignoring := storetest.NewCache[string, int](t, store, "ignoring", txcache.CacheOptions{IgnoreContext: []string{"callback"}})
		free := storetest.NewCache[string, int](t, store, "free", txcache.CacheOptions{ContextFree: true})
		storetest.Publish(t, store, "db", c, "x", 1)
		tx := storetest.Begin(t, store, "db")
		for _, handle := range []*txcache.Tx{
			tx.WithContext(map[string]any{"callback": func() {}}),
			tx.WithUser(make(chan int)),
		} {
			c.Set(handle, "x", 2)
			storetest.Miss(t, handle, c, "x", "nobody can tell whose value it would be")
			v, err := c.Load(t.Context(), handle, "x", func(context.Context) (int, error) { return 3, nil })
			if v != 3 || err != nil {
				t.Errorf("Load = %d, %v; want what the loader returns", v, err)
			}
			free.Set(handle, "x", 4)
			storetest.Hit(t, handle, free, "x", 4, "a context-free cache does not care")
		}
		handle := tx.WithContext(map[string]any{"callback": func() {}})
		ignoring.Set(handle, "x", 5)
		storetest.Hit(t, tx, ignoring, "x", 5, "the cache ignores the key")
		storetest.Miss(t, tx, c, "none", "nothing was set without a context")
		storetest.Hit(t, tx, c, "x", 1, "values of the empty context are left alone")
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

func TestSizeLimit(t *testing.T) {
	store := storetest.Setups[0].Open(t, 1, txcache.Options{Size: 10, Sizes: map[string]int{"configured": 5}})[0]
	for _, test := range []struct {
		name string
		size int
		want int
	}{
		{"default", 0, 10},
		{"own", 20, 20},
		{"configured", 20, 5},
	} {
		c := storetest.NewCache[int, int](t, store, test.name, txcache.CacheOptions{Size: test.size})
		tx := storetest.BeginReadOnly(t, store, "db")
		for i := range 100 {
			c.Set(tx, i, i)
		}
		if got := c.Stats(); got.Values != test.want || got.Evictions != uint64(100-test.want) {
			t.Errorf("%s: %d values, %d evictions; want %d, %d", test.name, got.Values, got.Evictions, test.want, 100-test.want)
		}
		other := storetest.BeginReadOnly(t, store, "other")
		c.Set(other, 1, 1)
		if got := c.Stats(); got.Values != test.want+1 {
			t.Errorf("%s: %d values; want one more, for each database has its own limit", test.name, got.Values)
		}
	}
}

// A transaction's own values are bounded too. Those that had to go do not
// uncover what others see.
func TestOverlayIsBounded(t *testing.T) {
	store := storetest.Setups[0].Open(t, 1, txcache.Options{OverlaySize: 10})[0]
	c := storetest.NewCache[int, int](t, store, "c", txcache.CacheOptions{Size: 1000})
	for i := range 10 {
		storetest.Publish(t, store, "db", c, i, -1)
	}
	tx := storetest.Begin(t, store, "db")
	for i := range 100 {
		c.Set(tx, i, i)
		storetest.Hit(t, tx, c, i, i, "it was set last")
	}
	found := 0
	for i := range 100 {
		if v, ok := c.Get(t.Context(), tx, i); ok {
			found++
			if v != i {
				t.Errorf("Get(%d) = %d; want its own value or none: the other is older", i, v)
			}
		}
	}
	if found != 10 {
		t.Errorf("the transaction keeps %d values of its own; want 10", found)
	}
	if got := c.Stats().Overflows; got != 90 {
		t.Errorf("%d values are counted that it could not keep; want 90", got)
	}
}

// A read-only transaction that has set more than its overlay holds still reads
// what others have set.
func TestReadOnlyTransactionIsNotCutOff(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		store := s.One(t)
		c := storetest.NewCache[int, int](t, store, "c", txcache.CacheOptions{Size: 10})
		storetest.Publish(t, store, "db", c, -1, -1)
		tx := storetest.BeginReadOnly(t, store, "db")
		for i := range 11 {
			c.Set(tx, i, i)
		}
		found := 0
		for i := range 11 {
			if v, ok := c.Get(t.Context(), tx, i); ok && v == i {
				found++
			}
		}
		if _, ok := c.Get(t.Context(), tx, -1); !ok && s.Remote {
			t.Error("a read-only transaction does not see what another has published")
		}
		if found < 9 {
			t.Errorf("the transaction sees %d of the 11 values that it has set; want the 10 that fit, or nearly", found)
		}
	})
}

// Scenario 19: who holds on to finished transactions holds no values.
func TestFinishedTransactionsHoldNoValues(t *testing.T) {
	store := storetest.Setups[0].One(t)
	c := storetest.NewCache[int, []byte](t, store, "c", txcache.CacheOptions{})
	var held []*txcache.Tx
	before := storetest.Heap()
	for range 50 {
		tx, err := store.Begin(t.Context(), "db")
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, tx)
		c.Set(tx, 1, make([]byte, 1<<20))
		storetest.Commit(t, tx)
		clearing := storetest.Begin(t, store, "db")
		storetest.Clear(t, clearing, c)
		storetest.Commit(t, clearing)
	}
	if grown := int64(storetest.Heap()) - int64(before); grown > 10<<20 {
		t.Errorf("%d finished transactions hold %d MB", len(held), grown>>20)
	}
	if held[0].Database() != "db" {
		t.Error("a finished transaction has forgotten its database")
	}
}

func TestManyValues(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		store := s.One(t)
		c := storetest.NewCache[int, string](t, store, "c", txcache.CacheOptions{})
		tx := storetest.Begin(t, store, "db")
		c.SetMany(tx, map[int]string{1: "one", 2: "two"})
		storetest.Commit(t, tx)
		tx = storetest.Begin(t, store, "db")
		c.Set(tx, 3, "three")
		got := c.GetMany(t.Context(), tx, []int{1, 2, 3, 4, 1})
		if want := map[int]string{1: "one", 2: "two", 3: "three"}; !maps.Equal(got, want) {
			t.Errorf("GetMany = %v; want %v", got, want)
		}
		if got := c.GetMany(t.Context(), tx, nil); got == nil || len(got) != 0 {
			t.Errorf("GetMany of nothing = %v; want an empty map", got)
		}
		if got := c.GetOr(t.Context(), tx, 3, "default"); got != "three" {
			t.Errorf("GetOr = %q; want the value", got)
		}
		if got := c.GetOr(t.Context(), tx, 4, "default"); got != "default" {
			t.Errorf("GetOr = %q; want the default", got)
		}
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
			"c": {Name: "c", Hits: 3, Misses: 4, Loads: 2, LoadErrors: 1, LoadTime: time.Second, Published: 1, Clears: 1},
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

func TestHitsAllocateNothing(t *testing.T) {
	store := storetest.Setups[0].One(t)
	free := storetest.NewCache[string, int](t, store, "free", txcache.CacheOptions{ContextFree: true})
	dependent := storetest.NewCache[string, int](t, store, "dependent", txcache.CacheOptions{})
	expiring := storetest.NewCache[string, int](t, store, "expiring", txcache.CacheOptions{Duration: time.Hour})
	tx := storetest.BeginReadOnly(t, store, "db").WithUser(1).WithContext(map[string]any{"language": "en"})
	for _, c := range []*txcache.Cache[string, int]{free, dependent, expiring} {
		c.Set(tx, "x", 1)
		if n := testing.AllocsPerRun(100, func() { c.Get(t.Context(), tx, "x") }); n != 0 {
			t.Errorf("a hit in %s allocates %v times; want 0", c.Name(), n)
		}
		if n := testing.AllocsPerRun(100, func() { c.Get(t.Context(), tx, "none") }); n != 0 {
			t.Errorf("a miss in %s allocates %v times; want 0", c.Name(), n)
		}
	}
	if n := testing.AllocsPerRun(100, func() {
		tx, _ := store.BeginReadOnly(t.Context(), "db")
		tx.Commit(t.Context())
	}); n != 1 {
		t.Errorf("a transaction allocates %v times; want once", n)
	}
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
