package enlisted_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/enlistertest"
	"github.com/seed-dad15c92/txcache/internal/storetest"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

// enlist begins both sides of a transaction.
func enlist(t testing.TB, s *txcache.Store, q *enlistertest.Tx, readOnly bool) *txcache.Tx {
	t.Helper()
	tx, err := s.Enlist(t.Context(), "db", q, &txcache.EnlistOptions{ReadOnly: readOnly, Exact: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tx.Rollback() })
	return tx
}

// fill makes 1 the value under the keys of c for transactions that begin now, exact ones or others.
func fill[V any](t testing.TB, db *enlistertest.DB, s *txcache.Store, exact bool, c *txcache.Cache[string, V], v V, keys ...string) {
	t.Helper()
	tx := enlist(t, s, db.Begin(exact), true)
	for _, key := range keys {
		c.Set(tx, key, v)
	}
	storetest.Commit(t, tx)
}

// One store over a database, with a cache.
func one(t testing.TB, opts txcache.CacheOptions) (*enlistertest.DB, *txcache.Store, *txcache.Cache[string, int]) {
	db := enlistertest.New()
	s := storetest.NewStore(t, db.Backend(), txcache.Options{})
	if err := s.Sync(t.Context(), "db"); err != nil { // the first one makes the epoch
		t.Fatal(err)
	}
	return db, s, storetest.NewCache[string, int](t, s, "c", opts)
}

func TestEnlistNeedsAnEnlisterAndATransaction(t *testing.T) {
	memory := storetest.NewStore(t, memorybackend.New(), txcache.Options{})
	if memory.Enlister() != nil {
		t.Error("the backend in the process is no Enlister")
	}
	db, s, _ := one(t, txcache.CacheOptions{})
	if s.Enlister() == nil {
		t.Error("the store has no Enlister")
	}
	for name, begin := range map[string]func() (*txcache.Tx, error){
		"no enlister":    func() (*txcache.Tx, error) { return memory.Enlist(t.Context(), "db", db.Begin(true), nil) },
		"no transaction": func() (*txcache.Tx, error) { return s.Enlist(t.Context(), "db", nil, nil) },
		"no name":        func() (*txcache.Tx, error) { return s.Enlist(t.Context(), "", db.Begin(true), nil) },
	} {
		if tx, err := begin(); err == nil || !strings.HasPrefix(err.Error(), "txcache: ") {
			t.Errorf("%s: Enlist returned %v, %v", name, tx, err)
		}
	}
	ended := db.Begin(true)
	ended.Rollback()
	if _, err := s.Enlist(t.Context(), "db", ended, nil); !errors.Is(err, txcache.ErrUnavailable) || !errors.Is(err, enlistertest.ErrDone) {
		t.Errorf("Enlist in a transaction that has ended: %v; want ErrUnavailable and the cause", err)
	}
	storetest.Commit(t, storetest.BeginReadOnly(t, memory, "db"))
	s.Close()
	if _, err := s.Enlist(t.Context(), "db", db.Begin(true), nil); !errors.Is(err, txcache.ErrClosed) {
		t.Errorf("Enlist in a closed store: %v; want ErrClosed", err)
	}
}

// What a transaction clears, deletes and sets is its own until it commits, and nobody's
// if it does not.
func TestClearsArePartOfTheCommit(t *testing.T) {
	change := map[string]func(*txcache.Tx, *txcache.Cache[string, int]) error{
		"clear":     func(tx *txcache.Tx, c *txcache.Cache[string, int]) error { return c.Clear(tx) },
		"delete":    func(tx *txcache.Tx, c *txcache.Cache[string, int]) error { return c.Delete(tx, "x") },
		"clear tag": func(tx *txcache.Tx, c *txcache.Cache[string, int]) error { return tx.ClearTags("tag") },
		"clear all": func(tx *txcache.Tx, c *txcache.Cache[string, int]) error { return tx.ClearAll() },
	}
	refused := errors.New("the database refuses")
	for name, change := range change {
		for _, commits := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, commits %t", name, commits), func(t *testing.T) {
				db, s, c := one(t, txcache.CacheOptions{Warm: true})
				c.TagBy(func(string, int) []string { return []string{"tag"} })
				fill(t, db, s, true, c, 1, "x")
				before := enlist(t, s, db.Begin(true), true)
				q := db.Begin(true)
				tx := enlist(t, s, q, false)
				storetest.Hit(t, tx, c, "x", 1, "it is there")
				if err := change(tx, c); err != nil {
					t.Fatal(err)
				}
				storetest.Miss(t, tx, c, "x", "it is cleared")
				c.Set(tx, "x", 2)
				storetest.Hit(t, tx, c, "x", 2, "it is set")
				storetest.Hit(t, enlist(t, s, db.Begin(true), true), c, "x", 1, "nothing is committed yet")
				err := tx.CommitWith(t.Context(), func(context.Context) error {
					if !commits {
						q.Rollback()
						return refused
					}
					return q.Commit()
				})
				if v, ok := c.Get(t.Context(), before, "x"); ok && v != 1 { // the new value may have taken its place
					t.Errorf("who began before finds %d; want 1 or nothing", v)
				}
				after := enlist(t, s, db.Begin(true), true)
				if !commits {
					if err != refused {
						t.Errorf("CommitWith returned %v; want the error of the commit", err)
					}
					storetest.Hit(t, after, c, "x", 1, "nothing was committed")
					return
				}
				if err != nil {
					t.Error(err)
				}
				storetest.Hit(t, after, c, "x", 2, "it was published")
				if st := s.Status(); st.Fences != 0 || st.InDoubt != 0 {
					t.Errorf("Status = %+v; want no fence", st)
				}
			})
		}
	}
}

