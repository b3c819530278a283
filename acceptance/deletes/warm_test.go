package deletes_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// P4: a warm cache is not filled with what others have deleted since the transaction
// began that clears it: the clear does not make the delete forgotten.
func TestAWarmCacheForgetsNoDelete(t *testing.T) {
	clears := map[string]func(tx *txcache.Tx, c *txcache.Cache[string, int]) error{
		"clear":        func(tx *txcache.Tx, c *txcache.Cache[string, int]) error { return c.Clear(tx) },
		"clear of all": func(tx *txcache.Tx, _ *txcache.Cache[string, int]) error { return tx.ClearAll() },
		"too many keys": func(tx *txcache.Tx, c *txcache.Cache[string, int]) error {
			return c.Delete(tx, manyKeys(4097)...)
		},
		"too many tags": func(tx *txcache.Tx, _ *txcache.Cache[string, int]) error { return tx.ClearTags(manyKeys(4097)...) },
	}
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		for clearing, clear := range clears {
			for _, r := range removals {
				for _, when := range []string{"before the clear", "after it", "during the commit", "never"} {
					t.Run(fmt.Sprintf("%s/%s/%s", clearing, r.name, when), func(t *testing.T) {
						stores := s.Open(t, 2, txcache.Options{})
						c, other := tagged(t, stores[0], txcache.CacheOptions{Warm: true}), tagged(t, stores[1], txcache.CacheOptions{Warm: true})
						tx := storetest.Begin(t, stores[0], "db")
						removed := func(now string) {
							if now == when {
								r.commit(t, stores[1], other)
							}
						}
						removed("before the clear")
						if err := clear(tx, c); err != nil {
							t.Fatal(err)
						}
						c.Set(tx, "x", 1) // as the transaction's snapshot has it
						c.Set(tx, "y", 1)
						removed("after it")
						if err := tx.CommitWith(t.Context(), func(ctx context.Context) error { removed("during the commit"); return nil }); err != nil {
							t.Fatal(err)
						}
						for i, c := range []*txcache.Cache[string, int]{c, other} {
							tx := storetest.BeginReadOnly(t, stores[i], "db")
							if when != "never" {
								storetest.Miss(t, tx, c, "x", "it was deleted")
							} else if i == 0 || s.Remote {
								storetest.Hit(t, tx, c, "x", 1, "the cache is warm")
								storetest.Hit(t, tx, c, "y", 1, "the cache is warm")
							}
						}
					})
				}
			}
		}
	})
}

// A clear of tags, or of keys, before a clear does not hinder publication.
func TestAWarmCacheAfterDeletesOfItsOwn(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		for name, clear := range map[string]func(tx *txcache.Tx, c *txcache.Cache[string, int]) error{
			"tag, clear of all": func(tx *txcache.Tx, c *txcache.Cache[string, int]) error {
				return errors.Join(tx.ClearTags("tag of x"), tx.ClearAll())
			},
			"clear of all, tag": func(tx *txcache.Tx, c *txcache.Cache[string, int]) error {
				return errors.Join(tx.ClearAll(), tx.ClearTags("tag of x"))
			},
			"key, clear of all": func(tx *txcache.Tx, c *txcache.Cache[string, int]) error {
				return errors.Join(c.Delete(tx, "x"), tx.ClearAll())
			},
			"clear of all, key": func(tx *txcache.Tx, c *txcache.Cache[string, int]) error {
				return errors.Join(tx.ClearAll(), c.Delete(tx, "x"))
			},
			"key, clear": func(tx *txcache.Tx, c *txcache.Cache[string, int]) error {
				return errors.Join(c.Delete(tx, "x"), c.Clear(tx))
			},
			"clear, key": func(tx *txcache.Tx, c *txcache.Cache[string, int]) error {
				return errors.Join(c.Clear(tx), c.Delete(tx, "x"))
			},
			"clear, tag": func(tx *txcache.Tx, c *txcache.Cache[string, int]) error {
				return errors.Join(c.Clear(tx), tx.ClearTags("tag of x"))
			},
			"many keys, tag": func(tx *txcache.Tx, c *txcache.Cache[string, int]) error {
				return errors.Join(c.Delete(tx, manyKeys(4097)...), tx.ClearTags("tag of x"))
			},
			"many keys with the x": func(tx *txcache.Tx, c *txcache.Cache[string, int]) error {
				return c.Delete(tx, append(manyKeys(4097), "x")...)
			},
			"many tags, key": func(tx *txcache.Tx, c *txcache.Cache[string, int]) error {
				return errors.Join(tx.ClearTags(manyKeys(4097)...), c.Delete(tx, "x"))
			},
		} {
			t.Run(name, func(t *testing.T) {
				store := s.One(t)
				c := tagged(t, store, txcache.CacheOptions{Warm: true})
				tx := storetest.Begin(t, store, "db")
				if err := clear(tx, c); err != nil {
					t.Fatal(err)
				}
				c.Set(tx, "x", 1)
				storetest.Commit(t, tx)
				storetest.Hit(t, storetest.BeginReadOnly(t, store, "db"), c, "x", 1, "the cache is warm")
			})
		}
	})
}
