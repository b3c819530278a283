package txpgx_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-dad15c92/txcache/txpgx"
)

// After a first statement that fails, the transaction is what it is with pgx.
func TestFirstStatementFails(t *testing.T) {
	s := newStage(t)
	for name, test := range map[string]struct {
		sql  string
		args []any
	}{
		"no such table":           {"SELECT * FROM nothing WHERE id = $1", []any{1}},
		"syntax":                  {"SELECT FROM WHERE", nil},
		"division":                {"SELECT 1 / $1::int", []any{0}},
		"division, in the second": {"SELECT 1 / (2 - n) FROM generate_series(1, 2) n", nil},
		"argument of no use":      {selectPrice, []any{make(chan int)}},
		"too few":                 {selectPrice, nil},
		"a change":                {"DELETE FROM product WHERE id = $1", []any{1}},
	} {
		t.Run(name, func(t *testing.T) {
			s.onModes(t, func(t *testing.T) {
				plain, err := s.pool.BeginTx(t.Context(), readOnly)
				if err != nil {
					t.Fatal(err)
				}
				answers := func(tx pgx.Tx) (all []string) {
					var v any
					for _, err := range []error{
						tx.QueryRow(t.Context(), test.sql, test.args...).Scan(&v),
						tx.QueryRow(t.Context(), "SELECT 1").Scan(new(int)),
						tx.Commit(t.Context()),
					} {
						all = append(all, answer(err))
					}
					return all
				}
				want := answers(plain)
				tx := s.begin(t, readOnly)
				if got := answers(tx); !slices.Equal(got, want) {
					t.Errorf("answers are\n\t%q, but those of pgx\n\t%q", got, want)
				}
				s.idle(t)

				plain, err = s.pool.BeginTx(t.Context(), readOnly)
				if err != nil {
					t.Fatal(err)
				}
				_, wantErr := plain.Exec(t.Context(), test.sql, test.args...)
				plain.Rollback(t.Context())
				_, err = s.begin(t, readOnly).Exec(t.Context(), test.sql, test.args...)
				if answer(err) != answer(wantErr) {
					t.Errorf("Exec: %v, but pgx says %v", err, wantErr)
				}
			})
		})
	}
}

// answer is the text of an error, without what pgx prepares it for.
func answer(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return fmt.Sprint(err)
}

// A BEGIN that is refused, or cannot be sent, is the error of the first statement, and
// the next one tries again.
func TestBeginFails(t *testing.T) {
	s := newStage(t)
	s.onModes(t, func(t *testing.T) {
		tx := s.begin(t, pgx.TxOptions{AccessMode: pgx.ReadOnly, BeginQuery: "begin isolation level no such"})
		if err := tx.QueryRow(t.Context(), selectPrice, 1).Scan(new(int)); answer(err) != "42601" {
			t.Errorf("QueryRow: %v, want the error of BEGIN", err)
		}
		if err := tx.SendBatch(t.Context(), batch(selectPrice, 1)).Close(); answer(err) != "42601" {
			t.Errorf("SendBatch: %v, want the error of BEGIN", err)
		}
		s.idle(t)
		if tx.Conn() != nil {
			t.Error("there is a connection")
		}
		if _, err := tx.Begin(t.Context()); answer(err) != "42601" {
			t.Errorf("Begin: %v, want the error of BEGIN", err)
		}
		objects := tx.LargeObjects()
		if _, err := objects.Create(t.Context(), 0); !errors.Is(err, pgx.ErrTxClosed) {
			t.Errorf("LargeObjects: %v, want ErrTxClosed", err)
		}
		if err := tx.Commit(t.Context()); err != nil {
			t.Errorf("Commit of what has not begun: %v", err)
		}
	})

	held := s.newPool(t, func(cfg *pgxpool.Config) { cfg.MaxConns = 1 })
	conn, err := held.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tx, err := txpgx.Begin(t.Context(), s.store, "shop", held, readOnly)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.Background())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tx.Query(ctx, selectPrice, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("Query without a connection: %v", err)
	}
	conn.Release()
	if err := tx.QueryRow(t.Context(), selectPrice, 1).Scan(new(int)); err != nil {
		t.Errorf("the next statement: %v", err)
	}
}

func TestNothingAfterTheEnd(t *testing.T) {
	s := newStage(t)
	for _, opts := range []pgx.TxOptions{{}, readOnly} {
		for name, end := range map[string]func(*txpgx.Tx, context.Context) error{"Commit": (*txpgx.Tx).Commit, "Rollback": (*txpgx.Tx).Rollback} {
			for _, used := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, %s, used %v", name, opts.AccessMode, used), func(t *testing.T) {
					tx := s.begin(t, opts)
					if used {
						if _, err := tx.Exec(t.Context(), "SELECT 1"); err != nil {
							t.Fatal(err)
						}
					}
					if err := end(tx, t.Context()); err != nil {
						t.Fatal(err)
					}
					s.taken()
					_, query := tx.Query(t.Context(), "SELECT 1")
					_, exec := tx.Exec(t.Context(), "SELECT 1")
					_, prepare := tx.Prepare(t.Context(), "", "SELECT 1")
					_, begin := tx.Begin(t.Context())
					_, copied := tx.CopyFrom(t.Context(), pgx.Identifier{"product"}, []string{"id"}, pgx.CopyFromRows(nil))
					objects := tx.LargeObjects()
					for name, err := range map[string]error{
						"Query": query, "Exec": exec, "Prepare": prepare, "Begin": begin, "CopyFrom": copied,
						"QueryRow": tx.QueryRow(t.Context(), "SELECT 1").Scan(new(int)), "SendBatch": tx.SendBatch(t.Context(), batch("SELECT 1")).Close(),
						"LargeObjects": objects.Unlink(t.Context(), 1), "Commit": tx.Commit(t.Context()), "Rollback": tx.Rollback(t.Context()),
					} {
						if !errors.Is(err, pgx.ErrTxClosed) {
							t.Errorf("%s: %v, want ErrTxClosed", name, err)
						}
					}
					s.expect(t)
					s.idle(t)
				})
			}
		}
	}
}

// The connection breaks between the rows of the first statement: what comes later is not
// read from another snapshot.
func TestConnectionBreaksInTheFirstStatement(t *testing.T) {
	s := newStage(t)
	s.onModes(t, func(t *testing.T) {
		tx := s.begin(t, readOnly)
		if err := tx.QueryRow(t.Context(), "SELECT pg_terminate_backend(pg_backend_pid()), pg_sleep(5)").Scan(new(bool), nil); err == nil {
			t.Error("there is no error")
		}
		if err := tx.QueryRow(t.Context(), selectPrice, 1).Scan(new(int)); err == nil {
			t.Error("a transaction whose connection broke reads on")
		}
		tx.Rollback(t.Context())
		s.idle(t)
	})
}
