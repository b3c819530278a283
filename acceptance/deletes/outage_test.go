package deletes_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

var errDown = errors.New("connection refused")

// P8: a removal that cannot be announced refuses the commit, before the database is asked.
func TestAnOutageRefusesTheCommit(t *testing.T) {
	for _, r := range removals {
		t.Run(r.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := storetest.NewOutage()
				store := storetest.NewStore(t, b, txcache.Options{Logger: storetest.Silent})
				c := tagged(t, store, txcache.CacheOptions{})
				storetest.Publish(t, store, "db", c, "x", 1)
				tx := storetest.Begin(t, store, "db")
				r.in(t, tx, c)
				b.SetDown(true)
				asked := false
				if err := tx.CommitWith(t.Context(), func(context.Context) error { asked = true; return nil }); !errors.Is(err, txcache.ErrUnavailable) || asked {
					t.Errorf("CommitWith = %v, and the database was asked: %v", err, asked)
				}
				b.SetDown(false)
				if store.Waiting() != 0 {
					t.Error("a refused removal waits")
				}
				time.Sleep(10 * time.Second)
				storetest.Hit(t, storetest.BeginReadOnly(t, store, "db"), c, "x", 1, "nothing was removed")
			})
		})
	}
}

// P5, P8: with CommitOnOutage, or where only the clear fails, a removal waits for the
// backend. Until it is there the key is private in this process, and others hit.
func TestADeleteWaitsForTheBackend(t *testing.T) {
	for _, r := range removals {
		for name, fence := range map[string]error{"fenced": nil, "not sent": backend.ErrNotSent, "unknown": errDown} {
			t.Run(r.name+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := storetest.NewRecorder()
					stores := storetest.Stores(t, 2, txcache.Options{Logger: storetest.Silent, CommitOnOutage: true}, b)
					c, other := tagged(t, stores[0], txcache.CacheOptions{}), tagged(t, stores[1], txcache.CacheOptions{})
					for _, key := range []string{"x", "y"} {
						storetest.Publish(t, stores[0], "db", c, key, 1)
						storetest.Publish(t, stores[1], "db", other, key, 1)
					}
					b.Failing("Fence", fence)
					b.Failing("Clear", errDown)
					tx := storetest.Begin(t, stores[0], "db")
					r.in(t, tx, c)
					c.Set(tx, "x", 2)
					storetest.Commit(t, tx)
					if got := stores[0].Waiting(); got != 1 {
						t.Errorf("%d removals wait; want one", got)
					}
					during := storetest.BeginReadOnly(t, stores[0], "db")
					storetest.Miss(t, during, c, "x", "its removal waits")
					c.Set(during, "x", 2)
					storetest.Hit(t, during, c, "y", 1, "it is another key")
					storetest.Miss(t, storetest.BeginReadOnly(t, stores[0], "db"), c, "x", "its removal waits")
					storetest.Hit(t, storetest.BeginReadOnly(t, stores[1], "db"), other, "y", 1, "it is another key")
					if name == "fenced" {
						storetest.Miss(t, storetest.BeginReadOnly(t, stores[1], "db"), other, "x", "it is fenced")
					}
					b.Failing("Fence", nil)
					b.Failing("Clear", nil)
					time.Sleep(10 * time.Second)
					for i, c := range []*txcache.Cache[string, int]{c, other} {
						after := storetest.BeginReadOnly(t, stores[i], "db")
						storetest.Miss(t, after, c, "x", "it was removed")
						storetest.Hit(t, after, c, "y", 1, "it is another key")
						c.Set(after, "x", 3)
						storetest.Hit(t, storetest.BeginReadOnly(t, stores[i], "db"), c, "x", 3, "it is in use again")
					}
				})
			})
		}
	}
}

// P5, P8: removals that wait stand for others only if they remove as much.
func TestRemovalsThatWaitStandForOthers(t *testing.T) {
	type act = func(tx *txcache.Tx, c, d *txcache.Cache[string, int]) error
	key := func(keys ...string) act {
		return func(tx *txcache.Tx, c, _ *txcache.Cache[string, int]) error { return c.Delete(tx, keys...) }
	}
	tag := func(tags ...string) act {
		return func(tx *txcache.Tx, _, _ *txcache.Cache[string, int]) error { return tx.ClearTags(tags...) }
	}
	clear := func(tx *txcache.Tx, c, _ *txcache.Cache[string, int]) error { return c.Clear(tx) }
	all := func(tx *txcache.Tx, _, _ *txcache.Cache[string, int]) error { return tx.ClearAll() }
	elsewhere := func(tx *txcache.Tx, _, d *txcache.Cache[string, int]) error { return d.Delete(tx, "x") }
	clearElsewhere := func(tx *txcache.Tx, _, d *txcache.Cache[string, int]) error { return d.Clear(tx) }
	for _, test := range []struct {
		name          string
		first, second act
		waiting       int
	}{
		{"the same key", key("x"), key("x"), 1},
		{"another key", key("x"), key("y"), 2},
		{"one of two", key("x", "y"), key("y"), 1},
		{"one more", key("x"), key("x", "y"), 2},
		{"key of another cache", key("x"), elsewhere, 2},
		{"the cache of the key", clear, key("x"), 1},
		{"another cache than that of the key", clearElsewhere, key("x"), 2},
		{"a key of the cache", key("x"), clear, 2},
		{"all and a key", all, key("x"), 1},
		{"all and a tag", all, tag("tag of x"), 1},
		{"a cache and a tag", clear, tag("tag of x"), 2},
		{"the same tag", tag("tag of x"), tag("tag of x"), 1},
		{"another tag", tag("tag of x"), tag("tag of y"), 2},
		{"one of two tags", tag("tag of x", "tag of y"), tag("tag of y"), 1},
		{"a tag and a key of that name", tag("x"), key("x"), 2},
		{"a key and a tag of that name", key("x"), tag("x"), 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := storetest.NewRecorder()
				store := storetest.NewStore(t, b, txcache.Options{Logger: storetest.Silent})
				c := tagged(t, store, txcache.CacheOptions{})
				d := storetest.NewCache[string, int](t, store, "d", txcache.CacheOptions{})
				b.Failing("Clear", errDown)
				for _, do := range []act{test.first, test.second} {
					tx := storetest.Begin(t, store, "db")
					must(t, do(tx, c, d))
					storetest.Commit(t, tx)
				}
				if got := store.Waiting(); got != test.waiting {
					t.Errorf("%d wait; want %d", got, test.waiting)
				}
				b.Failing("Clear", nil)
				time.Sleep(time.Minute)
				if got := store.Waiting(); got != 0 {
					t.Errorf("%d wait; want none", got)
				}
			})
		})
	}
}

