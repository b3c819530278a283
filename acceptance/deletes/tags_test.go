package deletes_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// The function that TagBy was given may use the cache and the transaction: no lock is
// held while it runs.
func TestTagByMayUseTheCache(t *testing.T) {
	eachRemoval(t, func(t *testing.T, s storetest.Setup, r removal) {
		store := s.One(t)
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		d := storetest.NewCache[string, int](t, store, "d", txcache.CacheOptions{})
		var handle atomic.Pointer[txcache.Tx]
		var calls atomic.Int32
		c.TagBy(func(key string, v int) []string {
			calls.Add(1)
			if tx := handle.Load(); tx != nil && key != "inner" {
				ctx := context.Background()
				c.Get(ctx, tx, "inner")
				c.Get(ctx, tx, key+"!")
				c.Set(tx, "inner", 1)
				_, _ = d.Load(ctx, tx, key, storetest.Constant(1, nil))
				_ = d.Delete(tx, "none")
				_ = tx.Savepoint(func(*txcache.Tx) error { return nil })
				c.Stats()
				if other, err := store.BeginReadOnly(ctx, "db"); err == nil {
					c.Get(ctx, other, "inner")
					_ = other.Rollback()
				}
			}
			return []string{"tag of " + key}
		})
		done := make(chan struct{})
		go func() {
			defer close(done)
			storetest.Publish(t, store, "db", c, "x", 1)
			for range 3 {
				tx := storetest.Begin(t, store, "db")
				handle.Store(tx)
				c.Get(t.Context(), tx, "x")
				c.Set(tx, "y", 1)
				r.in(t, tx, c)
				c.Get(t.Context(), tx, "x")
				c.Get(t.Context(), tx, "z")
				_, _ = c.Load(t.Context(), tx, "x", storetest.Constant(2, nil))
				_, _ = c.LoadMany(t.Context(), tx, []string{"x", "w"}, func(context.Context, []string) (map[string]int, error) { return map[string]int{"w": 1}, nil })
				c.Set(tx, "x", 2)
				storetest.Commit(t, tx)
				removeTag(t, store, "tag of another")
				handle.Store(storetest.BeginReadOnly(t, store, "db"))
				c.Get(t.Context(), handle.Load(), "x")
			}
		}()
		select {
		case <-done:
		case <-time.After(storetest.Wide):
			t.Fatal("it hangs")
		}
		if calls.Load() == 0 {
			t.Error("TagBy's function was not called")
		}
	})
}

// A panic of the function reaches its caller, and nothing stays locked.
func TestTagByPanics(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		store := s.One(t)
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		var panics atomic.Bool
		c.TagBy(func(key string, v int) []string {
			if panics.Load() {
				panic("tags")
			}
			return []string{"tag of " + key}
		})
		recovers := func(what string, must bool, do func()) {
			t.Helper()
			defer func() {
				if p := recover(); p != "tags" && (must || p != nil) {
					t.Errorf("%s: it panics with %v; want the panic of the function", what, p)
				}
			}()
			do()
		}
		storetest.Publish(t, store, "db", c, "x", 1)
		removeTag(t, store, "tag of another")
		panics.Store(true)
		tx := storetest.BeginReadOnly(t, store, "db")
		recovers("Set", true, func() { c.Set(tx, "y", 1) })
		recovers("Get", true, func() { c.Get(t.Context(), tx, "x") })
		recovers("GetMany", true, func() { c.GetMany(t.Context(), tx, []string{"x"}) })
		recovers("Load", true, func() { _, _ = c.Load(t.Context(), tx, "z", storetest.Constant(1, nil)) })
		w := storetest.Begin(t, store, "db")
		must(t, w.ClearTags("tag of y"))
		recovers("Get of one that clears", true, func() { c.Get(t.Context(), w, "x") })
		recovers("Commit", false, func() { storetest.Commit(t, w) })
		panics.Store(false)
		storetest.Hit(t, storetest.BeginReadOnly(t, store, "db"), c, "x", 1, "the function is well again")
		if v, err := c.Load(t.Context(), storetest.BeginReadOnly(t, store, "db"), "z", storetest.Constant(3, nil)); v != 3 || err != nil {
			t.Errorf("Load = %d, %v", v, err)
		}
		storetest.Commit(t, tx)
		storetest.Publish(t, store, "db", c, "y", 1)
		storetest.Hit(t, storetest.BeginReadOnly(t, store, "db"), c, "y", 1, "the function is well again")
	})
}

