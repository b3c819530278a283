package deletes_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// P4: transactions that began before any of several deletes refill, near and remote, and
// by every method. Only those that began after the last are of use.
func TestP4OldTransactionsRefill(t *testing.T) {
	const between = 7
	ways := map[string]func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, int], v int){
		"Set": func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, int], v int) { c.Set(tx, "x", v) },
		"Load": func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, int], v int) {
			if got, err := c.Load(t.Context(), tx, "x", storetest.Constant(v, nil)); got != v && got != between || err != nil {
				t.Errorf("Load = %d, %v; want %d, or what was filled since the transaction began", got, err, v)
			}
		},
		"LoadMany": func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, int], v int) {
			if _, err := c.LoadMany(t.Context(), tx, []string{"z", "x"}, func(context.Context, []string) (map[string]int, error) { return map[string]int{"x": v}, nil }); err != nil {
				t.Error(err)
			}
		},
	}
	eachRemoval(t, func(t *testing.T, s storetest.Setup, r removal) {
		for name, fill := range ways {
			for _, readOnly := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s/read-only=%v", name, readOnly), func(t *testing.T) {
					stores := s.Open(t, 2, txcache.Options{})
					caches := []*txcache.Cache[string, int]{tagged(t, stores[0], txcache.CacheOptions{}), tagged(t, stores[1], txcache.CacheOptions{})}
					begin := func(server int) *txcache.Tx {
						if readOnly {
							return storetest.BeginReadOnly(t, stores[server], "db")
						}
						return storetest.Begin(t, stores[server], "db")
					}
					var old [2][]*txcache.Tx
					for i := range 3 {
						for server := range 2 {
							old[server] = append(old[server], begin(server), begin(server))
						}
						r.commit(t, stores[i%2], caches[i%2])
						if i == 1 { // a value between two deletes
							storetest.Publish(t, stores[0], "db", caches[0], "x", between)
						}
					}
					none := func(when string) {
						t.Helper()
						for server, c := range caches {
							storetest.Miss(t, storetest.BeginReadOnly(t, stores[server], "db"), c, "x", when)
						}
					}
					none("it is deleted")
					for server := range 2 {
						for i, tx := range old[server] {
							fill(t, tx, caches[server], i+1)
							none("an old transaction has loaded it")
							if i%2 == 0 {
								storetest.Commit(t, tx)
							} else {
								must(t, tx.Rollback())
							}
							none("an old transaction has ended")
						}
					}
					tx := storetest.BeginReadOnly(t, stores[0], "db")
					fill(t, tx, caches[0], 9)
					storetest.Commit(t, tx)
					storetest.Hit(t, storetest.BeginReadOnly(t, stores[0], "db"), caches[0], "x", 9, "it is new")
					if s.Remote {
						storetest.Hit(t, storetest.BeginReadOnly(t, stores[1], "db"), caches[1], "x", 9, "it is new")
					}
				})
			}
		}
	})
}

