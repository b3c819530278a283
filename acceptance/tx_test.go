package acceptance_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

func TestFinishedTransaction(t *testing.T) {
	ends := map[string]func(t *testing.T, tx *txcache.Tx){
		"commit":   func(t *testing.T, tx *txcache.Tx) { storetest.Commit(t, tx) },
		"rollback": func(t *testing.T, tx *txcache.Tx) { tx.Rollback() },
		"failed commit": func(t *testing.T, tx *txcache.Tx) {
			tx.CommitWith(t.Context(), func(context.Context) error { return errors.New("failure") })
		},
	}
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		for name, end := range ends {
			t.Run(name, func(t *testing.T) {
				store := s.One(t)
				c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
				storetest.Publish(t, store, "db", c, "x", 1)
				tx := storetest.Begin(t, store, "db")
				c.Set(tx, "own", 2)
				handle := tx.WithUser("somebody")
				end(t, tx)

				for _, tx := range []*txcache.Tx{tx, handle, tx.WithUser("other")} {
					storetest.Miss(t, tx, c, "x", "the transaction is finished")
					storetest.Miss(t, tx, c, "own", "the transaction is finished")
					c.Set(tx, "late", 3)
					storetest.Miss(t, tx, c, "late", "the transaction is finished")
					if got := c.GetMany(t.Context(), tx, []string{"x", "own"}); len(got) != 0 {
						t.Errorf("GetMany = %v; want nothing", got)
					}
					loader := func(context.Context) (int, error) {
						t.Error("a finished transaction has called the loader")
						return 0, nil
					}
					_, err := c.Load(t.Context(), tx, "y", loader)
					for call, err := range map[string]error{
						"Load":       err,
						"Clear":      c.Clear(tx),
						"ClearAll":   tx.ClearAll(),
						"Commit":     tx.Commit(t.Context()),
						"CommitWith": tx.CommitWith(t.Context(), func(context.Context) error { t.Error("commit was called"); return nil }),
						"Rollback":   tx.Rollback(),
						"Savepoint":  tx.Savepoint(func(*txcache.Tx) error { t.Error("fn was called"); return nil }),
					} {
						if !errors.Is(err, txcache.ErrTxDone) {
							t.Errorf("%s = %v; want ErrTxDone", call, err)
						}
					}
				}
				storetest.Miss(t, storetest.Begin(t, store, "db"), c, "late", "it was set too late")
			})
		}
	})
}

func TestReadOnlyTransaction(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		store := s.One(t)
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		finished := storetest.BeginReadOnly(t, store, "db")
		storetest.Commit(t, finished)
		if err := errors.Join(c.Clear(finished), finished.ClearAll()); !errors.Is(err, txcache.ErrTxDone) || errors.Is(err, txcache.ErrReadOnly) {
			t.Errorf("Clear and ClearAll of a finished transaction = %v; want ErrTxDone", err)
		}
		tx := storetest.BeginReadOnly(t, store, "db")
		if err := c.Clear(tx); !errors.Is(err, txcache.ErrReadOnly) {
			t.Errorf("Clear = %v; want ErrReadOnly", err)
		}
		if err := tx.ClearAll(); !errors.Is(err, txcache.ErrReadOnly) {
			t.Errorf("ClearAll = %v; want ErrReadOnly", err)
		}
		tx = storetest.BeginReadOnly(t, store, "db")
		c.Set(tx, "x", 1)
		storetest.Hit(t, tx, c, "x", 1, "it has set it")
		called := false
		if err := tx.CommitWith(t.Context(), func(context.Context) error { called = true; return nil }); err != nil || !called {
			t.Errorf("CommitWith = %v, called %v; want the database's commit called", err, called)
		}
		storetest.Hit(t, storetest.Begin(t, store, "db"), c, "x", 1, "what a read-only transaction has read is shared")
		c.Set(tx, "late", 1)
		storetest.Miss(t, storetest.Begin(t, store, "db"), c, "late", "the transaction was finished")
	})
}

func TestReadOnlyTransactionSharesAtOnceInTheProcess(t *testing.T) {
	store := storetest.Setups[0].One(t)
	c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
	tx := storetest.BeginReadOnly(t, store, "db")
	c.Set(tx, "x", 1)
	storetest.Hit(t, storetest.Begin(t, store, "db"), c, "x", 1, "it cannot be uncommitted")
	tx.Savepoint(func(tx *txcache.Tx) error {
		c.Set(tx, "y", 1)
		storetest.Hit(t, tx, c, "y", 1, "it has set it")
		storetest.Miss(t, storetest.Begin(t, store, "db"), c, "y", "it may be undone yet")
		return errors.New("undo")
	})
	storetest.Miss(t, tx, c, "y", "it was undone")
}

