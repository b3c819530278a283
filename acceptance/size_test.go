package acceptance_test

import (
	"maps"
	"strconv"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

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

// Without a setting a transaction keeps 65536 values of a cache, or the cache's size if that is more.
func TestOverlayIsBoundedByDefault(t *testing.T) {
	store := storetest.Setups[0].One(t)
	for size, bound := range map[int]int{10: 65536, 65600: 65600} {
		c := storetest.NewCache[int, int](t, store, strconv.Itoa(size), txcache.CacheOptions{Size: size})
		tx := storetest.Begin(t, store, "db")
		for i := range bound + 3 {
			c.Set(tx, i, i)
		}
		if got := c.Stats().Overflows; got != 3 {
			t.Errorf("with the size %d, %d of %d values could not be kept; want 3", size, got, bound+3)
		}
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