// P4: a transaction that began after a delete gets nothing of a load that began before,
// whether that is in its process or in another that has the lease.
func TestP4NoLoadIsSharedAcrossADelete(t *testing.T) {
	for _, lease := range []time.Duration{0, time.Minute} {
		for _, many := range []bool{false, true} {
			t.Run(fmt.Sprintf("lease=%v,LoadMany=%v", lease, many), func(t *testing.T) {
				eachRemoval(t, func(t *testing.T, s storetest.Setup, r removal) {
					for server := range 2 {
						stores := s.Open(t, 2, txcache.Options{})
						opts := txcache.CacheOptions{Lease: lease}
						caches := []*txcache.Cache[string, int]{tagged(t, stores[0], opts), tagged(t, stores[1], opts)}
						load := func(c *txcache.Cache[string, int], tx *txcache.Tx, other string, loader func(context.Context) (int, error)) (int, error) {
							if !many {
								return c.Load(context.Background(), tx, "x", loader)
							}
							got, err := c.LoadMany(context.Background(), tx, []string{other, "x"}, func(ctx context.Context, _ []string) (map[string]int, error) {
								v, err := loader(ctx)
								return map[string]int{other: v, "x": v}, err
							})
							return got["x"], err
						}
						old := storetest.BeginReadOnly(t, stores[0], "db")
						reading, landing, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
						go func() {
							v, err := load(caches[0], old, "a", func(context.Context) (int, error) { close(reading); <-landing; return 1, nil })
							if v != 1 {
								err = errors.Join(err, fmt.Errorf("the old load returned %d", v))
							}
							done <- err
						}()
						<-reading
						r.commit(t, stores[0], caches[0])
						start := time.Now()
						tx := storetest.BeginReadOnly(t, stores[server], "db")
						if v, err := load(caches[server], tx, "b", storetest.Constant(2, nil)); v != 2 || err != nil {
							t.Errorf("Load = %d, %v; want what is there since the delete", v, err)
						}
						if d := time.Since(start); d > 30*time.Second {
							t.Errorf("it took %v: an old lease held it up", d)
						}
						storetest.Commit(t, tx)
						close(landing)
						must(t, <-done)
						must(t, old.Rollback())
						for i, store := range stores {
							if v, ok := caches[i].Get(t.Context(), storetest.BeginReadOnly(t, store, "db"), "x"); ok && v != 2 {
								t.Errorf("Get = %d; want what is there since the delete", v)
							}
						}
					}
				})
			})
		}
	}
}

// P3: a transaction that begins while a removal is being committed gets nothing of a
// load that began before.
func TestNoLoadIsSharedAcrossAFence(t *testing.T) {
	for _, r := range removals {
		t.Run(r.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := storetest.Setups[0].One(t)
				c := tagged(t, store, txcache.CacheOptions{})
				old := storetest.BeginReadOnly(t, store, "db")
				landing, done := make(chan struct{}), make(chan error, 1)
				go func() {
					_, err := c.Load(context.Background(), old, "x", func(context.Context) (int, error) { <-landing; return 1, nil })
					done <- err
				}()
				synctest.Wait()
				tx := storetest.Begin(t, store, "db")
				r.in(t, tx, c)
				must(t, tx.CommitWith(t.Context(), func(ctx context.Context) error {
					v, err := c.Load(ctx, storetest.BeginReadOnly(t, store, "db"), "x", storetest.Constant(2, nil))
					if v != 2 {
						t.Errorf("Load = %d; want what the database has by then", v)
					}
					return err
				}))
				close(landing)
				must(t, <-done)
			})
		})
	}
}

// P4: what a transaction fills that began before the first use of the cache in the process is
// deleted like all else, be it much older.
func TestFillsOfOlderTransactionsThanTheGeneration(t *testing.T) {
	for _, leap := range []uint64{1, 1 << 28} {
		for _, r := range removals {
			t.Run(fmt.Sprint(leap, "/", r.name), func(t *testing.T) {
				store := storetest.NewStore(t, newLeaping(leap), txcache.Options{})
				c, other := tagged(t, store, txcache.CacheOptions{}), storetest.NewCache[string, int](t, store, "other", txcache.CacheOptions{})
				old := storetest.BeginReadOnly(t, store, "db")
				remove(t, store, other, "y")
				storetest.Miss(t, storetest.BeginReadOnly(t, store, "db"), c, "x", "it was never set") // the first use
				c.Set(old, "x", 1)
				storetest.Hit(t, storetest.BeginReadOnly(t, store, "db"), c, "x", 1, "nobody has deleted it")
				r.commit(t, store, c)
				storetest.Miss(t, storetest.BeginReadOnly(t, store, "db"), c, "x", "it was deleted")
			})
		}
	}
}

