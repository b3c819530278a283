package acceptance_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

func TestSavepoints(t *testing.T) {
	undo := errors.New("undo")
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		store := s.One(t)
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		d := storetest.NewCache[string, int](t, store, "d", txcache.CacheOptions{})
		storetest.Publish(t, store, "db", c, "shared", 1)
		storetest.Publish(t, store, "db", d, "shared", 1)

		tx := storetest.Begin(t, store, "db")
		c.Set(tx, "x", 1)
		err := tx.Savepoint(func(tx *txcache.Tx) error {
			c.Set(tx, "x", 2)
			c.Set(tx, "y", 2)
			if err := tx.Savepoint(func(tx *txcache.Tx) error {
				c.Set(tx, "x", 3)
				storetest.Clear(t, tx, c)
				storetest.Miss(t, tx, c, "x", "cleared")
				c.Set(tx, "z", 3)
				if err := tx.ClearAll(); err != nil {
					t.Error(err)
				}
				storetest.Miss(t, tx, c, "z", "all cleared")
				storetest.Miss(t, tx, d, "shared", "all cleared")
				c.Set(tx, "z", 4)
				return undo
			}); err != undo {
				t.Errorf("inner Savepoint = %v; want its error", err)
			}
			storetest.Hit(t, tx, c, "x", 2, "the inner savepoint was undone")
			storetest.Hit(t, tx, c, "y", 2, "the inner savepoint was undone")
			storetest.Hit(t, tx, c, "shared", 1, "the clear was undone")
			storetest.Hit(t, tx, d, "shared", 1, "the clear was undone")
			storetest.Miss(t, tx, c, "z", "the inner savepoint was undone")
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		tx.Savepoint(func(tx *txcache.Tx) error {
			storetest.Clear(t, tx, d)
			return tx.Savepoint(func(tx *txcache.Tx) error { return nil })
		})
		storetest.Miss(t, tx, d, "shared", "the savepoint was kept")
		storetest.Commit(t, tx)
		after := storetest.Begin(t, store, "db")
		storetest.Hit(t, after, c, "x", 2, "the outer savepoint was kept")
		storetest.Hit(t, after, c, "y", 2, "the outer savepoint was kept")
		storetest.Hit(t, after, c, "shared", 1, "nothing of it was cleared in the end")
		storetest.Miss(t, after, d, "shared", "it was cleared in a savepoint that was kept")
	})
}

func TestSavepointIsUndoneByPanicAndByOuterSavepoint(t *testing.T) {
	store := storetest.Setups[0].One(t)
	c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
	tx := storetest.Begin(t, store, "db")
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		tx.Savepoint(func(tx *txcache.Tx) error {
			c.Set(tx, "x", 1)
			panic("undo")
		})
	}()
	storetest.Miss(t, tx, c, "x", "the panic has undone it")
	tx.Savepoint(func(tx *txcache.Tx) error {
		tx.Savepoint(func(tx *txcache.Tx) error {
			c.Set(tx, "x", 2)
			return nil
		})
		storetest.Hit(t, tx, c, "x", 2, "the inner savepoint was kept")
		return errors.New("undo")
	})
	storetest.Miss(t, tx, c, "x", "the outer savepoint was not")
	tx.Savepoint(func(tx *txcache.Tx) error {
		c.Set(tx, "x", 3)
		storetest.Commit(t, tx)
		return errors.New("too late")
	})
	storetest.Hit(t, storetest.Begin(t, store, "db"), c, "x", 3, "it was committed before the savepoint failed")
}

// Savepoints of two goroutines overlap: each undoes what came after it began.
func TestOverlappingSavepoints(t *testing.T) {
	store := storetest.Setups[0].One(t)
	c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
	tx := storetest.Begin(t, store, "db")
	undo := errors.New("undo")
	var inFirst, inSecond, firstDone sync.WaitGroup
	inFirst.Add(1)
	inSecond.Add(1)
	firstDone.Add(1)
	var wg sync.WaitGroup
	wg.Go(func() {
		tx.Savepoint(func(tx *txcache.Tx) error {
			c.Set(tx, "a", 1)
			c.Set(tx, "a2", 1)
			inFirst.Done()
			inSecond.Wait()
			return undo
		})
		firstDone.Done()
	})
	wg.Go(func() {
		inFirst.Wait()
		tx.Savepoint(func(tx *txcache.Tx) error {
			c.Set(tx, "b1", 1)
			inSecond.Done()
			firstDone.Wait()
			c.Set(tx, "b2", 1)
			return undo
		})
	})
	wg.Wait()
	for _, key := range []string{"a", "a2", "b1", "b2"} {
		storetest.Miss(t, tx, c, key, "its savepoint failed")
	}
	storetest.Commit(t, tx)
	storetest.Miss(t, storetest.Begin(t, store, "db"), c, "b2", "its savepoint failed")
}