// Many goroutines find values whose tags are worked out anew, while tags are cleared.
func TestTagByIsCalledConcurrently(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		store := s.One(t)
		c := storetest.NewCache[int, int](t, store, "c", txcache.CacheOptions{})
		c.TagBy(func(key, v int) []string { return []string{fmt.Sprint("tag ", key)} })
		var versions [8]atomic.Int64 // of each key, as the database has them
		var wg sync.WaitGroup
		var stale atomic.Int32
		for g := range 8 {
			wg.Go(func() {
				for i := range 60 {
					if g < 2 && i%3 == 0 {
						key := (g + i) % 8
						tx, err := store.Begin(t.Context(), "db")
						if err == nil {
							err = tx.ClearTags(fmt.Sprint("tag ", key))
						}
						if err == nil {
							err = tx.CommitWith(t.Context(), func(context.Context) error { versions[key].Add(1); return nil })
						}
						if err != nil {
							t.Error(err)
						}
						continue
					}
					var least [8]int64
					for key := range versions {
						least[key] = versions[key].Load()
					}
					tx, err := store.BeginReadOnly(t.Context(), "db")
					if err != nil {
						t.Error(err)
						return
					}
					for key := range versions {
						v, err := c.Load(t.Context(), tx, key, func(context.Context) (int, error) { return int(versions[key].Load()), nil })
						if err != nil || int64(v) < least[key] {
							stale.Add(1)
						}
					}
					if err := tx.Commit(t.Context()); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if n := stale.Load(); n > 0 {
			t.Errorf("%d values are older than their transactions", n)
		}
	})
}

// A transaction that clears a tag finds what bears others, wherever that is; and no
// others lose any while the tag is fenced.
func TestOtherTagsAreFound(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		stores := s.Open(t, 2, txcache.Options{})
		c, other := tagged(t, stores[0], txcache.CacheOptions{}), tagged(t, stores[1], txcache.CacheOptions{})
		for _, key := range []string{"x", "y", "z"} {
			storetest.Publish(t, stores[0], "db", c, key, 1)
			if !s.Remote {
				storetest.Publish(t, stores[1], "db", other, key, 1)
			}
		}
		before := storetest.BeginReadOnly(t, stores[1], "db")
		tx := storetest.Begin(t, stores[0], "db")
		must(t, tx.ClearTags("tag of x"))
		storetest.Hit(t, tx, c, "y", 1, "it bears another tag")
		storetest.Miss(t, tx, c, "x", "it bears the tag")
		if v, err := c.Load(t.Context(), tx, "x", storetest.Constant(2, nil)); v != 2 || err != nil {
			t.Errorf("Load = %d, %v; want what the database has now", v, err)
		}
		if got := c.GetMany(t.Context(), tx, []string{"x", "y", "z"}); got["x"] != 2 || got["y"] != 1 || got["z"] != 1 {
			t.Errorf("GetMany = %v", got)
		}
		must(t, tx.CommitWith(t.Context(), func(context.Context) error {
			for i, c := range []*txcache.Cache[string, int]{c, other} {
				during := storetest.BeginReadOnly(t, stores[i], "db")
				storetest.Miss(t, during, c, "x", "its tag is fenced")
				storetest.Hit(t, during, c, "y", 1, "it bears another tag")
				if v, err := c.Load(t.Context(), during, "x", storetest.Constant(5, nil)); v != 5 || err != nil {
					t.Errorf("Load = %d, %v; want what the database has", v, err)
				}
				storetest.Miss(t, storetest.BeginReadOnly(t, stores[i], "db"), c, "x", "its tag is fenced")
			}
			return nil
		}))
		storetest.Hit(t, before, other, "z", 1, "it bears another tag")
		for i, c := range []*txcache.Cache[string, int]{c, other} {
			after := storetest.BeginReadOnly(t, stores[i], "db")
			storetest.Miss(t, after, c, "x", "its tag was cleared")
			storetest.Hit(t, after, c, "z", 1, "it bears another tag")
		}
	})
}

// P1: a load of another transaction that began before may bear a cleared tag.
func TestWhoHasClearedATagSharesNoLoad(t *testing.T) {
	store := storetest.Setups[0].One(t)
	c := tagged(t, store, txcache.CacheOptions{})
	reading, landing, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	other := storetest.BeginReadOnly(t, store, "db")
	go func() {
		_, err := c.Load(context.Background(), other, "x", func(context.Context) (int, error) { close(reading); <-landing; return 1, nil })
		done <- err
	}()
	<-reading
	tx := storetest.Begin(t, store, "db")
	must(t, tx.ClearTags("tag of x"))
	time.AfterFunc(200*time.Millisecond, func() { close(landing) })
	if v, err := c.Load(t.Context(), tx, "x", storetest.Constant(2, nil)); v != 2 || err != nil {
		t.Errorf("Load = %d, %v; want what the transaction has written", v, err)
	}
	must(t, <-done)
}
