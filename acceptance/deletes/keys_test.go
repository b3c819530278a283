package deletes_test

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// Any key and any tag can be removed: the empty one, long ones, and what is no text.
func TestAnyKeyAndTag(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		store := s.One(t)
		c := storetest.NewCache[string, string](t, store, "c", txcache.CacheOptions{})
		c.TagBy(func(_, value string) []string { return []string{value} })
		any := []string{"", "x", "x#", " ", "\x00", "\xff", "tag", strings.Repeat("a", 65), strings.Repeat("a", 66), strings.Repeat("b", 1<<16), "~", "∀"}
		for i, name := range any {
			for _, tag := range []bool{false, true} {
				fill := storetest.BeginReadOnly(t, store, "db")
				for _, key := range any {
					c.Set(fill, key, key)
				}
				storetest.Commit(t, fill)
				tx := storetest.Begin(t, store, "db")
				if tag {
					must(t, tx.ClearTags(name))
				} else {
					must(t, c.Delete(tx, name))
				}
				storetest.Commit(t, tx)
				after := storetest.BeginReadOnly(t, store, "db")
				for j, key := range any {
					if _, ok := c.Get(t.Context(), after, key); ok != (i != j) {
						t.Errorf("after the removal of %.9q (a tag: %v) a look-up of %.9q finds something: %v", name, tag, key, ok)
					}
				}
			}
		}
	})
}

// Keys of all kinds, and keys that no cache keeps.
func TestKeysOfAnyType(t *testing.T) {
	type point struct{ X, Y int }
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		store := s.One(t)
		c := storetest.NewCache[any, int](t, store, "c", txcache.CacheOptions{})
		keys := []any{1, int64(1), "1", 1.0, point{1, 2}, point{2, 1}, [2]int{1, 2}, true, nil, math.Inf(1)}
		for i, key := range keys {
			fill := storetest.BeginReadOnly(t, store, "db")
			for i, key := range keys {
				c.Set(fill, key, i)
			}
			storetest.Commit(t, fill)
			tx := storetest.Begin(t, store, "db")
			must(t, c.Delete(tx, math.NaN(), []int{1}, &i, key, func() {}, struct{ F any }{math.NaN()}))
			storetest.Miss(t, tx, c, key, "it is deleted")
			storetest.Commit(t, tx)
			after := storetest.BeginReadOnly(t, store, "db")
			for j, other := range keys {
				if i == j {
					storetest.Miss(t, after, c, other, "it is deleted")
				} else {
					storetest.Hit(t, after, c, other, j, "it is another key")
				}
			}
		}
		tx := storetest.Begin(t, store, "db")
		must(t, c.Delete(tx, math.NaN()))
		storetest.Commit(t, tx) // a delete of nothing
	})
}

// P11: a delete takes the key away in every user context, and for no context.
func TestEveryUserContext(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		for name, opts := range map[string]txcache.CacheOptions{
			"dependent": {}, "context-free": {ContextFree: true}, "ignores": {IgnoreContext: []string{"language"}},
		} {
			for _, r := range removals {
				t.Run(name+"/"+r.name, func(t *testing.T) {
					store := s.One(t)
					c := tagged(t, store, opts)
					handles := func(tx *txcache.Tx) []*txcache.Tx {
						return []*txcache.Tx{
							tx, tx.WithUser("u"), tx.WithUser(1), tx.WithUser("u").WithContext(map[string]any{"language": "en"}),
							tx.WithContext(map[string]any{"language": "fr"}), tx.WithContext(map[string]any{"company": 3}),
						}
					}
					fill := storetest.BeginReadOnly(t, store, "db")
					for i, h := range handles(fill) {
						c.Set(h, "x", i+1)
						c.Set(h, "y", i+1)
					}
					storetest.Commit(t, fill)
					for _, by := range []int{0, 3} {
						tx := storetest.Begin(t, store, "db")
						r.in(t, handles(tx)[by], c)
						for _, h := range handles(tx) {
							storetest.Miss(t, h, c, "x", "it is removed")
						}
						storetest.Commit(t, tx)
						after := storetest.BeginReadOnly(t, store, "db")
						for _, h := range handles(after) {
							storetest.Miss(t, h, c, "x", "it is removed")
							if _, ok := c.Get(t.Context(), h, "y"); !ok {
								t.Error("another key is gone")
							}
						}
						c.Set(handles(after)[by], "x", 9)
						storetest.Commit(t, after)
					}
				})
			}
		}
	})
}

// Several goroutines delete, set and undo in one transaction. Nothing is there
// afterwards that was removed last.
func TestConcurrentDeletes(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		store := s.One(t)
		c := tagged(t, store, txcache.CacheOptions{})
		tx := storetest.Begin(t, store, "db")
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				key := fmt.Sprint("of ", g)
				for i := range 50 {
					if i%2 == 0 {
						_ = c.Delete(tx, key)
					} else {
						_ = tx.ClearTags("tag of " + key)
					}
					c.Set(tx, key, i)
					c.Get(t.Context(), tx, "of 0")
				}
				if g%2 == 0 {
					_ = c.Delete(tx, key)
				}
			})
		}
		wg.Wait()
		storetest.Commit(t, tx)
		after := storetest.BeginReadOnly(t, store, "db")
		for g := range 8 {
			if key := fmt.Sprint("of ", g); g%2 == 0 {
				storetest.Miss(t, after, c, key, "it was deleted last")
			} else {
				storetest.Hit(t, after, c, key, 49, "it was set last")
			}
		}
	})
}
