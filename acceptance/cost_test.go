package acceptance_test

import (
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

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
		load := storetest.Constant(1, nil)
		if n := testing.AllocsPerRun(100, func() { c.Load(t.Context(), tx, "x", load) }); n != 0 {
			t.Errorf("a Load that hits in %s allocates %v times; want 0", c.Name(), n)
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

func TestP10AClearCostsTheSame(t *testing.T) {
	cost := func(values int) float64 {
		store := storetest.Setups[0].One(t)
		c := storetest.NewCache[int, int](t, store, "c", txcache.CacheOptions{Size: values})
		other := storetest.NewCache[int, int](t, store, "other", txcache.CacheOptions{Size: values})
		fill := storetest.Begin(t, store, "db")
		for i := range values {
			c.Set(fill, i, i)
			other.Set(fill, i, i)
		}
		storetest.Commit(t, fill)
		allocs := testing.AllocsPerRun(1, func() {
			tx := storetest.Begin(t, store, "db")
			storetest.Clear(t, tx, c)
			storetest.Commit(t, tx)
		})
		if got := c.Stats().Values; got != 0 {
			t.Errorf("%d of %d cleared values are still in memory", got, values)
		}
		if got := other.Stats().Values; got != values {
			t.Errorf("%d of %d values of the other cache are left; want all", got, values)
		}
		return allocs
	}
	small, large := cost(10), cost(100_000)
	if large > small+5 {
		t.Errorf("a clear of 100000 values allocates %v times, one of 10 values %v times; want the same", large, small)
	}
}
