package commits_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/storetest"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

// A forgetful authority loses each fence as soon as it stands.
type forgetful struct {
	backend.Backend
	away atomic.Bool // it cannot be told of clears any more
}

func (b *forgetful) Fence(ctx context.Context, database string, f backend.Fence) error {
	return errors.Join(b.Backend.Fence(ctx, database, f), b.Unfence(ctx, database, f))
}

func (b *forgetful) Clear(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
	if b.away.Load() {
		return nil, errors.New("connection refused")
	}
	return b.Backend.Clear(ctx, database, f)
}

// A fence that is lost within the database's commit lets others fill the cache
// with the old row. What they have filled goes with the clear, and, where that
// never comes, with the next clear by a transaction that began after the commit.
func TestWhatALostFenceLeavesIsCleared(t *testing.T) {
	for _, dies := range []bool{false, true} {
		authority := memorybackend.New()
		f := &forgetful{Backend: storetest.Shared(authority)}
		writer := storetest.NewStore(t, f, txcache.Options{Logger: storetest.Silent})
		other := storetest.NewStore(t, storetest.Shared(authority), txcache.Options{})
		w := storetest.NewCache[string, int](t, writer, "c", txcache.CacheOptions{})
		o := storetest.NewCache[string, int](t, other, "c", txcache.CacheOptions{Warm: true})
		tx := storetest.Begin(t, writer, "db")
		storetest.Clear(t, tx, w)
		if err := tx.CommitWith(t.Context(), func(context.Context) error {
			storetest.Publish(t, other, "db", o, "x", 1)
			f.away.Store(dies)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if dies {
			storetest.Hit(t, storetest.Begin(t, other, "db"), o, "x", 1, "this is not promised, and what the rest of the test is about")
			tx = storetest.Begin(t, other, "db")
			storetest.Clear(t, tx, o)
			o.Set(tx, "y", 2)
			storetest.Commit(t, tx)
			storetest.Hit(t, storetest.Begin(t, other, "db"), o, "y", 2, "it was read after the commit")
		}
		storetest.Miss(t, storetest.Begin(t, other, "db"), o, "x", "it was cleared")
		f.away.Store(false)
	}
}
