package acceptance_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// A row is what the database shows to a transaction that several goroutines use.
type row struct {
	mu    sync.Mutex
	value string
}

func (r *row) set(value string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.value = value
}

func (r *row) get() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.value
}

// A lateLoad is a call of Load that has read the row. What it has read it
// returns once it is to land.
type lateLoad struct {
	landing chan struct{}
	done    chan error
}

// begin begins to load in a goroutine of its own, and returns when the row was
// read.
func (w wayToLoad) begin(ctx context.Context, tx *txcache.Tx, c *txcache.Cache[string, string], r *row) *lateLoad {
	l := &lateLoad{make(chan struct{}), make(chan error, 1)}
	read := make(chan struct{})
	go func() {
		l.done <- w.load(ctx, tx, c, func() string {
			value := r.get()
			close(read)
			<-l.landing
			return value
		})
	}()
	select {
	case <-read:
	case err := <-l.done:
		l.done <- fmt.Errorf("the loader was not called: %w", err)
	}
	return l
}

// land lets the load go on, and returns when it has returned.
func (l *lateLoad) land(t *testing.T) {
	t.Helper()
	close(l.landing)
	if err := <-l.done; err != nil {
		t.Error(err)
	}
}

// A wayToLoad loads "k". What its caller gets must be what its loader has read.
type wayToLoad struct {
	name  string
	lease time.Duration
	load  func(ctx context.Context, tx *txcache.Tx, c *txcache.Cache[string, string], read func() string) error
}

var waysToLoad = []wayToLoad{
	{"Load", 0, loadOne},
	{"Load, leased", time.Minute, loadOne},
	{"LoadMany", 0, loadTwo},
	{"LoadMany, leased", time.Minute, loadTwo},
	{"Load of what is absent", 0, func(ctx context.Context, tx *txcache.Tx, c *txcache.Cache[string, string], read func() string) error {
		_, err := c.Load(ctx, tx, "k", func(context.Context) (string, error) {
			read()
			return "", txcache.ErrAbsent
		})
		return told("", "", err == txcache.ErrAbsent, nil)
	}},
}

func loadOne(ctx context.Context, tx *txcache.Tx, c *txcache.Cache[string, string], read func() string) error {
	want := ""
	got, err := c.Load(ctx, tx, "k", func(context.Context) (string, error) {
		want = read()
		return want, nil
	})
	return told(got, want, true, err)
}

func loadTwo(ctx context.Context, tx *txcache.Tx, c *txcache.Cache[string, string], read func() string) error {
	want := ""
	got, err := c.LoadMany(ctx, tx, []string{"j", "k"}, func(_ context.Context, keys []string) (map[string]string, error) {
		want = read()
		return map[string]string{"j": want, "k": want}, nil
	})
	return told(got["k"], want, true, err)
}

func told(got, want string, right bool, err error) error {
	if err == nil && (got != want || !right) {
		return fmt.Errorf("the load returned %q; want what its loader has read, %q", got, want)
	}
	return err
}

var errUndone = errors.New("undone")