// P8: with the backend away transactions begin all the same, and miss.
func TestBeginDuringAnOutage(t *testing.T) {
	r := storetest.NewRecorder()
	store := storetest.NewStore(t, r, txcache.Options{Logger: storetest.Silent})
	c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
	storetest.Publish(t, store, "db", c, "x", 1)
	r.Failing("Sync", errors.New("connection refused"))

	tx := storetest.Begin(t, store, "db")
	if !tx.SyncedAt().IsZero() || !c.SyncSince(tx, time.Unix(0, 0)) {
		t.Error("a transaction that was not synchronised says it was")
	}
	storetest.Miss(t, tx, c, "x", "nobody knows whether it is good")
	c.Set(tx, "x", 2)
	storetest.Hit(t, tx, c, "x", 2, "it is the transaction's own")
	reader := storetest.BeginReadOnly(t, store, "db")
	c.Set(reader, "y", 2)
	storetest.Hit(t, reader, c, "y", 2, "it is the transaction's own")
	if v, err := c.Load(t.Context(), reader, "z", func(context.Context) (int, error) { return 3, nil }); v != 3 || err != nil {
		t.Errorf("Load = %v, %v; want the database's value", v, err)
	}
	storetest.Commit(t, tx)
	storetest.Commit(t, reader)
	if err := store.Sync(t.Context(), "db"); !errors.Is(err, txcache.ErrUnavailable) {
		t.Errorf("Sync = %v; want ErrUnavailable", err)
	}

	r.Failing("Sync", nil)
	after := storetest.Begin(t, store, "db")
	storetest.Hit(t, after, c, "x", 1, "the outage is over, and nobody has cleared")
	storetest.Miss(t, after, c, "y", "what was set during the outage belongs to no generation")
}

func TestSyncedAt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := storetest.NewStore(t, memorybackend.New(), txcache.Options{Poll: time.Minute})
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		start := time.Now()
		tx := storetest.Begin(t, store, "db")
		if !tx.SyncedAt().Equal(start) {
			t.Errorf("SyncedAt = %v; want %v", tx.SyncedAt(), start)
		}
		if c.SyncSince(tx, start) || !c.SyncSince(tx, start.Add(1)) || c.SyncSince(tx, start.Add(-1)) {
			t.Error("SyncSince is not whether the synchronisation was before")
		}
		time.Sleep(30 * time.Second)
		if at := storetest.Begin(t, store, "db").SyncedAt(); !at.Equal(start) {
			t.Errorf("SyncedAt = %v within the poll interval; want %v", at, start)
		}
		if err := store.Sync(t.Context(), "db"); err != nil {
			t.Fatal(err)
		}
		if at := storetest.Begin(t, store, "db").SyncedAt(); at.Sub(start) != 30*time.Second {
			t.Errorf("SyncedAt = %v after Sync; want half a minute after %v", at, start)
		}
	})
}

// With polling, other servers' commits are seen when the poll is due, one's own
// at once.
func TestPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memorybackend.New()
		here := storetest.NewStore(t, storetest.Shared(b), txcache.Options{Poll: time.Minute})
		there := storetest.NewStore(t, storetest.Shared(b), txcache.Options{})
		c := storetest.NewCache[string, int](t, here, "c", txcache.CacheOptions{})
		d := storetest.NewCache[string, int](t, there, "c", txcache.CacheOptions{})
		storetest.Publish(t, here, "db", c, "x", 1)

		tx := storetest.Begin(t, there, "db")
		storetest.Clear(t, tx, d)
		storetest.Commit(t, tx)
		time.Sleep(time.Minute - 1)
		storetest.Hit(t, storetest.Begin(t, here, "db"), c, "x", 1, "the poll is not due")
		time.Sleep(time.Nanosecond)
		storetest.Miss(t, storetest.Begin(t, here, "db"), c, "x", "the poll is due")

		storetest.Publish(t, here, "db", c, "x", 2)
		tx = storetest.Begin(t, here, "db")
		storetest.Clear(t, tx, c)
		err := tx.CommitWith(t.Context(), func(context.Context) error {
			storetest.Miss(t, storetest.Begin(t, here, "db"), c, "x", "own fences count at once")
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		storetest.Miss(t, storetest.Begin(t, here, "db"), c, "x", "own commits count at once")
	})
}

func TestHandleIsSafeForConcurrentUse(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		store := s.One(t)
		c := storetest.NewCache[int, int](t, store, "c", txcache.CacheOptions{})
		storetest.Publish(t, store, "db", c, 0, 0)
		tx := storetest.Begin(t, store, "db")
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				handle := tx.WithUser(g)
				for i := range 200 {
					handle.SyncedAt()
					c.Set(handle, i, g)
					if v, ok := c.Get(t.Context(), handle, i); ok && v != g {
						t.Errorf("user %d got the value of user %d", g, v)
					}
					switch {
					case i%50 == 49:
						c.Clear(handle)
					case i%20 == 19:
						tx.Savepoint(func(*txcache.Tx) error { c.Set(handle, i, g); return errors.New("undo") })
					case i == 150 && g == 7:
						tx.Rollback()
					}
				}
			})
		}
		wg.Wait()
		storetest.Miss(t, storetest.Begin(t, store, "db").WithUser(1), c, 1, "it was rolled back")
	})
}
