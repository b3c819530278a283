package acceptance_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// clearing returns a transaction, of a new store over b, that has cleared a cache.
func clearing(t *testing.T, b backend.Backend, opts txcache.Options) *txcache.Tx {
	t.Helper()
	store := storetest.NewStore(t, b, opts)
	tx := storetest.Begin(t, store, "db")
	storetest.Clear(t, tx, storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{}))
	return tx
}

func TestCommitOrder(t *testing.T) {
	r := storetest.NewRecorder()
	store := storetest.NewStore(t, r, txcache.Options{})
	c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
	failure := txcache.NotCommitted(errors.New("failure"))
	database := func(err error) func(context.Context) error {
		return func(context.Context) error { r.Call("commit"); return err }
	}

	tx := storetest.Begin(t, store, "db")
	c.Set(tx, "x", 1)
	if err := tx.CommitWith(t.Context(), database(nil)); err != nil {
		t.Fatal(err)
	}
	if got := r.Taken(); got != "commit" {
		t.Errorf("without a clear: %s; want only the database's commit", got)
	}

	for _, err := range []error{nil, failure} {
		tx = storetest.Begin(t, store, "db")
		storetest.Clear(t, tx, c)
		if got := tx.CommitWith(t.Context(), database(err)); got != err {
			t.Errorf("CommitWith = %v; want %v", got, err)
		}
		if got := r.Taken(); got != "Fence commit Clear" {
			t.Errorf("with a clear: %s; want Fence commit Clear", got)
		}
	}

	tx = storetest.Begin(t, store, "db")
	storetest.Clear(t, tx, c)
	func() {
		defer func() {
			if recover() != failure {
				t.Error("the panic of commit did not come through")
			}
		}()
		tx.CommitWith(t.Context(), func(context.Context) error { panic(failure) })
	}()
	if got := r.Taken(); got != "Fence Clear" {
		t.Errorf("when commit panics: %s; want Fence Clear", got)
	}
}

// P8: a clear that cannot be announced is reported before the database commits.
func TestCommitIsRefusedWithoutAFence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := storetest.NewRecorder()
		store := storetest.NewStore(t, r, txcache.Options{Logger: storetest.Silent})
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		storetest.Publish(t, store, "db", c, "x", 1)
		down := errors.New("connection refused")
		r.Failing("Fence", down)

		tx := storetest.Begin(t, store, "db")
		storetest.Clear(t, tx, c)
		err := tx.CommitWith(t.Context(), func(context.Context) error {
			t.Error("the database has committed a clear that nobody knows of")
			return nil
		})
		if !errors.Is(err, txcache.ErrUnavailable) || !errors.Is(err, down) || !strings.Contains(err.Error(), `"db"`) {
			t.Errorf("CommitWith = %v; want ErrUnavailable with the cause and the database", err)
		}
		time.Sleep(time.Second)
		if got := r.Taken(); got != "Fence Unfence" {
			t.Errorf("calls: %s; want the fence lifted, for it may have been placed all the same", got)
		}
		storetest.Hit(t, storetest.Begin(t, store, "db"), c, "x", 1, "nothing was committed")

		r.Failing("Fence", nil)
		tx = storetest.Begin(t, store, "db")
		storetest.Clear(t, tx, c)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err = tx.CommitWith(ctx, func(context.Context) error {
			t.Error("the database has committed a clear that nobody knows of")
			return nil
		})
		if !errors.Is(err, context.Canceled) || !errors.Is(err, txcache.ErrUnavailable) {
			t.Errorf("CommitWith of a cancelled context = %v; want ErrUnavailable with its error", err)
		}
	})
}

// P5: a clear that the backend cannot be told of after the database's commit is
// repeated until it arrives; meanwhile the caches are bypassed.
func TestClearIsRepeatedUntilItArrives(t *testing.T) {
	for _, onOutage := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := storetest.NewRecorder()
			store := storetest.NewStore(t, r, txcache.Options{Logger: storetest.Silent, CommitOnOutage: onOutage})
			c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
			storetest.Publish(t, store, "db", c, "x", 1)
			down := errors.New("connection refused")
			r.Failing("Clear", down)
			if onOutage {
				r.Failing("Fence", down)
			}
			committed := false
			tx := storetest.Begin(t, store, "db")
			storetest.Clear(t, tx, c)
			if err := tx.CommitWith(t.Context(), func(context.Context) error { committed = true; return nil }); err != nil || !committed {
				t.Fatalf("CommitWith = %v, committed %v; want success", err, committed)
			}
			if got := store.Waiting(); got != 1 {
				t.Errorf("Waiting = %d; want 1", got)
			}
			time.Sleep(time.Minute)
			tx = storetest.BeginReadOnly(t, store, "db")
			storetest.Miss(t, tx, c, "x", "the clear is committed, though the backend does not know")
			c.Set(tx, "x", 1)
			storetest.Commit(t, tx)
			storetest.Miss(t, storetest.Begin(t, store, "db"), c, "x", "nobody fills meanwhile")

			r.Failing("Clear", nil)
			r.Failing("Fence", nil)
			time.Sleep(10 * time.Second)
			if got := store.Waiting(); got != 0 {
				t.Errorf("Waiting = %d after the backend came back; want 0", got)
			}
			storetest.Miss(t, storetest.Begin(t, store, "db"), c, "x", "it was cleared")
			storetest.Publish(t, store, "db", c, "x", 2)
			storetest.Hit(t, storetest.Begin(t, store, "db"), c, "x", 2, "the cache is in use again")
		})
	}
}

func TestCloseReportsClearsThatAreLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := storetest.NewRecorder()
		store := storetest.NewStore(t, r, txcache.Options{Logger: storetest.Silent})
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		r.Failing("Clear", errors.New("connection refused"))
		tx := storetest.Begin(t, store, "db")
		storetest.Clear(t, tx, c)
		storetest.Commit(t, tx)
		if err := store.Close(); !errors.Is(err, txcache.ErrUnavailable) || !strings.Contains(err.Error(), "1 clear") {
			t.Errorf("Close = %v; want ErrUnavailable with the number of clears", err)
		}
		if err := store.Close(); err != nil {
			t.Errorf("second Close = %v; want nil", err)
		}
	})
}

func TestFenceIsRenewedWhileTheCommitRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := storetest.NewRecorder()
		tx := clearing(t, r, txcache.Options{Fence: 30 * time.Second})
		err := tx.CommitWith(t.Context(), func(context.Context) error {
			time.Sleep(35 * time.Second)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if got := r.Taken(); got != "Fence Fence Fence Fence Clear" {
			t.Errorf("calls: %s; want a renewal each third of the lease, and none after the clear", got)
		}
	})
}
