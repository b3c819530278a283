package deletes_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/storetest"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

// An afterClear is a backend that calls a function once after a clear.
type afterClear struct {
	backend.Backend
	do func() // nil: none
}

func (b *afterClear) Clear(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
	s, err := b.Backend.Clear(ctx, database, f)
	if do := b.do; do != nil {
		b.do = nil // it may clear
		do()
	}
	return s, err
}

// P4: what a transaction has deleted besides a clear of all is not announced, so the one
// delete since it began is that of another transaction.
func TestADeleteBesidesAClearOfAllIsNotItsOwn(t *testing.T) {
	for _, r := range removals {
		t.Run(r.name, func(t *testing.T) {
			b := &afterClear{Backend: memorybackend.New()}
			store := storetest.NewStore(t, b, txcache.Options{})
			c := tagged(t, store, txcache.CacheOptions{Warm: true})
			tx := storetest.Begin(t, store, "db")
			must(t, tx.ClearAll())
			r.in(t, tx, c)
			c.Set(tx, "x", 1)
			c.Set(tx, "y", 1)
			b.do = func() { r.commit(t, store, c) }
			storetest.Commit(t, tx)
			after := storetest.BeginReadOnly(t, store, "db")
			storetest.Miss(t, after, c, "x", "another transaction has changed it since")
			storetest.Hit(t, after, c, "y", 1, "the cache is warm")
		})
	}
}

// P4: two transactions have changed one row while the backend takes no clears; the clear of
// the later one is sent in place of the other's, before that publishes. The one delete that
// there is then is not its own.
func TestADeleteOfAnotherIsNotItsOwn(t *testing.T) {
	for _, r := range removals {
		t.Run(r.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := storetest.NewOutage()
				commits := 0
				var store *txcache.Store
				store = storetest.NewStore(t, b, txcache.Options{Logger: storetest.Silent, Trace: func(ctx context.Context, o txcache.Operation) (context.Context, func(error)) {
					return ctx, func(error) {
						if o.Name != "commit" {
							return
						}
						if commits++; commits < 2 { // the later transaction ends first
							return
						}
						b.Be(func() { b.NoClears = false })
						time.Sleep(10 * time.Second)                                // until it is sent, and the fence of the other removed
						must(t, storetest.BeginReadOnly(t, store, "db").Rollback()) // which the process learns
					}
				}})
				c := tagged(t, store, txcache.CacheOptions{})
				first, second := storetest.Begin(t, store, "db"), storetest.Begin(t, store, "db")
				for i, tx := range []*txcache.Tx{first, second} {
					r.in(t, tx, c)
					c.Set(tx, "x", i)
				}
				must(t, first.CommitWith(t.Context(), func(ctx context.Context) error { // it has the row, then second has
					b.Be(func() { b.NoClears = true })
					return second.Commit(ctx)
				}))
				if commits != 2 {
					t.Fatalf("%d commits were traced, want two", commits)
				}
				storetest.Miss(t, storetest.BeginReadOnly(t, store, "db"), c, "x", "two transactions have changed it")
			})
		})
	}
}
