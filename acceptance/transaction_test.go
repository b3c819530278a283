package acceptance_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/seed-dad15c92/txcache"
)

// A transaction that has ended reads nothing, not even what others may read.
func TestAFinishedTransactionReadsNothing(t *testing.T) {
	store := newStore(t, newRecorder(), txcache.Options{})
	c := newCache[string, int](t, store, "c", txcache.CacheOptions{})
	publish(t, store, "db", c, "x", 1)
	for name, end := range map[string]func(*txcache.Tx) error{
		"Commit":   func(tx *txcache.Tx) error { return tx.Commit(t.Context()) },
		"Rollback": (*txcache.Tx).Rollback,
	} {
		tx := begin(t, store, "db")
		hit(t, tx, c, "x", 1, "it was set")
		if err := end(tx); err != nil {
			t.Fatal(err)
		}
		miss(t, tx, c, "x", "the transaction has ended: "+name)
	}
}

// P2: a transaction whose function panicked has ended.
func TestUpdateThatPanicsEndsTheTransaction(t *testing.T) {
	store := newStore(t, newRecorder(), txcache.Options{})
	c := newCache[string, int](t, store, "c", txcache.CacheOptions{})
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
	miss(t, kept, c, "x", "the transaction was rolled back")
	if err := kept.Commit(t.Context()); !errors.Is(err, txcache.ErrTxDone) {
		t.Errorf("Commit = %v; want ErrTxDone", err)
	}
	miss(t, begin(t, store, "db"), c, "x", "the transaction was rolled back")
}

// P2: of a commit that failed nothing is there for others, whatever was set.
func TestAFailedCommitPublishesNothing(t *testing.T) {
	store := newStore(t, newRecorder(), txcache.Options{})
	warm := newCache[string, int](t, store, "warm", txcache.CacheOptions{Warm: true})
	cold := newCache[string, int](t, store, "cold", txcache.CacheOptions{})
	failure := errors.New("serialization failure")
	for _, clears := range []bool{false, true} {
		tx := begin(t, store, "db")
		if clears {
			clearCache(t, tx, warm)
		}
		warm.Set(tx, "x", 1)
		cold.Set(tx, "x", 1)
		if err := tx.CommitWith(t.Context(), func(context.Context) error { return failure }); err != failure {
			t.Errorf("CommitWith = %v; want %v", err, failure)
		}
		miss(t, begin(t, store, "db"), warm, "x", "the commit failed")
		miss(t, begin(t, store, "db"), cold, "x", "the commit failed")
	}
}

// P4: what a transaction has set after a clear may be from before a later write;
// only a cache whose users have promised otherwise is warmed with it.
func TestOnlyWarmCachesAreWarmed(t *testing.T) {
	store := newStore(t, newRecorder(), txcache.Options{})
	for _, warm := range []bool{false, true} {
		c := newCache[string, int](t, store, fmt.Sprint(warm), txcache.CacheOptions{Warm: warm})
		tx := begin(t, store, "db")
		clearCache(t, tx, c)
		c.Set(tx, "x", 1)
		commit(t, tx)
		if _, ok := c.Get(t.Context(), begin(t, store, "db"), "x"); ok != warm {
			t.Errorf("the cache was warmed: %t; want %t", ok, warm)
		}
	}
}

// A transaction that is behind neither takes nor pushes away what others have
// filled since.
func TestAnOldTransactionLeavesOthersTheirValues(t *testing.T) {
	store := newStore(t, newRecorder(), txcache.Options{})
	c := newCache[string, int](t, store, "c", txcache.CacheOptions{})
	other := newCache[string, int](t, store, "other", txcache.CacheOptions{})
	old := begin(t, store, "db")
	for _, cleared := range []*txcache.Cache[string, int]{c, other} {
		tx := begin(t, store, "db")
		clearCache(t, tx, cleared)
		commit(t, tx)
		if cleared == c {
			publish(t, store, "db", c, "x", 1)
			miss(t, old, c, "x", "the transaction began before the clear")
		}
	}
	hit(t, begin(t, store, "db"), c, "x", 1, "nobody has cleared it since")
}
