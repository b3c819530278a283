package sqltx_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache/sqltx"
)

// A use is a method of *sql.Tx by which the first statement may come.
var uses = map[string]func(ctx context.Context, tx *sqltx.Tx, on *sql.Stmt) error{
	"Exec": func(_ context.Context, tx *sqltx.Tx, _ *sql.Stmt) error { _, err := tx.Exec("S"); return err },
	"ExecContext": func(ctx context.Context, tx *sqltx.Tx, _ *sql.Stmt) error {
		_, err := tx.ExecContext(ctx, "S")
		return err
	},
	"Query": func(_ context.Context, tx *sqltx.Tx, _ *sql.Stmt) error { return drain(tx.Query("S")) },
	"QueryContext": func(ctx context.Context, tx *sqltx.Tx, _ *sql.Stmt) error {
		return drain(tx.QueryContext(ctx, "S"))
	},
	"QueryRow": func(_ context.Context, tx *sqltx.Tx, _ *sql.Stmt) error {
		return tx.QueryRow("S").Scan(new(float64))
	},
	"QueryRowContext": func(ctx context.Context, tx *sqltx.Tx, _ *sql.Stmt) error {
		return tx.QueryRowContext(ctx, "S").Scan(new(float64))
	},
	"Prepare": func(_ context.Context, tx *sqltx.Tx, _ *sql.Stmt) error { return execute(tx.Prepare("S")) },
	"PrepareContext": func(ctx context.Context, tx *sqltx.Tx, _ *sql.Stmt) error {
		return execute(tx.PrepareContext(ctx, "S"))
	},
	"Stmt": func(_ context.Context, tx *sqltx.Tx, on *sql.Stmt) error { return execute(tx.Stmt(on), nil) },
	"StmtContext": func(ctx context.Context, tx *sqltx.Tx, on *sql.Stmt) error {
		return execute(tx.StmtContext(ctx, on), nil)
	},
	"SQL": func(ctx context.Context, tx *sqltx.Tx, _ *sql.Stmt) error {
		inner, err := tx.SQL(ctx)
		if err != nil {
			return err
		}
		if inner != tx.Tx {
			return errors.New("SQL returns another transaction than the field")
		}
		_, err = inner.ExecContext(ctx, "S")
		return err
	},
	"Querier": func(ctx context.Context, tx *sqltx.Tx, _ *sql.Stmt) error {
		_, err := sqltx.Querier(tx).Exec(ctx, "S", nil)
		return err
	},
}

func drain(rows *sql.Rows, err error) error {
	if err != nil {
		return err
	}
	n := 0
	for rows.Next() {
		n++
	}
	if n != 1 {
		return errors.New("not one row")
	}
	return rows.Err()
}

func execute(stmt *sql.Stmt, err error) error {
	if err != nil {
		return err
	}
	_, err = stmt.Exec()
	return err
}

func TestEveryMethodBegins(t *testing.T) {
	for name, use := range uses {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			prepared, err := s.db.Prepare("S")
			if err != nil {
				t.Fatal(err)
			}
			s.taken()
			tx := begin(t, t.Context(), s, readOnly)
			s.expect(t, "Sync")
			for range 2 {
				if err := use(t.Context(), tx, prepared); err != nil {
					t.Error(err)
				}
			}
			if err := tx.Commit(); err != nil {
				t.Error(err)
			}
			got := strings.Join(s.taken(), ", ")
			got = strings.ReplaceAll(got, "PREPARE S, ", "")
			if got != "BEGIN READ ONLY, S, S, COMMIT" {
				t.Errorf("steps are %s", got)
			}
			if got := s.db.Stats().InUse; got != 0 {
				t.Errorf("%d connections are in use after the end", got)
			}
			if err := use(t.Context(), tx, prepared); err != sql.ErrTxDone {
				t.Errorf("after the end: %v, want sql.ErrTxDone itself", err)
			}
		})
	}
}

// The error of the begin is that of the method, as it is, and changes nothing.
func TestEveryMethodReturnsTheErrorOfTheBegin(t *testing.T) {
	for name, use := range uses {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			prepared, err := s.db.Prepare("S")
			if err != nil {
				t.Fatal(err)
			}
			tx := begin(t, t.Context(), s, readOnly)
			s.onBegin = fails
			for range 2 {
				if err := use(t.Context(), tx, prepared); err != errDriver {
					t.Errorf("%v, want that of the begin", err)
				}
			}
			if tx.Tx != nil {
				t.Error("the field is set, though nothing has begun")
			}
			s.onBegin = nil
			if err := use(t.Context(), tx, prepared); err != nil {
				t.Errorf("when the database is back: %v", err)
			}
			if err := tx.Rollback(); err != nil {
				t.Error(err)
			}
			if err := tx.Rollback(); err != sql.ErrTxDone {
				t.Errorf("Rollback again: %v", err)
			}
		})
	}
}

// A transaction that was finished before it had begun answers as that of database/sql, whatever
// it is asked.
func TestEveryMethodAfterTheEnd(t *testing.T) {
	for name, use := range uses {
		for _, end := range []func(*sqltx.Tx) error{(*sqltx.Tx).Commit, (*sqltx.Tx).Rollback} {
			s := newStage(t)
			prepared, err := s.db.Prepare("S")
			if err != nil {
				t.Fatal(err)
			}
			tx := begin(t, t.Context(), s, readOnly)
			if err := end(tx); err != nil {
				t.Fatal(err)
			}
			s.taken()
			if err := use(t.Context(), tx, prepared); err != sql.ErrTxDone {
				t.Errorf("%s: %v, want sql.ErrTxDone itself", name, err)
			}
			s.expect(t)
		}
	}
}
