package acceptance_test

import (
	"context"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

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
