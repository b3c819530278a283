package commits_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
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

// P3: a commit that panics or ends its goroutine is in doubt, unless it panics
// with an error that says otherwise.
func TestCommitThatDoesNotReturn(t *testing.T) {
	for name, test := range map[string]struct {
		end  func()
		want string
	}{
		"a lost connection":    {func() { panic(fmt.Errorf("driver: %w", io.ErrUnexpectedEOF)) }, "Fence Fence"},
		"no error":             {func() { panic("boom") }, "Fence Fence"},
		"an unknown error":     {func() { panic(errors.New("boom")) }, "Fence Fence"},
		"nothing":              {func() { panic(nil) }, "Fence Fence"},
		"a mistake":            {func() { _ = make([]int, 0)[len(t.Name())] }, "Fence Fence"},
		"the goroutine's end":  {runtime.Goexit, "Fence Fence"},
		"a refusal":            {func() { panic(txcache.NotCommitted(errors.New("boom"))) }, "Fence Clear"},
		"nothing that is sent": {func() { panic(txcache.NotSent(errors.New("boom"))) }, "Fence Unfence"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := storetest.NewRecorder()
				store := storetest.NewStore(t, r, txcache.Options{Logger: storetest.Silent})
				c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
				tx := storetest.Begin(t, store, "db")
				storetest.Clear(t, tx, c)
				var wg sync.WaitGroup
				wg.Go(func() {
					defer func() { recover() }()
					tx.CommitWith(t.Context(), func(context.Context) error { test.end(); return nil })
				})
				wg.Wait()
				if got := r.Taken(); got != test.want {
					t.Errorf("calls: %s; want %s", got, test.want)
				}
			})
		})
	}
}
