package sqltx_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/sqltx"
)

// An enlister keeps the generations in the database of a stage.
type enlister struct {
	recorder
	defaultExact bool
}

func (e enlister) DefaultExact() bool { return e.defaultExact }

func (e enlister) State(ctx context.Context, q backend.Querier, _ string) (*backend.State, error) {
	rows := 0
	err := q.Query(ctx, "STATE", nil, func(scan func(...any) error) error {
		rows++
		return scan(new(float64))
	})
	if err != nil {
		return nil, err
	}
	if rows != 1 {
		return nil, fmt.Errorf("%d rows", rows)
	}
	s := &backend.State{Epoch: "epoch", Base: "epoch"}
	e.stage.mu.Lock()
	defer e.stage.mu.Unlock()
	if n := e.stage.cleared["price"]; n > 0 {
		s.Caches = []backend.Generation{{Cache: "price", Token: token(n)}}
	}
	return s, nil
}

func token(n int) backend.Token { return backend.Token(fmt.Sprint("price-", n)) }

func (e enlister) Record(ctx context.Context, q backend.Querier, _ string, from *backend.State, f backend.Fence) (next []backend.Generation, err error) {
	if n, err := q.Exec(ctx, "RECORD", nil); err != nil || n != 1 {
		return nil, errors.Join(err, fmt.Errorf("%d rows", n))
	}
	e.stage.mu.Lock()
	defer e.stage.mu.Unlock()
	if e.stage.cleared == nil {
		e.stage.cleared = map[string]int{}
	}
	for _, g := range f.Caches {
		e.stage.recorded = append(e.stage.recorded, g.Cache)
		next = append(next, backend.Generation{Cache: g.Cache, Token: token(e.stage.cleared[g.Cache] + 1)})
	}
	return next, nil
}

func newEnlisted(t *testing.T, defaultExact bool) *stage {
	return newStageOver(t, func(b backend.Backend, s *stage) backend.Backend {
		return enlister{recorder{b, s}, defaultExact}
	})
}

