package txcache_test

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

func TestFinishedTransaction(t *testing.T) {
	ends := map[string]func(t *testing.T, tx *txcache.Tx){
		"commit":   func(t *testing.T, tx *txcache.Tx) { commit(t, tx) },
		"rollback": func(t *testing.T, tx *txcache.Tx) { tx.Rollback() },
		"failed commit": func(t *testing.T, tx *txcache.Tx) {
			tx.CommitWith(t.Context(), func(context.Context) error { return errors.New("failure") })
		},
	}
	everywhere(t, func(t *testing.T, s setup) {
		for name, end := range ends {
			t.Run(name, func(t *testing.T) {
				store := s.one(t)
				c := newCache[string, int](t, store, "c", txcache.CacheOptions{})
				publish(t, store, "db", c, "x", 1)
				tx := begin(t, store, "db")
				c.Set(tx, "own", 2)
				handle := tx.WithUser("somebody")
				end(t, tx)

				for _, tx := range []*txcache.Tx{tx, handle, tx.WithUser("other")} {
					miss(t, tx, c, "x", "the transaction is finished")
					miss(t, tx, c, "own", "the transaction is finished")
					c.Set(tx, "late", 3)
					miss(t, tx, c, "late", "the transaction is finished")
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
				miss(t, begin(t, store, "db"), c, "late", "it was set too late")
			})
		}
	})
}

// A handle on nothing is as good as a finished one: it never panics.
func TestNilAndZeroHandle(t *testing.T) {
	store := setups[0].one(t)
	c := newCache[string, int](t, store, "c", txcache.CacheOptions{})
	for _, tx := range []*txcache.Tx{nil, {}} {
		miss(t, tx.WithUser(1).WithContext(map[string]any{"a": 1}), c, "x", "there is no transaction")
		c.Set(tx, "x", 1)
		c.SetMany(tx, map[string]int{"x": 1})
		if got := c.GetMany(t.Context(), tx, []string{"x", "y"}); len(got) != 0 {
			t.Errorf("GetMany = %v; want nothing", got)
		}
		if _, err := c.Load(t.Context(), tx, "x", constant(1, nil)); err != txcache.ErrTxDone {
			t.Errorf("Load = %v; want ErrTxDone", err)
		}
		if !c.SyncSince(tx, time.Now()) {
			t.Error("a handle on nothing was synchronised")
		}
		if tx.Database() != "" || !tx.SyncedAt().IsZero() {
			t.Error("a handle on nothing knows a database or a time")
		}
		for _, err := range []error{tx.Commit(t.Context()), tx.Rollback(), tx.ClearAll(), tx.Savepoint(nil), c.Clear(tx)} {
			if err != txcache.ErrTxDone {
				t.Errorf("error = %v; want ErrTxDone", err)
			}
		}
	}
}

func TestReadOnlyTransaction(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		store := s.one(t)
		c := newCache[string, int](t, store, "c", txcache.CacheOptions{})
		finished := beginReadOnly(t, store, "db")
		commit(t, finished)
		if err := errors.Join(c.Clear(finished), finished.ClearAll()); !errors.Is(err, txcache.ErrTxDone) || errors.Is(err, txcache.ErrReadOnly) {
			t.Errorf("Clear and ClearAll of a finished transaction = %v; want ErrTxDone", err)
		}
		tx := beginReadOnly(t, store, "db")
		if err := c.Clear(tx); !errors.Is(err, txcache.ErrReadOnly) {
			t.Errorf("Clear = %v; want ErrReadOnly", err)
		}
		if err := tx.ClearAll(); !errors.Is(err, txcache.ErrReadOnly) {
			t.Errorf("ClearAll = %v; want ErrReadOnly", err)
		}
		c.Set(tx, "x", 1)
		hit(t, tx, c, "x", 1, "it has set it")
		called := false
		if err := tx.CommitWith(t.Context(), func(context.Context) error { called = true; return nil }); err != nil || !called {
			t.Errorf("CommitWith = %v, called %v; want the database's commit called", err, called)
		}
		hit(t, begin(t, store, "db"), c, "x", 1, "what a read-only transaction has read is shared")
		c.Set(tx, "late", 1)
		miss(t, begin(t, store, "db"), c, "late", "the transaction was finished")
	})
}

func TestReadOnlyTransactionSharesAtOnceInTheProcess(t *testing.T) {
	store := setups[0].one(t)
	c := newCache[string, int](t, store, "c", txcache.CacheOptions{})
	tx := beginReadOnly(t, store, "db")
	c.Set(tx, "x", 1)
	hit(t, begin(t, store, "db"), c, "x", 1, "it cannot be uncommitted")
	tx.Savepoint(func(tx *txcache.Tx) error {
		c.Set(tx, "y", 1)
		hit(t, tx, c, "y", 1, "it has set it")
		miss(t, begin(t, store, "db"), c, "y", "it may be undone yet")
		return errors.New("undo")
	})
	miss(t, tx, c, "y", "it was undone")
}