// lateLoads are the orders in which a load can come too late. The transaction is
// open, or has committed or rolled back, afterwards; after is what the database
// shows then. Writes are cleared after they were made.
var lateLoads = []struct {
	name  string
	after string
	play  func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, string], r *row, begin func() *lateLoad)
}{
	{"a savepoint is undone", "old", func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, string], r *row, begin func() *lateLoad) {
		var l *lateLoad
		tx.Savepoint(func(tx *txcache.Tx) error {
			r.set("dirty")
			storetest.Clear(t, tx, c)
			l = begin()
			r.set("old")
			return errUndone
		})
		l.land(t)
	}},
	{"a savepoint without a clear is undone", "old", func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, string], r *row, begin func() *lateLoad) {
		var l *lateLoad
		tx.Savepoint(func(tx *txcache.Tx) error {
			r.set("dirty") // to be cleared before the commit, had it been kept
			l = begin()
			r.set("old")
			return errUndone
		})
		l.land(t)
	}},
	{"a savepoint is undone by a panic", "old", func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, string], r *row, begin func() *lateLoad) {
		var l *lateLoad
		func() {
			defer func() { _ = recover() }()
			tx.Savepoint(func(tx *txcache.Tx) error {
				r.set("dirty")
				storetest.Clear(t, tx, c)
				l = begin()
				r.set("old")
				panic(errUndone)
			})
		}()
		l.land(t)
	}},
	{"an inner savepoint is undone", "outer", func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, string], r *row, begin func() *lateLoad) {
		tx.Savepoint(func(tx *txcache.Tx) error {
			r.set("outer")
			storetest.Clear(t, tx, c)
			var l *lateLoad
			tx.Savepoint(func(tx *txcache.Tx) error {
				r.set("dirty")
				storetest.Clear(t, tx, c)
				l = begin()
				r.set("outer")
				return errUndone
			})
			l.land(t)
			return nil
		})
	}},
	{"an outer savepoint is undone", "old", func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, string], r *row, begin func() *lateLoad) {
		var l *lateLoad
		tx.Savepoint(func(tx *txcache.Tx) error {
			tx.Savepoint(func(tx *txcache.Tx) error {
				r.set("dirty")
				storetest.Clear(t, tx, c)
				l = begin()
				return nil
			})
			r.set("old")
			return errUndone
		})
		l.land(t)
	}},
	{"an outer savepoint is undone after the load", "old", func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, string], r *row, begin func() *lateLoad) {
		tx.Savepoint(func(tx *txcache.Tx) error {
			var l *lateLoad
			tx.Savepoint(func(tx *txcache.Tx) error {
				r.set("dirty")
				storetest.Clear(t, tx, c)
				l = begin()
				return nil
			})
			l.land(t)
			r.set("old")
			return errUndone
		})
	}},
	{"one of two savepoints that overlap is undone", "old", func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, string], r *row, begin func() *lateLoad) {
		var l *lateLoad
		began, undone := make(chan struct{}), make(chan struct{})
		var other sync.WaitGroup
		tx.Savepoint(func(tx *txcache.Tx) error {
			other.Go(func() {
				tx.Savepoint(func(tx *txcache.Tx) error {
					close(began)
					<-undone
					l.land(t)
					return nil
				})
			})
			<-began
			r.set("dirty")
			storetest.Clear(t, tx, c)
			l = begin()
			r.set("old")
			return errUndone
		})
		close(undone)
		other.Wait()
	}},
	{"the cache is cleared", "new", func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, string], r *row, begin func() *lateLoad) {
		l := begin()
		r.set("new")
		storetest.Clear(t, tx, c)
		l.land(t)
	}},
	{"the cache is cleared twice", "new", func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, string], r *row, begin func() *lateLoad) {
		r.set("newer than old")
		storetest.Clear(t, tx, c)
		l := begin()
		r.set("new")
		storetest.Clear(t, tx, c)
		l.land(t)
	}},
	{"the cache is cleared within a savepoint that is kept", "new", func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, string], r *row, begin func() *lateLoad) {
		l := begin()
		tx.Savepoint(func(tx *txcache.Tx) error {
			r.set("new")
			storetest.Clear(t, tx, c)
			return nil
		})
		l.land(t)
	}},
	{"all caches are cleared", "new", func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, string], r *row, begin func() *lateLoad) {
		l := begin()
		r.set("new")
		if err := tx.ClearAll(); err != nil {
			t.Error(err)
		}
		l.land(t)
	}},
	{"the cache is cleared before all caches are", "new", func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, string], r *row, begin func() *lateLoad) {
		storetest.Clear(t, tx, c)
		l := begin()
		r.set("new")
		if err := tx.ClearAll(); err != nil {
			t.Error(err)
		}
		l.land(t)
	}},
	{"the transaction commits meanwhile", "new", func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, string], r *row, begin func() *lateLoad) {
		l := begin()
		r.set("new")
		storetest.Clear(t, tx, c)
		if err := tx.CommitWith(t.Context(), func(context.Context) error {
			l.land(t)
			return nil
		}); err != nil {
			t.Error(err)
		}
	}},
	{"the transaction has committed", "new", func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, string], r *row, begin func() *lateLoad) {
		l := begin()
		r.set("new")
		storetest.Clear(t, tx, c)
		storetest.Commit(t, tx)
		l.land(t)
	}},
	{"the transaction has rolled back", "old", func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, string], r *row, begin func() *lateLoad) {
		r.set("dirty")
		l := begin()
		r.set("old")
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
		l.land(t)
	}},
}

// P1, P2, P3: goroutines share a transaction, and one of them is loading while
// another clears, undoes or ends it. What was read before is not seen
// afterwards, by the transaction or by others.
func TestALoadThatComesTooLateIsNotKept(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		for _, order := range lateLoads {
			for _, way := range waysToLoad {
				for _, warm := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s/%s/warm %v", order.name, way.name, warm), func(t *testing.T) {
						store := s.One(t)
						c := storetest.NewCache[string, string](t, store, "c", txcache.CacheOptions{Warm: warm, Lease: way.lease})
						r := &row{value: "old"}
						tx := storetest.Begin(t, store, "db")
						order.play(t, tx, c, r, func() *lateLoad { return way.begin(t.Context(), tx, c, r) })
						r.shows(t, order.after)
						r.seenBy(t, tx, c, "the transaction itself")
						if err := tx.Commit(t.Context()); err != nil && err != txcache.ErrTxDone {
							t.Error(err)
						}
						r.seenBy(t, storetest.Begin(t, store, "db"), c, "a transaction that began afterwards")
						r.seenBy(t, storetest.BeginReadOnly(t, store, "db"), c, "a read-only transaction that began afterwards")
					})
				}
			}
		}
	})
}

// shows fails the test if the table of orders is not what it says.
func (r *row) shows(t *testing.T, want string) {
	t.Helper()
	if got := r.get(); got != want {
		t.Fatalf("the row is %q, not %q", got, want)
	}
}

// seenBy fails the test if tx sees anything else than the row, or that it is
// absent. Nothing is a miss.
func (r *row) seenBy(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, string], who string) {
	t.Helper()
	if v, ok := c.Get(t.Context(), tx, "k"); ok && v != r.get() {
		t.Errorf("%s sees %q; the database has %q", who, v, r.get())
	}
	if c.Absent(t.Context(), tx, "k") {
		t.Errorf("%s sees nothing; the database has %q", who, r.get())
	}
	if v, ok := c.GetMany(t.Context(), tx, []string{"j"})["j"]; ok && v != r.get() {
		t.Errorf("%s sees %q; the database has %q", who, v, r.get())
	}
}
