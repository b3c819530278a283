package acceptance_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// A transaction that has ended reads nothing, not even what others may read.
func TestAFinishedTransactionReadsNothing(t *testing.T) {
	store := storetest.NewStore(t, storetest.NewRecorder(), txcache.Options{})
	c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
	storetest.Publish(t, store, "db", c, "x", 1)
	for name, end := range map[string]func(*txcache.Tx) error{
		"Commit":   func(tx *txcache.Tx) error { return tx.Commit(t.Context()) },
		"Rollback": (*txcache.Tx).Rollback,
	} {
		tx := storetest.Begin(t, store, "db")
		storetest.Hit(t, tx, c, "x", 1, "it was set")
		if err := end(tx); err != nil {
			t.Fatal(err)
		}
		storetest.Miss(t, tx, c, "x", "the transaction has ended: "+name)
	}
}

// P2: a transaction whose function panicked has ended.
func TestUpdateThatPanicsEndsTheTransaction(t *testing.T) {
	store := storetest.NewStore(t, storetest.NewRecorder(), txcache.Options{})
	c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
	var kept *txcache.Tx
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic did not come through")
			}
		}()
		_ = store.Update(t.Context(), "db", func(tx *txcache.Tx) error {
			kept = tx
			c.Set(tx, "x", 1)
			panic("trouble")
		})
	}()
	storetest.Miss(t, kept, c, "x", "the transaction was rolled back")
	if err := kept.Commit(t.Context()); !errors.Is(err, txcache.ErrTxDone) {
		t.Errorf("Commit = %v; want ErrTxDone", err)
	}
	storetest.Miss(t, storetest.Begin(t, store, "db"), c, "x", "the transaction was rolled back")
}

// P2: of a commit that failed nothing is there for others, whatever was set.
func TestAFailedCommitPublishesNothing(t *testing.T) {
	store := storetest.NewStore(t, storetest.NewRecorder(), txcache.Options{})
	warm := storetest.NewCache[string, int](t, store, "warm", txcache.CacheOptions{Warm: true})
	cold := storetest.NewCache[string, int](t, store, "cold", txcache.CacheOptions{})
	failure := errors.New("serialization failure")
	for _, clears := range []bool{false, true} {
		tx := storetest.Begin(t, store, "db")
		if clears {
			storetest.Clear(t, tx, warm)
		}
		warm.Set(tx, "x", 1)
		cold.Set(tx, "x", 1)
		if err := tx.CommitWith(t.Context(), func(context.Context) error { return failure }); err != failure {
			t.Errorf("CommitWith = %v; want %v", err, failure)
		}
		storetest.Miss(t, storetest.Begin(t, store, "db"), warm, "x", "the commit failed")
		storetest.Miss(t, storetest.Begin(t, store, "db"), cold, "x", "the commit failed")
	}
}

// P4: what a transaction has set after a clear may be from before a later write;
// only a cache whose users have promised otherwise is warmed with it.
func TestOnlyWarmCachesAreWarmed(t *testing.T) {
	store := storetest.NewStore(t, storetest.NewRecorder(), txcache.Options{})
	for _, warm := range []bool{false, true} {
		c := storetest.NewCache[string, int](t, store, fmt.Sprint(warm), txcache.CacheOptions{Warm: warm})
		tx := storetest.Begin(t, store, "db")
		storetest.Clear(t, tx, c)
		c.Set(tx, "x", 1)
		storetest.Commit(t, tx)
		if _, ok := c.Get(t.Context(), storetest.Begin(t, store, "db"), "x"); ok != warm {
			t.Errorf("the cache was warmed: %t; want %t", ok, warm)
		}
	}
}

// A transaction that is behind neither takes nor pushes away what others have
// filled since.
func TestAnOldTransactionLeavesOthersTheirValues(t *testing.T) {
	store := storetest.NewStore(t, storetest.NewRecorder(), txcache.Options{})
	c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
	other := storetest.NewCache[string, int](t, store, "other", txcache.CacheOptions{})
	old := storetest.Begin(t, store, "db")
	for _, cleared := range []*txcache.Cache[string, int]{c, other} {
		tx := storetest.Begin(t, store, "db")
		storetest.Clear(t, tx, cleared)
		storetest.Commit(t, tx)
		if cleared == c {
			storetest.Publish(t, store, "db", c, "x", 1)
			storetest.Miss(t, old, c, "x", "the transaction began before the clear")
		}
	}
	storetest.Hit(t, storetest.Begin(t, store, "db"), c, "x", 1, "nobody has cleared it since")
}