func TestSavepoints(t *testing.T) {
	undo := errors.New("undo")
	everywhere(t, func(t *testing.T, s setup) {
		store := s.one(t)
		c := newCache[string, int](t, store, "c", txcache.CacheOptions{})
		d := newCache[string, int](t, store, "d", txcache.CacheOptions{})
		publish(t, store, "db", c, "shared", 1)
		publish(t, store, "db", d, "shared", 1)

		tx := begin(t, store, "db")
		c.Set(tx, "x", 1)
		err := tx.Savepoint(func(tx *txcache.Tx) error {
			c.Set(tx, "x", 2)
			c.Set(tx, "y", 2)
			if err := tx.Savepoint(func(tx *txcache.Tx) error {
				c.Set(tx, "x", 3)
				clearCache(t, tx, c)
				miss(t, tx, c, "x", "cleared")
				c.Set(tx, "z", 3)
				if err := tx.ClearAll(); err != nil {
					t.Error(err)
				}
				miss(t, tx, c, "z", "all cleared")
				miss(t, tx, d, "shared", "all cleared")
				c.Set(tx, "z", 4)
				return undo
			}); err != undo {
				t.Errorf("inner Savepoint = %v; want its error", err)
			}
			hit(t, tx, c, "x", 2, "the inner savepoint was undone")
			hit(t, tx, c, "y", 2, "the inner savepoint was undone")
			hit(t, tx, c, "shared", 1, "the clear was undone")
			hit(t, tx, d, "shared", 1, "the clear was undone")
			miss(t, tx, c, "z", "the inner savepoint was undone")
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		tx.Savepoint(func(tx *txcache.Tx) error {
			clearCache(t, tx, d)
			return tx.Savepoint(func(tx *txcache.Tx) error { return nil })
		})
		miss(t, tx, d, "shared", "the savepoint was kept")
		commit(t, tx)
		after := begin(t, store, "db")
		hit(t, after, c, "x", 2, "the outer savepoint was kept")
		hit(t, after, c, "y", 2, "the outer savepoint was kept")
		hit(t, after, c, "shared", 1, "nothing of it was cleared in the end")
		miss(t, after, d, "shared", "it was cleared in a savepoint that was kept")
	})
}

func TestSavepointIsUndoneByPanicAndByOuterSavepoint(t *testing.T) {
	store := setups[0].one(t)
	c := newCache[string, int](t, store, "c", txcache.CacheOptions{})
	tx := begin(t, store, "db")
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
	miss(t, tx, c, "x", "the panic has undone it")
	tx.Savepoint(func(tx *txcache.Tx) error {
		tx.Savepoint(func(tx *txcache.Tx) error {
			c.Set(tx, "x", 2)
			return nil
		})
		hit(t, tx, c, "x", 2, "the inner savepoint was kept")
		return errors.New("undo")
	})
	miss(t, tx, c, "x", "the outer savepoint was not")
	tx.Savepoint(func(tx *txcache.Tx) error {
		c.Set(tx, "x", 3)
		commit(t, tx)
		return errors.New("too late")
	})
	hit(t, begin(t, store, "db"), c, "x", 3, "it was committed before the savepoint failed")
}

// Savepoints of two goroutines overlap: each undoes what came after it began.
func TestOverlappingSavepoints(t *testing.T) {
	store := setups[0].one(t)
	c := newCache[string, int](t, store, "c", txcache.CacheOptions{})
	tx := begin(t, store, "db")
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
		miss(t, tx, c, key, "its savepoint failed")
	}
	commit(t, tx)
	miss(t, begin(t, store, "db"), c, "b2", "its savepoint failed")
}

// What a savepoint has to remember grows with keys, not with sets.
func TestSavepointRemembersAKeyOnce(t *testing.T) {
	store := setups[0].one(t)
	c := newCache[int, []byte](t, store, "c", txcache.CacheOptions{Size: 10})
	tx := begin(t, store, "db")
	c.Set(tx, 1, []byte("before"))
	var grown int64
	tx.Savepoint(func(tx *txcache.Tx) error {
		before := heap()
		for range 10_000 {
			c.Set(tx, 1, make([]byte, 10_000))
		}
		grown = int64(heap()) - int64(before)
		return errors.New("undo")
	})
	if grown > 1<<20 {
		t.Errorf("ten thousand sets of one key hold %d kB; want one value's worth", grown>>10)
	}
	if v, ok := c.Get(t.Context(), tx, 1); !ok || string(v) != "before" {
		t.Errorf("Get = %q, %v; want what was there before the savepoint", v, ok)
	}
}

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

func TestCommitOrder(t *testing.T) {
	r := newRecorder()
	store := newStore(t, r, txcache.Options{})
	c := newCache[string, int](t, store, "c", txcache.CacheOptions{})
	failure := errors.New("failure")
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
		store := newStore(t, r, txcache.Options{Fence: 30 * time.Second})
		c := newCache[string, int](t, store, "c", txcache.CacheOptions{})
		tx := begin(t, store, "db")
		clearCache(t, tx, c)
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

// Scenario 6: the context ends while the database commits. The clear goes out.
func TestClearOutlivesTheContext(t *testing.T) {
	r := newRecorder()
	store := newStore(t, r, txcache.Options{})
	c := newCache[string, int](t, store, "c", txcache.CacheOptions{})
	publish(t, store, "db", c, "x", 1)
	ctx, cancel := context.WithCancel(t.Context())
	tx := begin(t, store, "db")
	clearCache(t, tx, c)
	err := tx.CommitWith(ctx, func(ctx context.Context) error {
		cancel()
		return ctx.Err()
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("CommitWith = %v; want the context's error", err)
	}
	if got := r.taken(); got != "Fence Clear" || store.Waiting() != 0 {
		t.Errorf("calls: %s, %d clears wait; want Fence Clear and none", got, store.Waiting())
	}
	miss(t, begin(t, store, "db"), c, "x", "the outcome of the commit is unknown")
}

// P8: with the backend away transactions begin all the same, and miss.
func TestBeginDuringAnOutage(t *testing.T) {
	r := newRecorder()
	store := newStore(t, r, txcache.Options{Logger: silent})
	c := newCache[string, int](t, store, "c", txcache.CacheOptions{})
	publish(t, store, "db", c, "x", 1)
	r.failing("Sync", errors.New("connection refused"))

	tx := begin(t, store, "db")
	if !tx.SyncedAt().IsZero() || !c.SyncSince(tx, time.Unix(0, 0)) {
		t.Error("a transaction that was not synchronised says it was")
	}
	miss(t, tx, c, "x", "nobody knows whether it is good")
	c.Set(tx, "x", 2)
	hit(t, tx, c, "x", 2, "it is the transaction's own")
	reader := beginReadOnly(t, store, "db")
	c.Set(reader, "y", 2)
	hit(t, reader, c, "y", 2, "it is the transaction's own")
	if v, err := c.Load(t.Context(), reader, "z", func(context.Context) (int, error) { return 3, nil }); v != 3 || err != nil {
		t.Errorf("Load = %v, %v; want the database's value", v, err)
	}
	commit(t, tx)
	commit(t, reader)
	if err := store.Sync(t.Context(), "db"); !errors.Is(err, txcache.ErrUnavailable) {
		t.Errorf("Sync = %v; want ErrUnavailable", err)
	}

	r.failing("Sync", nil)
	after := begin(t, store, "db")
	hit(t, after, c, "x", 1, "the outage is over, and nobody has cleared")
	miss(t, after, c, "y", "what was set during the outage belongs to no generation")
}

func TestSyncedAt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t, memorybackend.New(), txcache.Options{Poll: time.Minute})
		c := newCache[string, int](t, store, "c", txcache.CacheOptions{})
		start := time.Now()
		tx := begin(t, store, "db")
		if !tx.SyncedAt().Equal(start) {
			t.Errorf("SyncedAt = %v; want %v", tx.SyncedAt(), start)
		}
		if c.SyncSince(tx, start) || !c.SyncSince(tx, start.Add(1)) || c.SyncSince(tx, start.Add(-1)) {
			t.Error("SyncSince is not whether the synchronisation was before")
		}
		time.Sleep(30 * time.Second)
		if at := begin(t, store, "db").SyncedAt(); !at.Equal(start) {
			t.Errorf("SyncedAt = %v within the poll interval; want %v", at, start)
		}
		if err := store.Sync(t.Context(), "db"); err != nil {
			t.Fatal(err)
		}
		if at := begin(t, store, "db").SyncedAt(); at.Sub(start) != 30*time.Second {
			t.Errorf("SyncedAt = %v after Sync; want half a minute after %v", at, start)
		}
	})
}

