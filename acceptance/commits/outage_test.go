package commits_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// A clear that waits for the backend stays in force when the database is
// dropped meanwhile, also if that fails. // P3
func TestDropKeepsWhatIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := storetest.NewOutage()
		store := storetest.NewStore(t, b, txcache.Options{Logger: storetest.Silent, CommitOnOutage: true})
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		storetest.Publish(t, store, "db", c, "x", 1)
		b.SetDown(true)
		tx := storetest.Begin(t, store, "db")
		storetest.Clear(t, tx, c)
		storetest.Commit(t, tx)
		if err := store.Drop(t.Context(), "db"); !errors.Is(err, txcache.ErrUnavailable) {
			t.Errorf("Drop = %v; want ErrUnavailable", err)
		}
		b.SetDown(false)
		if store.Waiting() != 1 {
			t.Fatalf("Waiting = %d; want the clear", store.Waiting())
		}
		storetest.Miss(t, storetest.Begin(t, store, "db"), c, "x", "the clear is committed here")
		time.Sleep(time.Minute)
		storetest.Miss(t, storetest.Begin(t, store, "db"), c, "x", "the clear has arrived")
		storetest.Publish(t, store, "db", c, "x", 2)
		storetest.Hit(t, storetest.Begin(t, store, "db"), c, "x", 2, "the cache is in use again")
	})
}

// A commit that began before a drop counts in the database's new life.
func TestCommitAcrossADropCountsAtOnce(t *testing.T) {
	store := storetest.Setups[0].Open(t, 1, txcache.Options{Poll: time.Hour})[0]
	c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
	writer := storetest.Begin(t, store, "db")
	storetest.Clear(t, writer, c)
	if err := store.Drop(t.Context(), "db"); err != nil {
		t.Fatal(err)
	}
	storetest.Publish(t, store, "db", c, "x", 1)
	err := writer.CommitWith(t.Context(), func(context.Context) error {
		storetest.Miss(t, storetest.Begin(t, store, "db"), c, "x", "a commit of a clear is under way")
		if err := store.Drop(t.Context(), "db"); err != nil {
			return err
		}
		storetest.Miss(t, storetest.Begin(t, store, "db"), c, "x", "it still is")
		storetest.Publish(t, store, "db", c, "x", 1)
		storetest.Miss(t, storetest.Begin(t, store, "db"), c, "x", "nobody fills meanwhile")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	storetest.Miss(t, storetest.Begin(t, store, "db"), c, "x", "own commits count at once")
	storetest.Publish(t, store, "db", c, "x", 2)
	storetest.Hit(t, storetest.Begin(t, store, "db"), c, "x", 2, "the cache is in use again")
}

// P7: a database about which the backend cannot be told keeps no other waiting.
func TestOneDatabasesTroubleDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := storetest.NewOutage()
		store := storetest.NewStore(t, b, txcache.Options{Logger: storetest.Silent})
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		b.Be(func() { b.NoClears = true })
		for _, database := range []string{"bad", "good"} {
			tx := storetest.Begin(t, store, database)
			storetest.Clear(t, tx, c)
			storetest.Commit(t, tx)
		}
		b.Be(func() { b.Only = "bad" })
		time.Sleep(time.Minute)
		storetest.Publish(t, store, "good", c, "x", 1)
		storetest.Hit(t, storetest.Begin(t, store, "good"), c, "x", 1, "its clear has arrived")
		if got := store.Waiting(); got != 1 {
			t.Errorf("Waiting = %d; want the clear of the other", got)
		}
		b.Be(func() { b.NoClears = false })
	})
}

// Clears of the same caches, one after another in an outage, wait as one.
func TestClearsThatWaitAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := storetest.NewOutage()
		store := storetest.NewStore(t, b, txcache.Options{Logger: storetest.Silent, CommitOnOutage: true})
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		d := storetest.NewCache[string, int](t, store, "d", txcache.CacheOptions{})
		storetest.Publish(t, store, "db", c, "x", 1)
		b.SetDown(true)
		for range 100 {
			tx := storetest.Begin(t, store, "db")
			storetest.Clear(t, tx, c)
			storetest.Commit(t, tx)
		}
		if got := store.Waiting(); got != 1 {
			t.Errorf("Waiting = %d; want 1", got)
		}
		tx := storetest.Begin(t, store, "db")
		storetest.Clear(t, tx, d)
		storetest.Commit(t, tx)
		tx = storetest.Begin(t, store, "db")
		if err := tx.ClearAll(); err != nil {
			t.Fatal(err)
		}
		storetest.Commit(t, tx)
		if got := store.Waiting(); got != 3 {
			t.Errorf("Waiting = %d; want one each: they clear more", got)
		}
		b.SetDown(false)
		storetest.Miss(t, storetest.Begin(t, store, "db"), c, "x", "the clears are committed")
		time.Sleep(time.Minute)
		if got := store.Waiting(); got != 0 {
			t.Errorf("Waiting = %d; want none", got)
		}
		storetest.Publish(t, store, "db", c, "x", 2)
		storetest.Hit(t, storetest.Begin(t, store, "db"), c, "x", 2, "nothing holds the cache any more")
	})
}