// A savepoint puts back what was there when it began, not what was there before
// an earlier savepoint.
func TestASavepointRemembersAKeyAnew(t *testing.T) {
	store := storetest.Setups[0].One(t)
	c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
	tx := storetest.Begin(t, store, "db")
	c.Set(tx, "x", 1)
	tx.Savepoint(func(tx *txcache.Tx) error {
		c.Set(tx, "x", 2)
		return nil
	})
	tx.Savepoint(func(tx *txcache.Tx) error {
		c.Set(tx, "x", 3)
		tx.Savepoint(func(tx *txcache.Tx) error {
			c.Set(tx, "x", 4)
			return errors.New("undo")
		})
		storetest.Hit(t, tx, c, "x", 3, "the inner savepoint was undone")
		return errors.New("undo")
	})
	storetest.Hit(t, tx, c, "x", 2, "the second savepoint was undone")
}

// What a savepoint has to remember grows with keys, not with sets.
func TestSavepointRemembersAKeyOnce(t *testing.T) {
	store := storetest.Setups[0].One(t)
	c := storetest.NewCache[int, []byte](t, store, "c", txcache.CacheOptions{Size: 10})
	tx := storetest.Begin(t, store, "db")
	c.Set(tx, 1, []byte("before"))
	var grown int64
	tx.Savepoint(func(tx *txcache.Tx) error {
		before := storetest.Heap()
		for range 10_000 {
			c.Set(tx, 1, make([]byte, 10_000))
		}
		grown = int64(storetest.Heap()) - int64(before)
		return errors.New("undo")
	})
	if grown > 1<<20 {
		t.Errorf("ten thousand sets of one key hold %d kB; want one value's worth", grown>>10)
	}
	if v, ok := c.Get(t.Context(), tx, 1); !ok || string(v) != "before" {
		t.Errorf("Get = %q, %v; want what was there before the savepoint", v, ok)
	}
}

// P2: what a read-only transaction sets is shared at once, but not what a
// savepoint may undo.
func TestSavepointOfAReadOnlyTransactionIsUndone(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		store := s.One(t)
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		tx := storetest.BeginReadOnly(t, store, "db")
		failure := errors.New("failure")
		err := tx.Savepoint(func(tx *txcache.Tx) error {
			c.Set(tx, "x", 1)
			storetest.Hit(t, tx, c, "x", 1, "it was just set")
			storetest.Miss(t, storetest.Begin(t, store, "db"), c, "x", "the savepoint may be undone")
			return failure
		})
		if err != failure {
			t.Errorf("Savepoint = %v; want %v", err, failure)
		}
		storetest.Miss(t, tx, c, "x", "it was undone")
		storetest.Commit(t, tx)
		storetest.Miss(t, storetest.Begin(t, store, "db"), c, "x", "it was undone")
	})
}

// An open savepoint undoes what the closed form does, whatever the order in which several end.
func TestOpenSavepoints(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		store := s.One(t)
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		storetest.Publish(t, store, "db", c, "x", 1)
		tx := storetest.Begin(t, store, "db")
		open := func() func(bool) {
			end, err := tx.OpenSavepoint()
			if err != nil {
				t.Fatal(err)
			}
			return end
		}
		outer := open()
		storetest.Clear(t, tx, c)
		c.Set(tx, "x", 2)
		inner := open()
		c.Set(tx, "x", 3)
		inner(false)
		inner(true) // nothing, as it has ended
		storetest.Hit(t, tx, c, "x", 2, "the inner one is undone")
		kept := open()
		c.Set(tx, "y", 4)
		kept(true)
		storetest.Hit(t, tx, c, "y", 4, "it was kept")
		outer(false)
		storetest.Hit(t, tx, c, "x", 1, "all is undone")
		storetest.Miss(t, tx, c, "y", "all is undone")
		late := open()
		storetest.Commit(t, tx)
		late(false)
		if _, err := tx.OpenSavepoint(); !errors.Is(err, txcache.ErrTxDone) {
			t.Errorf("OpenSavepoint after the end: %v; want ErrTxDone", err)
		}
		storetest.Hit(t, storetest.BeginReadOnly(t, store, "db"), c, "x", 1, "nothing was cleared")
	})
}
