package acceptance_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

// A recorder is a memory backend that writes down the calls it gets, and fails
// those it is told to.
type recorder struct {
	*memorybackend.Backend

	mu    sync.Mutex
	calls []string
	fail  map[string]error
}

func newRecorder() *recorder {
	return &recorder{Backend: memorybackend.New(), fail: map[string]error{}}
}

func (r *recorder) call(name string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, name)
	return r.fail[name]
}

// failing makes calls of that name fail from now on; nil mends them.
func (r *recorder) failing(name string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail[name] = err
}

// taken returns the calls since it was asked last, but for those of Sync.
func (r *recorder) taken() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	calls := slices.DeleteFunc(r.calls, func(c string) bool { return c == "Sync" })
	r.calls = nil
	return strings.Join(calls, " ")
}

func (r *recorder) Sync(ctx context.Context, database string) (*backend.State, error) {
	if err := r.call("Sync"); err != nil {
		return nil, err
	}
	return r.Backend.Sync(ctx, database)
}

func (r *recorder) Fence(ctx context.Context, database string, f backend.Fence) error {
	if err := r.call("Fence"); err != nil {
		return err
	}
	return r.Backend.Fence(ctx, database, f)
}

func (r *recorder) Clear(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
	if err := r.call("Clear"); err != nil {
		return nil, err
	}
	return r.Backend.Clear(ctx, database, f)
}

func (r *recorder) Unfence(ctx context.Context, database string, f backend.Fence) error {
	if err := r.call("Unfence"); err != nil {
		return err
	}
	return r.Backend.Unfence(ctx, database, f)
}

// clearing returns a transaction, of a new store over b, that has cleared a cache.
func clearing(t *testing.T, b backend.Backend, opts txcache.Options) *txcache.Tx {
	t.Helper()
	store := newStore(t, b, opts)
	tx := begin(t, store, "db")
	clearCache(t, tx, newCache[string, int](t, store, "c", txcache.CacheOptions{}))
	return tx
}

func TestCommitOrder(t *testing.T) {
	r := newRecorder()
	store := newStore(t, r, txcache.Options{})
	c := newCache[string, int](t, store, "c", txcache.CacheOptions{})
	failure := txcache.NotCommitted(errors.New("failure"))
	database := func(err error) func(context.Context) error {
		return func(context.Context) error { r.call("commit"); return err }
	}

	tx := begin(t, store, "db")
	c.Set(tx, "x", 1)
	if err := tx.CommitWith(t.Context(), database(nil)); err != nil {
		t.Fatal(err)
	}
	if got := r.taken(); got != "commit" {
		t.Errorf("without a clear: %s; want only the database's commit", got)
	}

	for _, err := range []error{nil, failure} {
		tx = begin(t, store, "db")
		clearCache(t, tx, c)
		if got := tx.CommitWith(t.Context(), database(err)); got != err {
			t.Errorf("CommitWith = %v; want %v", got, err)
		}
		if got := r.taken(); got != "Fence commit Clear" {
			t.Errorf("with a clear: %s; want Fence commit Clear", got)
		}
	}

	tx = begin(t, store, "db")
	clearCache(t, tx, c)
	func() {
		defer func() {
			if recover() != failure {
				t.Error("the panic of commit did not come through")
			}
		}()
		tx.CommitWith(t.Context(), func(context.Context) error { panic(failure) })
	}()
	if got := r.taken(); got != "Fence Clear" {
		t.Errorf("when commit panics: %s; want Fence Clear", got)
	}
}

// P8: a clear that cannot be announced is reported before the database commits.
func TestCommitIsRefusedWithoutAFence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecorder()
		store := newStore(t, r, txcache.Options{Logger: silent})
		c := newCache[string, int](t, store, "c", txcache.CacheOptions{})
		publish(t, store, "db", c, "x", 1)
		down := errors.New("connection refused")
		r.failing("Fence", down)

		tx := begin(t, store, "db")
		clearCache(t, tx, c)
		err := tx.CommitWith(t.Context(), func(context.Context) error {
			t.Error("the database has committed a clear that nobody knows of")
			return nil
		})
		if !errors.Is(err, txcache.ErrUnavailable) || !errors.Is(err, down) || !strings.Contains(err.Error(), `"db"`) {
			t.Errorf("CommitWith = %v; want ErrUnavailable with the cause and the database", err)
		}
		time.Sleep(time.Second)
		if got := r.taken(); got != "Fence Unfence" {
			t.Errorf("calls: %s; want the fence lifted, for it may have been placed all the same", got)
		}
		hit(t, begin(t, store, "db"), c, "x", 1, "nothing was committed")

		r.failing("Fence", nil)
		tx = begin(t, store, "db")
		clearCache(t, tx, c)
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
			r := newRecorder()
			store := newStore(t, r, txcache.Options{Logger: silent, CommitOnOutage: onOutage})
			c := newCache[string, int](t, store, "c", txcache.CacheOptions{})
			publish(t, store, "db", c, "x", 1)
			down := errors.New("connection refused")
			r.failing("Clear", down)
			if onOutage {
				r.failing("Fence", down)
			}
			committed := false
			tx := begin(t, store, "db")
			clearCache(t, tx, c)
			if err := tx.CommitWith(t.Context(), func(context.Context) error { committed = true; return nil }); err != nil || !committed {
				t.Fatalf("CommitWith = %v, committed %v; want success", err, committed)
			}
			if got := store.Waiting(); got != 1 {
				t.Errorf("Waiting = %d; want 1", got)
			}
			time.Sleep(time.Minute)
			tx = beginReadOnly(t, store, "db")
			miss(t, tx, c, "x", "the clear is committed, though the backend does not know")
			c.Set(tx, "x", 1)
			commit(t, tx)
			miss(t, begin(t, store, "db"), c, "x", "nobody fills meanwhile")

			r.failing("Clear", nil)
			r.failing("Fence", nil)
			time.Sleep(10 * time.Second)
			if got := store.Waiting(); got != 0 {
				t.Errorf("Waiting = %d after the backend came back; want 0", got)
			}
			miss(t, begin(t, store, "db"), c, "x", "it was cleared")
			publish(t, store, "db", c, "x", 2)
			hit(t, begin(t, store, "db"), c, "x", 2, "the cache is in use again")
		})
	}
}

func TestCloseReportsClearsThatAreLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecorder()
		store := newStore(t, r, txcache.Options{Logger: silent})
		c := newCache[string, int](t, store, "c", txcache.CacheOptions{})
		r.failing("Clear", errors.New("connection refused"))
		tx := begin(t, store, "db")
		clearCache(t, tx, c)
		commit(t, tx)
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
		r := newRecorder()
		tx := clearing(t, r, txcache.Options{Fence: 30 * time.Second})
		err := tx.CommitWith(t.Context(), func(context.Context) error {
			time.Sleep(35 * time.Second)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if got := r.taken(); got != "Fence Fence Fence Fence Clear" {
			t.Errorf("calls: %s; want a renewal each third of the lease, and none after the clear", got)
		}
	})
}