// A clear that is on its way already may be done before another's commit, so it
// does not stand for that one's clear. // P5
func TestClearOnItsWayCoversNoLaterOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := storetest.NewOutage()
		store := storetest.NewStore(t, b, txcache.Options{Logger: storetest.Silent})
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		clearNow := func() {
			tx := storetest.Begin(t, store, "db")
			storetest.Clear(t, tx, c)
			storetest.Commit(t, tx)
		}
		b.Be(func() { b.NoClears = true })
		clearNow()
		b.Be(func() { b.Hang = true })
		time.Sleep(100 * time.Millisecond) // the first is on its way
		b.Be(func() { b.Hang = false })
		clearNow()
		if got := store.Waiting(); got != 2 {
			t.Errorf("Waiting = %d; want both clears", got)
		}
		b.Be(func() { b.NoClears = false })
		time.Sleep(time.Minute)
		if got := store.Waiting(); got != 0 {
			t.Errorf("Waiting = %d; want none", got)
		}
	})
}

// A database that is dropped while a transaction begins: it begins in the new life.
func TestDropWhileATransactionBegins(t *testing.T) {
	b := storetest.NewOutage()
	store := storetest.NewStore(t, b, txcache.Options{})
	c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
	storetest.Publish(t, store, "db", c, "x", 1)
	b.Be(func() {
		b.AfterSync = func() {
			if err := store.Drop(t.Context(), "db"); err != nil {
				t.Error(err)
			}
		}
	})
	tx := storetest.BeginReadOnly(t, store, "db")
	storetest.Miss(t, tx, c, "x", "it was set in the life before")
	c.Set(tx, "x", 2)
	storetest.Commit(t, tx)
	before := c.Stats().RemoteHits
	storetest.Hit(t, storetest.Begin(t, store, "db"), c, "x", 2, "the transaction belongs to the new life")
	if c.Stats().RemoteHits != before {
		t.Error("the value was not near: the transaction filled a database that is gone")
	}
}

// A backend that hangs holds up a commit and a close for a bounded time.
func TestHangingBackend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := storetest.NewOutage()
		store := storetest.NewStore(t, b, txcache.Options{Logger: storetest.Silent, Fence: time.Hour})
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		tx := storetest.Begin(t, store, "db")
		storetest.Clear(t, tx, c)
		start := time.Now()
		err := tx.CommitWith(t.Context(), func(context.Context) error { b.Be(func() { b.Hang = true }); return nil })
		if took := time.Since(start); err != nil || took > 10*time.Second {
			t.Errorf("CommitWith = %v after %v; want nil within seconds: the clear can wait", err, took)
		}
		time.Sleep(100 * time.Millisecond) // a try is under way
		start = time.Now()
		err = store.Close()
		if took := time.Since(start); !errors.Is(err, txcache.ErrUnavailable) || took > 2*time.Second {
			t.Errorf("Close = %v after %v; want ErrUnavailable within two seconds", err, took)
		}
	})
}

func TestCloseWaitsForCommits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, long := range []time.Duration{500 * time.Millisecond, 10 * time.Second} {
			r := storetest.NewRecorder()
			store := storetest.NewStore(t, r, txcache.Options{Logger: storetest.Silent})
			c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
			tx := storetest.Begin(t, store, "db")
			storetest.Clear(t, tx, c)
			var wg sync.WaitGroup
			wg.Go(func() {
				if err := tx.CommitWith(t.Context(), func(context.Context) error { time.Sleep(long); return nil }); err != nil {
					t.Errorf("CommitWith = %v", err)
				}
			})
			synctest.Wait()
			start := time.Now()
			err := store.Close()
			if took := time.Since(start); took > time.Second {
				t.Errorf("Close took %v; want a second at most, as the backend answers", took)
			}
			if long < time.Second && (err != nil || r.Taken() != "Fence Clear") {
				t.Errorf("Close = %v before the clear; want it to wait for the commit", err)
			}
			if long > time.Second && !errors.Is(err, txcache.ErrUnavailable) {
				t.Errorf("Close = %v; want an error, for the commit takes too long", err)
			}
			wg.Wait()
		}
	})
}