// A failing is a transaction of the database in which nothing can be recorded.
type failing struct{ *enlistertest.Tx }

func (failing) Exec(context.Context, string, []any) (int64, error) { return 0, errFull }

var errFull = errors.New("the disk is full")

// Where the clears cannot be part of the database's commit, that is not run.
func TestACommitThatCannotRecordIsNotRun(t *testing.T) {
	db, s, c := one(t, txcache.CacheOptions{})
	fill(t, db, s, true, c, 1, "x")
	run := func(context.Context) error { t.Error("the database has committed"); return nil }
	q := db.Begin(true)
	full, err := s.Enlist(t.Context(), "db", failing{q}, nil)
	if err != nil {
		t.Fatal(err)
	}
	storetest.Clear(t, full, c)
	if err := full.CommitWith(t.Context(), run); !errors.Is(err, errFull) {
		t.Errorf("CommitWith returned %v; want the error of the record", err)
	}
	alone := storetest.Begin(t, s, "db")
	storetest.Clear(t, alone, c)
	if err := alone.CommitWith(t.Context(), run); !errors.Is(err, txcache.ErrNotEnlisted) {
		t.Errorf("CommitWith of a transaction that is not enlisted: %v; want ErrNotEnlisted", err)
	}
	if err := s.Update(t.Context(), "db", c.Clear); !errors.Is(err, txcache.ErrNotEnlisted) {
		t.Errorf("Update: %v; want ErrNotEnlisted", err)
	}
	without := enlist(t, s, db.Begin(true), false)
	storetest.Clear(t, without, c)
	if err := without.Commit(t.Context()); err == nil {
		t.Error("Commit has recorded what may never be committed")
	}
	done, cancel := context.WithCancel(t.Context())
	late := enlist(t, s, db.Begin(true), false)
	storetest.Clear(t, late, c)
	cancel()
	if err := late.CommitWith(done, run); !errors.Is(err, context.Canceled) {
		t.Errorf("CommitWith with a context that is done: %v", err)
	}
	storetest.Hit(t, enlist(t, s, db.Begin(true), true), c, "x", 1, "nothing was cleared")
}