// P11: nor does such a fill take away what younger transactions have filled since the last delete.
func TestFillsOfOlderTransactionsTakeNothingAway(t *testing.T) {
	eachRemoval(t, func(t *testing.T, s storetest.Setup, r removal) {
		store := s.One(t)
		c, other := tagged(t, store, txcache.CacheOptions{}), storetest.NewCache[string, int](t, store, "other", txcache.CacheOptions{})
		r.commit(t, store, c)
		old := storetest.BeginReadOnly(t, store, "db")
		remove(t, store, other, "y")
		young := storetest.BeginReadOnly(t, store, "db")
		c.Set(young, "x", 1) // the first use
		c.Set(old, "x", 1)
		must(t, old.Rollback())
		storetest.Hit(t, young, c, "x", 1, "nobody has deleted it since")
		storetest.Hit(t, storetest.BeginReadOnly(t, store, "db"), c, "x", 1, "nobody has deleted it since")
	})
}

// P4: a delete and a load of other keys do not concern each other: the load is shared.
func TestLoadsOfOtherKeysAreShared(t *testing.T) {
	for _, r := range removals {
		synctest.Test(t, func(t *testing.T) {
			store := storetest.Setups[0].One(t)
			c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
			done := make(chan int, 2)
			for range 2 {
				tx := storetest.BeginReadOnly(t, store, "db")
				go func() {
					v, _ := c.Load(context.Background(), tx, "y", func(context.Context) (int, error) { time.Sleep(time.Second); return 1, nil })
					done <- v
				}()
				synctest.Wait()
				r.commit(t, store, c)
			}
			if a, b := <-done, <-done; a != 1 || b != 1 {
				t.Errorf("Load = %d and %d", a, b)
			}
			if s := c.Stats(); s.Loads != 1 || s.Shared != 1 {
				t.Errorf("%d loads, %d shared; want one for both", s.Loads, s.Shared)
			}
		})
	}
}

// P4: a refresh that runs across a delete leaves nothing.
func TestP4ARefreshAcrossADelete(t *testing.T) {
	for _, s := range storetest.Setups {
		for _, r := range removals {
			for _, when := range []string{"while it loads", "before it begins", "while the delete commits"} {
				t.Run(s.Name+"/"+r.name+"/"+when, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						stores := s.Open(t, 2, txcache.Options{})
						opts := txcache.CacheOptions{Duration: time.Minute}
						c, other := tagged(t, stores[0], opts), tagged(t, stores[1], opts)
						started := 0
						c.RefreshEarly(func(context.Context, *txcache.Tx, string) (int, error) {
							started++
							v := 1
							if when == "before it begins" {
								v = 2 // its transaction is newer
							}
							time.Sleep(time.Second)
							return v, nil
						})
						first := storetest.BeginReadOnly(t, stores[0], "db")
						if _, err := c.Load(t.Context(), first, "x", func(context.Context) (int, error) { time.Sleep(time.Second); return 1, nil }); err != nil {
							t.Fatal(err)
						}
						storetest.Commit(t, first)
						time.Sleep(time.Minute - 20*time.Millisecond)
						hot := storetest.BeginReadOnly(t, stores[0], "db")
						hit := func() {
							for range 100 { // until it is drawn
								c.Get(t.Context(), hot, "x")
							}
							synctest.Wait()
						}
						remove := func() { r.commit(t, stores[1], other) }
						switch when {
						case "while it loads":
							hit()
							remove()
						case "before it begins":
							remove()
							hit() // by a transaction that does not know
						default:
							tx := storetest.Begin(t, stores[1], "db")
							r.in(t, tx, other)
							must(t, tx.CommitWith(t.Context(), func(context.Context) error { hit(); return nil }))
						}
						time.Sleep(2 * time.Second)
						synctest.Wait()
						for i, c := range []*txcache.Cache[string, int]{c, other} {
							if v, ok := c.Get(t.Context(), storetest.BeginReadOnly(t, stores[i], "db"), "x"); ok && v != 2 {
								t.Errorf("Get = %d; want nothing of before the delete; %d refreshes", v, started)
							}
						}
						if when == "while it loads" && s.Name != "values without near" && s.Name != "redis without near" && started == 0 {
							t.Error("nothing was refreshed, so this shows nothing")
						}
					})
				})
			}
		}
	}
}