// With polling, other servers' commits are seen when the poll is due, one's own
// at once.
func TestPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memorybackend.New()
		here := newStore(t, openBackend{b}, txcache.Options{Poll: time.Minute})
		there := newStore(t, openBackend{b}, txcache.Options{})
		c := newCache[string, int](t, here, "c", txcache.CacheOptions{})
		d := newCache[string, int](t, there, "c", txcache.CacheOptions{})
		publish(t, here, "db", c, "x", 1)

		tx := begin(t, there, "db")
		clearCache(t, tx, d)
		commit(t, tx)
		time.Sleep(time.Minute - 1)
		hit(t, begin(t, here, "db"), c, "x", 1, "the poll is not due")
		time.Sleep(time.Nanosecond)
		miss(t, begin(t, here, "db"), c, "x", "the poll is due")

		publish(t, here, "db", c, "x", 2)
		tx = begin(t, here, "db")
		clearCache(t, tx, c)
		err := tx.CommitWith(t.Context(), func(context.Context) error {
			miss(t, begin(t, here, "db"), c, "x", "own fences count at once")
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		miss(t, begin(t, here, "db"), c, "x", "own commits count at once")
	})
}

func TestHandleIsSafeForConcurrentUse(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		store := s.one(t)
		c := newCache[int, int](t, store, "c", txcache.CacheOptions{})
		publish(t, store, "db", c, 0, 0)
		tx := begin(t, store, "db")
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
		miss(t, begin(t, store, "db").WithUser(1), c, 1, "it was rolled back")
	})
}
