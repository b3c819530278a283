package deletes_test

import (
	"context"
	"testing"

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
