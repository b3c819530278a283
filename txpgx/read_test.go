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

func TestHitsSendNothing(t *testing.T) {
	s := newStage(t)
	s.fill(t, 1)
	s.taken()
	err := txpgx.View(t.Context(), s.store, "shop", s.pool, pgx.TxOptions{}, func(tx *txpgx.Tx) error {
		for range 40 {
			if price, err := s.load(t.Context(), tx, 1); price != 10 || err != nil {
				t.Errorf("the price is %d, %v; want the 10 that is cached", price, err)
			}
		}
		if n := s.pool.Stat().AcquiredConns(); n != 0 {
			t.Errorf("hits hold %d connections", n)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s.expect(t, "Sync")
	tx := s.begin(t, readOnly)
	if err := tx.Rollback(t.Context()); err != nil {
		t.Error(err)
	}
	s.expect(t, "Sync")
}

// The first statement of a read-only transaction travels with BEGIN, in every mode, and
// the state is there before both. // P3
func TestFirstStatementTravelsWithBegin(t *testing.T) {
	s := newStage(t)
	for name, test := range map[string]struct {
		read func(*txpgx.Tx) (int, error)
		sql  string
	}{
		"QueryRow": {func(tx *txpgx.Tx) (price int, err error) {
			err = tx.QueryRow(t.Context(), selectPrice, 1).Scan(&price)
			return price, err
		}, selectPrice},
		"Query": {func(tx *txpgx.Tx) (int, error) {
			rows, err := tx.Query(t.Context(), selectPrice, 1)
			if err != nil {
				return 0, err
			}
			return pgx.CollectExactlyOneRow(rows, pgx.RowTo[int])
		}, selectPrice},
		"Query by hand": {func(tx *txpgx.Tx) (price int, err error) {
			rows, err := tx.Query(t.Context(), selectPrice, 1)
			if err != nil {
				return 0, err
			}
			for rows.Next() { // which closes them in the end
				if err := rows.Scan(&price); err != nil {
					return 0, err
				}
			}
			if tag := rows.CommandTag(); tag.RowsAffected() != 1 {
				t.Errorf("the tag is %q, want one row", tag)
			}
			return price, rows.Err()
		}, selectPrice},
		"Query, closed early": {func(tx *txpgx.Tx) (int, error) {
			rows, err := tx.Query(t.Context(), "SELECT generate_series(1, 10000)")
			if err != nil {
				return 0, err
			}
			rows.Next()
			rows.Close()
			rows.Close()
			return 10, rows.Err()
		}, "SELECT generate_series(1, 10000)"},
		"named arguments": {func(tx *txpgx.Tx) (price int, err error) {
			err = tx.QueryRow(t.Context(), "SELECT price FROM product WHERE id = @id", pgx.NamedArgs{"id": 1}).Scan(&price)
			return price, err
		}, "SELECT price FROM product WHERE id = @id"},
		"Exec": {func(tx *txpgx.Tx) (int, error) {
			tag, err := tx.Exec(t.Context(), "SELECT FROM product WHERE id <= $1", 10)
			return int(tag.RowsAffected()), err
		}, "SELECT FROM product WHERE id <= $1"},
		"SendBatch": {func(tx *txpgx.Tx) (price int, err error) {
			b := &pgx.Batch{}
			b.Queue("SELECT 3")
			b.Queue(selectPrice, 1)
			br := tx.SendBatch(t.Context(), b)
			if br.Tx() != nil {
				t.Error("the batch has a transaction, which the caller did not ask for")
			}
			var three int
			err = errors.Join(br.QueryRow().Scan(&three), br.QueryRow().Scan(&price), br.Close())
			if three != 3 {
				t.Errorf("the first result is %d, want 3", three)
			}
			return price, err
		}, "SELECT 3 + " + selectPrice},
		"SendBatch with functions": {func(tx *txpgx.Tx) (price int, err error) {
			b := &pgx.Batch{}
			b.Queue(selectPrice, 1).QueryRow(func(row pgx.Row) error { return row.Scan(&price) })
			err = tx.SendBatch(t.Context(), b).Close()
			return price, err
		}, selectPrice},
	} {
		t.Run(name, func(t *testing.T) {
			s.onModes(t, func(t *testing.T) {
				for _, level := range []pgx.TxIsoLevel{"", pgx.RepeatableRead, pgx.Serializable} {
					begin := "begin read only"
					if level != "" {
						begin = fmt.Sprintf("begin isolation level %s read only", level)
					}
					s.taken()
					err := txpgx.View(t.Context(), s.store, "shop", s.pool, pgx.TxOptions{IsoLevel: level}, func(tx *txpgx.Tx) error {
						price, err := test.read(tx)
						if price != 10 || err != nil {
							t.Errorf("reads %d, %v; want 10", price, err)
						}
						s.expect(t, "Sync", begin+" + "+test.sql)
						var mode, isolation string
						const settings = "SELECT current_setting('transaction_read_only'), current_setting('transaction_isolation')"
						if err := tx.QueryRow(t.Context(), settings).Scan(&mode, &isolation); err != nil || mode != "on" || level != "" && isolation != string(level) {
							t.Errorf("the transaction is %s and %q, %v; want read-only and %q", mode, isolation, err, level)
						}
						s.expect(t, settings)
						return nil
					})
					if err != nil {
						t.Error(err)
					}
					s.expect(t, "commit")
					s.idle(t)
				}
			})
		})
	}
}

// What cannot travel with BEGIN comes after it.
func TestStatementsThatDoNotTravelWithBegin(t *testing.T) {
	s := newStage(t)
	s.exec(t, "CREATE TABLE copied (n int)")
	conn := s.newPool(t, nil)
	for name, test := range map[string]struct {
		opts pgx.TxOptions
		db   txpgx.Beginner
		do   func(*txpgx.Tx) error
		sql  string
	}{
		"several statements": {readOnly, s.pool, func(tx *txpgx.Tx) error {
			_, err := tx.Exec(t.Context(), "SELECT 1; SELECT 2")
			return err
		}, "SELECT 1; SELECT 2"},
		"a mode of its own": {readOnly, s.pool, func(tx *txpgx.Tx) error {
			var n int
			return tx.QueryRow(t.Context(), "SELECT 1", pgx.QueryExecModeSimpleProtocol).Scan(&n)
		}, "SELECT 1"},
		"formats of its own": {readOnly, s.pool, func(tx *txpgx.Tx) error {
			var n int
			return tx.QueryRow(t.Context(), "SELECT 1", pgx.QueryResultFormats{pgx.TextFormatCode}).Scan(&n)
		}, "SELECT 1"},
		"a Beginner of another type": {readOnly, wrapped{conn}, func(tx *txpgx.Tx) error {
			var n int
			return tx.QueryRow(t.Context(), "SELECT 1").Scan(&n)
		}, "SELECT 1"},
		"Conn": {readOnly, s.pool, func(tx *txpgx.Tx) error {
			var n int
			return tx.Conn().QueryRow(t.Context(), "SELECT 1").Scan(&n)
		}, "SELECT 1"},
		"Prepare": {readOnly, s.pool, func(tx *txpgx.Tx) error {
			if _, err := tx.Prepare(t.Context(), "one", "SELECT 1"); err != nil {
				return err
			}
			var n int
			return tx.QueryRow(t.Context(), "one").Scan(&n)
		}, "one"},
	} {
		t.Run(name, func(t *testing.T) {
			s.taken()
			tx, err := txpgx.Begin(t.Context(), s.store, "shop", test.db, test.opts)
			if err != nil {
				t.Fatal(err)
			}
			defer tx.Rollback(context.Background())
			if err := test.do(tx); err != nil {
				t.Error(err)
			}
			if err := tx.Commit(t.Context()); err != nil {
				t.Error(err)
			}
			want := []string{"Sync", "begin read only", test.sql, "commit"}
			if name == "a Beginner of another type" {
				want = slices.Insert(want, 2, "SET LOCAL timezone TO 'UTC'")
			}
			s.expect(t, want...)
			s.idle(t)
		})
	}
}

// wrapped does more in BeginTx than to begin, as services do whose rows have an owner.
type wrapped struct{ *pgxpool.Pool }

func (w wrapped) BeginTx(ctx context.Context, opts pgx.TxOptions) (pgx.Tx, error) {
	tx, err := w.Pool.BeginTx(ctx, opts)
	if err != nil {
		return nil, err
	}
	_, err = tx.Exec(ctx, "SET LOCAL timezone TO 'UTC'")
	return tx, err
}

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

func batch(sql string, args ...any) *pgx.Batch {
	b := &pgx.Batch{}
	b.Queue(sql, args...)
	return b
}

func TestBatchThatBegins(t *testing.T) {
	s := newStage(t)
	for _, opts := range []pgx.TxOptions{readOnly, {}} {
		b := &pgx.Batch{}
		b.BeginTx(pgx.TxOptions{})
		b.Queue("SELECT 1")
		if err := s.begin(t, opts).SendBatch(t.Context(), b).Close(); err == nil {
			t.Error("a batch has begun a transaction within a transaction")
		}
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

func TestReadWriteOfPgx(t *testing.T) {
	s := newStage(t)
	s.exec(t, "CREATE TABLE copied (n int)")
	err := txpgx.Update(t.Context(), s.store, "shop", s.pool, pgx.TxOptions{}, func(tx *txpgx.Tx) error {
		n, err := tx.CopyFrom(t.Context(), pgx.Identifier{"copied"}, []string{"n"}, pgx.CopyFromRows([][]any{{1}, {2}}))
		if n != 2 || err != nil {
			t.Errorf("CopyFrom: %d, %v", n, err)
		}
		objects := tx.LargeObjects()
		if _, err := objects.Create(t.Context(), 0); err != nil {
			t.Error(err)
		}
		b := &pgx.Batch{}
		b.Queue("INSERT INTO copied VALUES (3)")
		b.Queue("INSERT INTO copied VALUES (4)")
		return tx.SendBatch(t.Context(), b).Close()
	})
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if err := s.pool.QueryRow(t.Context(), "SELECT count(*) FROM copied").Scan(&n); n != 4 || err != nil {
		t.Errorf("%d rows, %v; want 4", n, err)
	}
}

// Over one connection and over one that was acquired.
func TestOverAConnection(t *testing.T) {
	s := newStage(t)
	conn, err := s.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	for _, db := range []txpgx.Beginner{conn, conn.Conn()} {
		s.taken()
		err := txpgx.View(t.Context(), s.store, "shop", db, pgx.TxOptions{}, func(tx *txpgx.Tx) error {
			_, err := s.load(t.Context(), tx, 1)
			return err
		})
		if err != nil {
			t.Error(err)
		}
		s.expect(t, "Sync", "begin read only", selectPrice, "commit")
		if err := txpgx.View(t.Context(), s.store, "shop", db, pgx.TxOptions{}, func(tx *txpgx.Tx) error {
			return tx.QueryRow(t.Context(), selectPrice, make(chan int)).Scan(new(int))
		}); err == nil || conn.Conn().IsClosed() {
			t.Errorf("after an argument of no use: %v, and the connection is closed: %v", err, conn.Conn().IsClosed())
		}
		s.taken()
		err = txpgx.Update(t.Context(), s.store, "shop", db, pgx.TxOptions{}, func(tx *txpgx.Tx) error { return s.change(t.Context(), tx, 1, 10) })
		if err != nil {
			t.Error(err)
		}
		s.expect(t, "Sync", "begin", updatePrice, "Fence", "commit", "Clear")
	}
}