// What is cleared without a transaction of the database, the backend clears in its own.
func TestClearsOfTheStore(t *testing.T) {
	db, s, c := one(t, txcache.CacheOptions{})
	d := storetest.NewCache[string, int](t, s, "d", txcache.CacheOptions{})
	c.TagBy(func(key string, _ int) []string { return []string{"tag of " + key} })
	for name, test := range map[string]struct {
		clear    func() error
		y, other bool // what stays
	}{
		"Clear":     {func() error { return s.Clear(t.Context(), "db", "c") }, false, true},
		"ClearTags": {func() error { return s.ClearTags(t.Context(), "db", "tag of x") }, true, true},
		"Delete":    {func() error { return s.Delete(t.Context(), "db", "c", c.KeyText("x")) }, true, true},
		"ClearAll":  {func() error { return s.ClearAll(t.Context(), "db") }, false, false},
		"Drop":      {func() error { return s.Drop(t.Context(), "db") }, false, false},
	} {
		fill(t, db, s, true, c, 1, "x", "y")
		fill(t, db, s, true, d, 1, "x")
		old := enlist(t, s, db.Begin(true), true)
		if err := test.clear(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		tx := enlist(t, s, db.Begin(true), true)
		storetest.Miss(t, tx, c, "x", name)
		if _, ok := c.Get(t.Context(), tx, "y"); ok != test.y {
			t.Errorf("%s: another key is found: %t", name, ok)
		}
		if _, ok := d.Get(t.Context(), tx, "x"); ok != test.other {
			t.Errorf("%s: another cache's value is found: %t", name, ok)
		}
		if name != "Drop" { // which lets all values go
			storetest.Hit(t, old, c, "x", 1, name+": it sees what was before")
		}
	}
}

// Transactions without one snapshot, and those without a transaction of the database,
// share what they load with each other, and not with exact ones.
func TestExactAndOtherTransactionsShareNothing(t *testing.T) {
	db, s, c := one(t, txcache.CacheOptions{})
	fill(t, db, s, false, c, 1, "x")
	storetest.Hit(t, enlist(t, s, db.Begin(false), true), c, "x", 1, "it is not older than its state")
	storetest.Hit(t, storetest.BeginReadOnly(t, s, "db"), c, "x", 1, "it is not older than its state")
	storetest.Miss(t, enlist(t, s, db.Begin(true), true), c, "x", "it may be newer than the snapshot")
	fill(t, db, s, true, c, 2, "x")
	storetest.Hit(t, enlist(t, s, db.Begin(true), true), c, "x", 2, "it is exact")
	storetest.Hit(t, enlist(t, s, db.Begin(false), true), c, "x", 1, "it was not replaced")
}

// A transaction is one with a snapshot if its caller says so, and the backend, where it
// learns the isolation level.
func TestATransactionIsExactIfBothSaySo(t *testing.T) {
	db, s, c := one(t, txcache.CacheOptions{})
	fill(t, db, s, true, c, 1, "x") // exact ones find it, and others
	fill(t, db, s, false, c, 2, "x")
	for _, says := range []bool{true, false} {
		for _, is := range []bool{true, false} {
			tx, err := s.Enlist(t.Context(), "db", db.Begin(is), &txcache.EnlistOptions{ReadOnly: true, Exact: says})
			if err != nil {
				t.Fatal(err)
			}
			want := 2
			if says && is {
				want = 1
			}
			storetest.Hit(t, tx, c, "x", want, fmt.Sprintf("the caller says %t, the backend %t", says, is))
			tx.Rollback()
		}
	}
}

// A transaction without one snapshot finds what exact ones have loaded, and not the other
// way round.
func TestWhatIsExactIsForAll(t *testing.T) {
	db, s, c := one(t, txcache.CacheOptions{})
	fill(t, db, s, true, c, 1, "x")
	storetest.Hit(t, enlist(t, s, db.Begin(false), true), c, "x", 1, "what is exact is not older than any state")
	if v, err := c.Load(t.Context(), enlist(t, s, db.Begin(false), true), "y", storetest.Constant(2, nil)); v != 2 || err != nil {
		t.Errorf("Load returned %d, %v", v, err)
	}
	storetest.Miss(t, enlist(t, s, db.Begin(true), true), c, "y", "it may be newer than the snapshot")
}

// The caller may have read the state itself.
func TestEnlistWithAState(t *testing.T) {
	db, s, c := one(t, txcache.CacheOptions{})
	fill(t, db, s, false, c, 1, "x")
	q := db.Begin(true)
	state, err := s.Enlister().State(t.Context(), q, "db")
	if err != nil {
		t.Fatal(err)
	}
	for exact, want := range map[bool]bool{true: false, false: true} {
		tx, err := s.Enlist(t.Context(), "db", unusable{}, &txcache.EnlistOptions{State: state, Exact: exact, ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := c.Get(t.Context(), tx, "x"); ok != want {
			t.Errorf("exact %t: found %t", exact, ok)
		}
		tx.Rollback()
	}
}

type unusable struct{ backend.Querier }

// The memory of generations that are over comes back, whatever transactions did in them.
func TestOldGenerationsGo(t *testing.T) {
	db, s, _ := one(t, txcache.CacheOptions{})
	big := storetest.NewCache[string, []byte](t, s, "big", txcache.CacheOptions{})
	other := storetest.NewCache[string, int](t, s, "other", txcache.CacheOptions{})
	fill(t, db, s, true, other, 1, "x")
	const size, clears = 1 << 20, 100
	before := storetest.Heap()
	for range clears {
		fill(t, db, s, true, big, make([]byte, size), "x")
		q := db.Begin(true)
		tx := enlist(t, s, q, false)
		storetest.Clear(t, tx, big)
		if err := tx.CommitWith(t.Context(), func(context.Context) error { return q.Commit() }); err != nil {
			t.Fatal(err)
		}
	}
	if grown := int64(storetest.Heap()) - int64(before); grown > clears/4*size {
		t.Errorf("%d bytes are in use after %d clears of %d bytes", grown, clears, size)
	}
	storetest.Hit(t, enlist(t, s, db.Begin(true), true), other, "x", 1, "nobody has cleared it")
	runtime.KeepAlive(s)
}