// What a transaction sends when it begins, and which ones share what they load.
func TestEnlistedBegin(t *testing.T) {
	for _, test := range []struct {
		level        sql.IsolationLevel
		readOnly     bool
		defaultExact bool
		steps        string
		exact        bool
	}{
		{sql.LevelDefault, false, false, "BEGIN, STATE", false},
		{sql.LevelReadCommitted, false, false, "BEGIN READ COMMITTED, STATE", false},
		{sql.LevelReadCommitted, false, true, "BEGIN READ COMMITTED, STATE", false},
		{sql.LevelDefault, false, true, "BEGIN, STATE", true},
		{sql.LevelRepeatableRead, false, false, "BEGIN REPEATABLE READ, STATE", true},
		{sql.LevelSnapshot, false, false, "BEGIN SNAPSHOT, STATE", true},
		{sql.LevelSerializable, false, false, "STATE, BEGIN SERIALIZABLE", false},
		{sql.LevelLinearizable, false, false, "STATE, BEGIN LINEARIZABLE", false},
		{sql.LevelDefault, true, false, "STATE", false},
		{sql.LevelReadUncommitted, true, false, "STATE", false},
		{sql.LevelReadCommitted, true, true, "STATE", false},
		{sql.LevelDefault, true, true, "BEGIN READ ONLY, STATE", true},
		{sql.LevelRepeatableRead, true, false, "BEGIN READ ONLY REPEATABLE READ, STATE", true},
		{sql.LevelSerializable, true, false, "BEGIN READ ONLY SERIALIZABLE, STATE", true},
		{sql.LevelSerializable, true, true, "STATE", false},
	} {
		opts := &sql.TxOptions{Isolation: test.level, ReadOnly: test.readOnly}
		t.Run(fmt.Sprintf("%v, default exact %v", *opts, test.defaultExact), func(t *testing.T) {
			s := newEnlisted(t, test.defaultExact)
			price := newCache(t, s.store)
			// What a transaction without a snapshot has loaded may be too new for one with it.
			err := sqltx.View(t.Context(), s.store, "shop", s.db, &sql.TxOptions{Isolation: sql.LevelReadCommitted}, func(tx *sqltx.Tx) error {
				price.Set(tx.Cache, "book", 12)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			s.taken()
			tx := begin(t, t.Context(), s, opts)
			s.expect(t, strings.Split(test.steps, ", ")...)
			if _, hit := price.Get(t.Context(), tx.Cache, "book"); hit == test.exact {
				t.Errorf("hit is %v, want %v", hit, !test.exact)
			}
			inUse := 0
			if strings.Contains(test.steps, "BEGIN") {
				inUse = 1
			}
			if got := s.db.Stats().InUse; got != inUse {
				t.Errorf("%d connections are in use, want %d", got, inUse)
			}
			s.expect(t)
			ask(t, tx)
			if err := tx.Commit(); err != nil {
				t.Error(err)
			}
			want := []string{"SELECT", "COMMIT"}
			if inUse == 0 {
				want = slices.Insert(want, 0, "BEGIN READ ONLY "+strings.ToUpper(test.level.String()))
				want[0] = strings.TrimSuffix(want[0], " DEFAULT")
			}
			s.expect(t, want...)
		})
	}
}

// P1, P5: the clear is recorded in the database's transaction, and nothing is fenced.
func TestEnlistedCommit(t *testing.T) {
	s := newEnlisted(t, true)
	price := newCache(t, s.store)
	err := sqltx.Update(t.Context(), s.store, "shop", s.db, nil, func(tx *sqltx.Tx) error {
		price.Set(tx.Cache, "book", 10)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s.expect(t, "BEGIN", "STATE", "COMMIT")
	old := begin(t, t.Context(), s, readOnly)
	defer old.Rollback()
	s.taken()
	err = sqltx.Update(t.Context(), s.store, "shop", s.db, nil, func(tx *sqltx.Tx) error { return price.Clear(tx.Cache) })
	if err != nil {
		t.Fatal(err)
	}
	s.expect(t, "BEGIN", "STATE", "RECORD", "COMMIT")
	if got := price.GetOr(t.Context(), old.Cache, "book", 0); got != 10 {
		t.Errorf("the older snapshot reads %d, want its 10", got)
	}
	err = sqltx.View(t.Context(), s.store, "shop", s.db, nil, func(tx *sqltx.Tx) error {
		if got := price.GetOr(t.Context(), tx.Cache, "book", 0); got != 0 {
			t.Errorf("a new snapshot reads %d, want a miss", got)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// What a savepoint has undone is not recorded.
func TestEnlistedSavepoint(t *testing.T) {
	s := newEnlisted(t, false)
	price := newCache(t, s.store)
	err := sqltx.Update(t.Context(), s.store, "shop", s.db, nil, func(tx *sqltx.Tx) error {
		err := tx.Savepoint(t.Context(), func(*sqltx.Tx) error { return errors.Join(price.Clear(tx.Cache), errRefused) })
		if !errors.Is(err, errRefused) {
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s.expect(t, "BEGIN", "STATE", "SAVEPOINT txcache_1", "ROLLBACK TO SAVEPOINT txcache_1", "RELEASE SAVEPOINT txcache_1", "COMMIT")
}

func TestEnlistedFailures(t *testing.T) {
	serializable := &sql.TxOptions{Isolation: sql.LevelSerializable}
	for _, test := range []struct {
		name  string
		opts  *sql.TxOptions
		fails string
		want  error
		steps []string
	}{
		{"state, inside", nil, "STATE", txcache.ErrUnavailable, []string{"BEGIN", "STATE", "ROLLBACK"}},
		{"state, before", serializable, "STATE", txcache.ErrUnavailable, []string{"STATE"}},
		{"state, alone", readOnly, "STATE", txcache.ErrUnavailable, []string{"STATE"}},
		{"begin, before the state", nil, "BEGIN", errDriver, []string{"BEGIN"}},
		{"begin, after the state", serializable, "BEGIN SERIALIZABLE", errDriver, []string{"STATE", "BEGIN SERIALIZABLE"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newEnlisted(t, false)
			s.on = map[string]func() error{test.fails: fails}
			tx, err := sqltx.Begin(t.Context(), s.store, "shop", s.db, test.opts)
			if tx != nil || !errors.Is(err, test.want) || !errors.Is(err, errDriver) {
				t.Errorf("Begin returned %v, %v; want %v", tx, err, test.want)
			}
			s.expect(t, test.steps...)
			if got := s.db.Stats().InUse; got != 0 {
				t.Errorf("%d connections are in use", got)
			}
		})
	}
	t.Run("record", func(t *testing.T) {
		s := newEnlisted(t, false)
		price := newCache(t, s.store)
		tx := begin(t, t.Context(), s, nil)
		if err := price.Clear(tx.Cache); err != nil {
			t.Fatal(err)
		}
		s.on = map[string]func() error{"RECORD": fails}
		if err := tx.Commit(); !errors.Is(err, errDriver) || errors.Is(err, sqltx.ErrUnknownOutcome) {
			t.Errorf("Commit: %v, want the driver's error, and nothing unknown", err)
		}
		s.expect(t, "BEGIN", "STATE", "RECORD", "ROLLBACK")
	})
	t.Run("context", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newEnlisted(t, false)
			ctx, cancel := context.WithCancel(t.Context())
			s.on = map[string]func() error{"STATE": func() error { cancel(); return nil }}
			if tx, err := sqltx.Begin(ctx, s.store, "shop", s.db, nil); tx != nil || err != context.Canceled {
				t.Errorf("Begin returned %v, %v; want context.Canceled", tx, err)
			}
			synctest.Wait()
			if got := s.db.Stats().InUse; got != 0 {
				t.Errorf("%d connections are in use", got)
			}
		})
	})
	// P2: a statement, such as the record, would not be part of the transaction that is lost.
	t.Run("savepoint", func(t *testing.T) {
		s := newEnlisted(t, false)
		price := newCache(t, s.store)
		tx := begin(t, t.Context(), s, nil)
		s.taken()
		s.on = map[string]func() error{"ROLLBACK TO SAVEPOINT txcache_1": fails}
		if err := tx.Savepoint(t.Context(), func(*sqltx.Tx) error { return errRefused }); !errors.Is(err, errDriver) {
			t.Errorf("Savepoint: %v", err)
		}
		if err := price.Clear(tx.Cache); err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(); !errors.Is(err, errDriver) || errors.Is(err, sqltx.ErrUnknownOutcome) {
			t.Errorf("Commit: %v, want the savepoint's error", err)
		}
		s.expect(t, "SAVEPOINT txcache_1", "ROLLBACK TO SAVEPOINT txcache_1", "ROLLBACK")
	})
}

// The errors of the two drivers of SQLite, as they tell that another transaction has
// written.
type (
	codeError  struct{ code int }
	fieldError struct{ ExtendedCode extended }
	extended   int
)

func (e *codeError) Error() string { return "busy" }
func (e *codeError) Code() int     { return e.code }
func (e fieldError) Error() string { return "busy" }

func TestBusySnapshotIsExplained(t *testing.T) {
	for _, test := range []struct {
		err  error
		want bool
	}{
		{&codeError{517}, true},
		{fmt.Errorf("driver: %w", &codeError{517}), true},
		{&codeError{5}, false},
		{fieldError{517}, true},
		{fieldError{5}, false},
		{errDriver, false},
	} {
		for _, enlisted := range []bool{true, false} {
			s := newStage(t)
			if enlisted {
				s = newEnlisted(t, true)
			}
			tx := begin(t, t.Context(), s, nil)
			s.on = map[string]func() error{"UPDATE": func() error { return test.err }, "UPDATE RETURNING": func() error { return test.err }}
			_, err := tx.ExecContext(t.Context(), "UPDATE")
			_, queryErr := tx.QueryContext(t.Context(), "UPDATE RETURNING")
			for _, err := range []error{err, queryErr} {
				if got := err != test.err; got != (test.want && enlisted) || !errors.Is(err, test.err) || got && !strings.Contains(err.Error(), "IMMEDIATE") {
					t.Errorf("enlisted %v: %v for %#v", enlisted, err, test.err)
				}
			}
			tx.Rollback()
		}
	}
}
