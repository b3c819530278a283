package acceptance_test

import (
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// What one transaction has set and undone again takes no memory in those that come after it. (P10)
func TestWhatWasUndoneIsNotKeptForTheNextTransaction(t *testing.T) {
	const n = 50_000
	store := storetest.Setups[0].Open(t, 1, txcache.Options{Size: 100, OverlaySize: n})[0]
	c := storetest.NewCache[int, int](t, store, "c", txcache.CacheOptions{})
	before := storetest.Heap()
	for range 10 { // the race detector's pools forget some of what they are given
		tx := storetest.Begin(t, store, "db")
		c.Set(tx, 0, 0)
		_ = tx.Savepoint(func(tx *txcache.Tx) error {
			for k := range n {
				c.Set(tx, k, k)
			}
			return errUndo
		})
		storetest.Commit(t, tx)
		tx = storetest.Begin(t, store, "db")
		c.Set(tx, 0, 0) // it uses what the one before it has held
		if kept := storetest.Heap() - before; kept > 1<<20 {
			t.Errorf("a transaction with one value, after one that has undone %d, keeps %d bytes", n, kept)
		}
		tx.Rollback()
	}
}
