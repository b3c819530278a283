package histories_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/sqlbackend"
	"github.com/seed-dad15c92/txcache/sqltx"
)

// begin begins a transaction of sqltx, which is rolled back with the test.
func begin(t *testing.T, s *server, opts *sql.TxOptions) *sqltx.Tx {
	t.Helper()
	tx, err := sqltx.Begin(t.Context(), s.store, database, s.db, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tx.Rollback() })
	return tx
}

// change sets a row in a transaction of its own, and deletes its key.
func (s *server) change(ctx context.Context, row, v int) error {
	return sqltx.Update(ctx, s.store, database, s.db, nil, func(tx *sqltx.Tx) error {
		if _, err := tx.ExecContext(ctx, "UPDATE item SET v = ? WHERE id = ?", v, row); err != nil {
			return err
		}
		return s.row.Delete(tx.Cache, row)
	})
}

func none() {}

// What a transaction at read committed has loaded is nothing for one at repeatable read, if
// another transaction has committed in between. MariaDB tells the level of a session, not that of a
// transaction whose caller has asked for another one.
func TestReadCommittedIsNotExact(t *testing.T) {
	e, _ := overMariaDB(t)
	for _, readOnly := range []bool{false, true} {
		s := newServer(t, e, "a")
		if err := s.backend.Prepare(t.Context(), database); err != nil {
			t.Fatal(err)
		}
		exact := begin(t, s, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
		was, err := readRow(t.Context(), exact, 0)
		if err != nil {
			t.Fatal(err)
		}
		loose := begin(t, s, &sql.TxOptions{Isolation: sql.LevelReadCommitted, ReadOnly: readOnly})
		if err := s.change(t.Context(), 0, int(was)+100); err != nil {
			t.Fatal(err)
		}
		if _, err := s.row.Load(t.Context(), loose.Cache, 0, func(ctx context.Context) (value, error) {
			return s.load(ctx, loose, s.row, 0, none)
		}); err != nil {
			t.Fatal(err)
		}
		if err := loose.Commit(); err != nil {
			t.Fatal(err)
		}
		if v, hit := s.row.Get(t.Context(), exact.Cache, 0); hit && v[0] != was {
			t.Errorf("read-only %v: a transaction at repeatable read finds %d, which is not in its snapshot: that has %d", readOnly, v[0], was)
		}
	}
}

// All rows of clears may be deleted while another process folds them.
func TestDeletingAllRowsDuringAFold(t *testing.T) {
	e, _ := overPostgres(t)
	s := newServer(t, e, "a")
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	load := func() value {
		tx := begin(t, s, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
		v, err := s.row.Load(ctx, tx.Cache, 0, func(ctx context.Context) (value, error) { return s.load(ctx, tx, s.row, 0, none) })
		must(err)
		must(tx.Commit())
		return v
	}
	update := func(v int) {
		t.Helper()
		must(sqltx.Update(ctx, s.store, database, s.db, nil, func(tx *sqltx.Tx) error {
			if _, err := tx.ExecContext(ctx, "UPDATE item SET v = $1 WHERE id = 0", v); err != nil {
				return err
			}
			return s.row.Delete(tx.Cache, 0)
		}))
	}
	blocked := func(n int) {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			var waiting int
			must(s.db.QueryRowContext(ctx, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'").Scan(&waiting))
			if waiting == n {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%d statements wait, want %d", waiting, n)
			}
		}
	}
	must(s.backend.Prepare(ctx, database))
	update(100)
	update(200)
	if v := load(); v[0] != 200 {
		t.Fatalf("the row is %d, want 200", v[0])
	}
	blocker, err := s.db.BeginTx(ctx, nil)
	must(err)
	defer blocker.Rollback()
	var id int64 // of the last row, so that the fold has come to the others
	must(blocker.QueryRowContext(ctx, "SELECT id FROM "+sqlbackend.DefaultTable+" ORDER BY id DESC LIMIT 1 FOR UPDATE").Scan(&id))
	errs := make(chan error, 2)
	go func() { errs <- s.backend.Fold(ctx, database) }()
	blocked(1)
	update(300) // after the fold has read
	go func() {
		_, err := s.db.ExecContext(ctx, "DELETE FROM "+sqlbackend.DefaultTable)
		errs <- err
	}()
	blocked(2)
	must(blocker.Rollback())
	must(<-errs)
	must(<-errs)
	if v := load(); v[0] != 300 {
		t.Errorf("the cache has %d, and the row is 300: the table shows a state from before", v[0])
	}
}
