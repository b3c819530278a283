package deletes_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// P1 to P3, P5: what becomes of a removal by each outcome of the commit.
func TestOutcomes(t *testing.T) {
	failure := errors.New("failure")
	for _, test := range []struct {
		name   string
		end    func(t *testing.T, tx *txcache.Tx)
		gone   bool // x is not there afterwards
		fenced bool // x cannot be filled
	}{
		{"committed", func(t *testing.T, tx *txcache.Tx) { storetest.Commit(t, tx) }, true, false},
		{"rolled back", func(t *testing.T, tx *txcache.Tx) { must(t, tx.Rollback()) }, false, false},
		{"refused", ending(txcache.NotCommitted(failure)), true, false},
		{"not sent", ending(txcache.NotSent(failure)), false, false},
		{"in doubt", ending(failure), true, true},
		{"the context is done", func(t *testing.T, tx *txcache.Tx) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := tx.Commit(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("Commit = %v", err)
			}
		}, false, false},
		{"panic", func(t *testing.T, tx *txcache.Tx) {
			defer func() {
				if p := recover(); p != "panic" {
					t.Errorf("it panics with %v", p)
				}
			}()
			_ = tx.CommitWith(t.Context(), func(context.Context) error { panic("panic") })
		}, true, true},
		{"panic that says that it was refused", func(t *testing.T, tx *txcache.Tx) {
			defer func() { _ = recover() }()
			_ = tx.CommitWith(t.Context(), func(context.Context) error { panic(txcache.NotCommitted(failure)) })
		}, true, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			eachRemoval(t, func(t *testing.T, s storetest.Setup, r removal) {
				stores := s.Open(t, 2, txcache.Options{Logger: storetest.Silent, Fence: 400 * time.Millisecond})
				caches := []*txcache.Cache[string, int]{tagged(t, stores[0], txcache.CacheOptions{}), tagged(t, stores[1], txcache.CacheOptions{})}
				fill := func(value int) {
					for i, store := range stores {
						tx := storetest.BeginReadOnly(t, store, "db")
						caches[i].Set(tx, "x", value)
						storetest.Commit(t, tx)
					}
				}
				fill(1)
				for i, store := range stores {
					storetest.Publish(t, store, "db", caches[i], "y", 1)
				}
				tx := storetest.Begin(t, stores[0], "db")
				r.in(t, tx, caches[0])
				caches[0].Set(tx, "x", 2)
				test.end(t, tx)
				for i, store := range stores {
					after := storetest.BeginReadOnly(t, store, "db")
					switch {
					case !test.gone:
						storetest.Hit(t, after, caches[i], "x", 1, "nothing was removed")
					case test.name != "committed":
						storetest.Miss(t, after, caches[i], "x", "it was removed")
					case i == 0 || s.Remote:
						storetest.Hit(t, after, caches[i], "x", 2, "it was written through")
					default:
						storetest.Miss(t, after, caches[i], "x", "it was removed")
					}
					storetest.Hit(t, after, caches[i], "y", 1, "it is another key")
				}
				if !test.gone {
					return
				}
				fill(3)
				for i, store := range stores {
					after := storetest.BeginReadOnly(t, store, "db")
					if test.fenced {
						storetest.Miss(t, after, caches[i], "x", "it is fenced")
					} else {
						storetest.Hit(t, after, caches[i], "x", 3, "it was filled again")
					}
				}
				if !test.fenced {
					return
				}
				storetest.Within(t, storetest.Recovery, "x is in use again", func() bool {
					fill(4)
					for i, store := range stores {
						if v, ok := caches[i].Get(t.Context(), storetest.BeginReadOnly(t, store, "db"), "x"); !ok || v != 4 {
							return false
						}
					}
					return true
				})
				for i, store := range stores {
					storetest.Hit(t, storetest.BeginReadOnly(t, store, "db"), caches[i], "y", 1, "it is another key")
				}
			})
		})
	}
}

func ending(err error) func(t *testing.T, tx *txcache.Tx) {
	return func(t *testing.T, tx *txcache.Tx) {
		if got := tx.CommitWith(t.Context(), func(context.Context) error { return err }); got != err {
			t.Errorf("CommitWith = %v; want %v", got, err)
		}
	}
}

// P3: the key of a commit in doubt is fenced for the lease, to the moment.
func TestADeleteInDoubtIsFencedForTheLease(t *testing.T) {
	for _, r := range removals {
		t.Run(r.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := storetest.NewRecorder()
				store := storetest.NewStore(t, b, txcache.Options{Logger: storetest.Silent})
				c := tagged(t, store, txcache.CacheOptions{})
				storetest.Publish(t, store, "db", c, "y", 1)
				for range 2 { // the second replaces the first
					tx := storetest.Begin(t, store, "db")
					r.in(t, tx, c)
					if err := tx.CommitWith(t.Context(), func(context.Context) error { return io.EOF }); err != io.EOF {
						t.Errorf("CommitWith = %v", err)
					}
				}
				b.Taken()
				time.Sleep(time.Minute - time.Nanosecond)
				storetest.Publish(t, store, "db", c, "x", 1)
				storetest.Miss(t, storetest.BeginReadOnly(t, store, "db"), c, "x", "the lease has not ended")
				storetest.Hit(t, storetest.BeginReadOnly(t, store, "db"), c, "y", 1, "it is another key")
				time.Sleep(time.Nanosecond)
				synctest.Wait()
				if got := b.Taken(); got != "Unfence Clear" && got != "Clear" {
					t.Errorf("%s; want one clear, when the lease has ended", got)
				}
				storetest.Publish(t, store, "db", c, "x", 1)
				storetest.Hit(t, storetest.BeginReadOnly(t, store, "db"), c, "x", 1, "the lease has ended")
				storetest.Hit(t, storetest.BeginReadOnly(t, store, "db"), c, "y", 1, "it is another key")
			})
		})
	}
}