// An expired value is not used in place of an error once it was deleted, by others or in
// the transaction or its loader.
func TestStaleForUnderDeletes(t *testing.T) {
	failed := errors.New("failed")
	for _, s := range storetest.Setups {
		for _, r := range removals {
			for _, when := range []string{"never", "before", "while it loads", "in the transaction", "in the loader", "filled since"} {
				t.Run(s.Name+"/"+r.name+"/"+when, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						stores := s.Open(t, 2, txcache.Options{Logger: storetest.Silent})
						opts := txcache.CacheOptions{Duration: time.Second, StaleFor: time.Hour}
						c, other := tagged(t, stores[0], opts), tagged(t, stores[1], opts)
						storetest.Publish(t, stores[0], "db", c, "x", 1)
						time.Sleep(2 * time.Second)
						switch when {
						case "before":
							r.commit(t, stores[1], other)
						case "filled since":
							r.commit(t, stores[1], other)
							storetest.Publish(t, stores[0], "db", c, "x", 2)
							time.Sleep(2 * time.Second)
						}
						tx := storetest.Begin(t, stores[0], "db")
						if when == "in the transaction" {
							r.in(t, tx, c)
						}
						v, err := c.Load(t.Context(), tx, "x", func(context.Context) (int, error) {
							switch when {
							case "while it loads":
								r.commit(t, stores[0], c)
							case "in the loader":
								r.in(t, tx, c)
							}
							return 0, failed
						})
						want := map[string]int{"never": 1, "filled since": 2}[when]
						if (want > 0) != (err == nil) || v != want {
							t.Errorf("Load = %d, %v; want %d", v, err, want)
						}
						must(t, tx.Rollback())
						if when != "in the transaction" && when != "in the loader" {
							return
						}
						if v, err := c.Load(t.Context(), storetest.BeginReadOnly(t, stores[0], "db"), "x", storetest.Constant(0, failed)); v != 1 || err != nil {
							t.Errorf("Load = %d, %v; want the expired value: the delete was rolled back", v, err)
						}
					})
				})
			}
		}
	}
}

// Verify reports no hit that a delete has overtaken, and one that nobody has deleted.
func TestVerifyUnderDeletes(t *testing.T) {
	eachRemoval(t, func(t *testing.T, s storetest.Setup, r removal) {
		for _, when := range []string{"before the hit", "while it loads", "while the delete commits", "never"} {
			for server := range 2 {
				stale := 0
				stores := s.Open(t, 2, txcache.Options{Logger: storetest.Silent, OnStale: func(_ context.Context, hit txcache.StaleHit) { stale++ }})
				opts := txcache.CacheOptions{Verify: 1}
				caches := []*txcache.Cache[string, int]{tagged(t, stores[0], opts), tagged(t, stores[1], opts)}
				storetest.Publish(t, stores[0], "db", caches[0], "x", 1)
				tx := storetest.BeginReadOnly(t, stores[0], "db")
				if when == "before the hit" {
					r.commit(t, stores[server], caches[server])
				}
				v, err := caches[0].Load(t.Context(), tx, "x", func(context.Context) (int, error) {
					switch when {
					case "while it loads":
						r.commit(t, stores[server], caches[server])
					case "while the delete commits":
						w := storetest.Begin(t, stores[server], "db")
						r.in(t, w, caches[server])
						must(t, w.CommitWith(t.Context(), func(context.Context) error {
							got, err := caches[0].Load(t.Context(), storetest.BeginReadOnly(t, stores[0], "db"), "x", storetest.Constant(2, nil))
							if got != 2 || err != nil {
								t.Errorf("Load = %d, %v; want what is in the database", got, err)
							}
							return nil
						}))
					}
					return 2, nil
				})
				if err != nil || v != 1 && v != 2 {
					t.Errorf("Load = %d, %v", v, err)
				}
				storetest.Commit(t, tx)
				if (stale > 0) != (when == "never") {
					t.Errorf("a delete %s on server %d: %d stale hits", when, server, stale)
				}
				if v, ok := caches[0].Get(t.Context(), storetest.BeginReadOnly(t, stores[0], "db"), "x"); ok && v != 2 {
					t.Errorf("a delete %s on server %d: Get = %d afterwards", when, server, v)
				}
			}
		}
	})
}