// A doubt takes the place of an older one only if it removes as much.
func TestDoubtsOfKeys(t *testing.T) {
	for _, test := range []struct {
		name     string
		second   func(tx *txcache.Tx, c *txcache.Cache[string, int]) error
		replaces bool
	}{
		{"the same key", func(tx *txcache.Tx, c *txcache.Cache[string, int]) error { return c.Delete(tx, "x") }, true},
		{"another key", func(tx *txcache.Tx, c *txcache.Cache[string, int]) error { return c.Delete(tx, "y") }, false},
		{"its cache", func(tx *txcache.Tx, c *txcache.Cache[string, int]) error { return c.Clear(tx) }, true},
		{"its tag", func(tx *txcache.Tx, c *txcache.Cache[string, int]) error { return tx.ClearTags("tag of x") }, false},
		{"the tag of that name", func(tx *txcache.Tx, c *txcache.Cache[string, int]) error { return tx.ClearTags("x") }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := storetest.NewRecorder()
				store := storetest.NewStore(t, b, txcache.Options{Logger: storetest.Silent})
				c := tagged(t, store, txcache.CacheOptions{})
				for i, do := range []func(tx *txcache.Tx, c *txcache.Cache[string, int]) error{
					func(tx *txcache.Tx, c *txcache.Cache[string, int]) error { return c.Delete(tx, "x") }, test.second,
				} {
					tx := storetest.Begin(t, store, "db")
					must(t, do(tx, c))
					_ = tx.CommitWith(t.Context(), func(context.Context) error { return errDown })
					if i == 0 {
						time.Sleep(30 * time.Second)
					}
				}
				b.Taken()
				time.Sleep(31 * time.Second)
				synctest.Wait()
				if got := !strings.Contains(b.Taken(), "Clear"); got != test.replaces {
					t.Errorf("the first doubt was replaced: %v; want %v", got, test.replaces)
				}
				if !test.replaces {
					storetest.Publish(t, store, "db", c, "z", 1)
					storetest.Hit(t, storetest.BeginReadOnly(t, store, "db"), c, "z", 1, "it is another key")
				}
				time.Sleep(time.Minute)
				storetest.Publish(t, store, "db", c, "x", 1)
				storetest.Hit(t, storetest.BeginReadOnly(t, store, "db"), c, "x", 1, "all leases have ended")
			})
		})
	}
}

// P5: the store is closed, as if its process died, between the fence and the clear.
// When the fence lapses the key is deleted, and no other is.
func TestACrashDeletes(t *testing.T) {
	eachRemoval(t, func(t *testing.T, s storetest.Setup, r removal) {
		if !strings.HasPrefix(s.Name, "redis") {
			return // their fences do not outlive the process
		}
		stores := s.Open(t, 2, txcache.Options{Logger: storetest.Silent, Fence: 400 * time.Millisecond})
		c, other := tagged(t, stores[0], txcache.CacheOptions{}), tagged(t, stores[1], txcache.CacheOptions{})
		for _, key := range []string{"x", "y"} {
			storetest.Publish(t, stores[1], "db", other, key, 1)
		}
		tx := storetest.Begin(t, stores[0], "db")
		r.in(t, tx, c)
		_ = tx.CommitWith(t.Context(), func(context.Context) error { return errDown }) // in doubt
		old := storetest.BeginReadOnly(t, stores[1], "db")
		_ = stores[0].Close() // which gives the doubt up
		storetest.Miss(t, old, other, "x", "it is fenced")
		storetest.Hit(t, old, other, "y", 1, "it is another key")
		storetest.Within(t, storetest.Recovery, "x is in use again", func() bool {
			tx := storetest.BeginReadOnly(t, stores[1], "db")
			if v, ok := other.Get(t.Context(), tx, "x"); ok && v == 1 {
				t.Fatal("the value of before the crash is there again")
			}
			other.Set(old, "x", 1) // from before the commit
			other.Set(tx, "x", 2)
			storetest.Commit(t, tx)
			v, ok := other.Get(t.Context(), storetest.BeginReadOnly(t, stores[1], "db"), "x")
			return ok && v == 2
		})
		storetest.Hit(t, storetest.BeginReadOnly(t, stores[1], "db"), other, "y", 1, "it is another key")
	})
}
