package txpgx_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
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
