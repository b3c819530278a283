package txcachetest_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/sqltx"
	"github.com/seed-dad15c92/txcache/txcachetest"
)

// A shop is a service whose transactions write tables that its caches show.
type shop struct {
	store *txcache.Store
	db    *sql.DB
	rows  *txcache.Cache[int, int]
	lists *txcache.Cache[int, int]
	tags  *txcache.Cache[int, int]
}

// open returns a shop whose statements told watches. driver is a fake one.
func openShop(t *testing.T, store *txcache.Store, told testing.TB, c driver.Connector) *shop {
	t.Helper()
	s := &shop{store: store, db: sql.OpenDB(txcachetest.WatchTables(told, store, c))}
	t.Cleanup(func() {
		if err := s.db.Close(); err != nil {
			t.Error(err)
		}
	})
	s.rows = txcache.Must(txcache.NewCache[int, int](store, "rows", &txcache.CacheOptions{RowsOf: []string{"product"}}))
	s.lists = txcache.Must(txcache.NewCache[int, int](store, "lists", &txcache.CacheOptions{Tables: []string{"public.product", "tax"}}))
	s.tags = txcache.Must(txcache.NewCache[int, int](store, "tags", &txcache.CacheOptions{Tables: []string{"label"}}))
	s.tags.TagBy(func(int, int) []string { return []string{"all"} })
	return s
}

// run runs statements in a transaction, and what clears.
func (s *shop) run(ctx context.Context, clear func(tx *txcache.Tx) error, statements ...string) error {
	return sqltx.Update(ctx, s.store, "shop", s.db, nil, func(tx *sqltx.Tx) error {
		for _, statement := range statements {
			if _, err := tx.ExecContext(ctx, statement); err != nil {
				return err
			}
		}
		return clear(tx.Cache)
	})
}

func nothing(*txcache.Tx) error { return nil }

func TestWatchTables(t *testing.T) {
	const update = "UPDATE product SET price = 1 WHERE id = ?"
	for _, test := range []struct {
		name string
		do   func(ctx context.Context, s *shop) error
		want []string // in one failure; nil: none
	}{
		{"nothing is named", func(ctx context.Context, s *shop) error { return s.run(ctx, nothing, update) },
			[]string{`"product"`, `database "shop"`, `["lists" "rows"]`, update}},
		{"the table is named", func(ctx context.Context, s *shop) error {
			return s.run(ctx, func(tx *txcache.Tx) error { return tx.Changed("product") }, update)
		}, nil},
		{"rows are named", func(ctx context.Context, s *shop) error {
			return s.run(ctx, func(tx *txcache.Tx) error { return tx.ChangedRows("Product", 1) }, update)
		}, nil},
		{"another table is named", func(ctx context.Context, s *shop) error {
			return s.run(ctx, func(tx *txcache.Tx) error { return tx.Changed("tax") }, update)
		}, []string{`["rows"]`}},
		{"one of two caches is cleared", func(ctx context.Context, s *shop) error {
			return s.run(ctx, func(tx *txcache.Tx) error { return s.lists.Clear(tx) }, update)
		}, []string{`["rows"]`}},
		{"both are cleared", func(ctx context.Context, s *shop) error {
			return s.run(ctx, func(tx *txcache.Tx) error { return errors.Join(s.lists.Clear(tx), s.rows.Delete(tx, 1)) }, update)
		}, nil},
		{"all is cleared", func(ctx context.Context, s *shop) error { return s.run(ctx, (*txcache.Tx).ClearAll, update) }, nil},
		{"a tag is cleared", func(ctx context.Context, s *shop) error {
			return s.run(ctx, func(tx *txcache.Tx) error { return tx.ClearTags("all") }, "INSERT INTO label VALUES (1)")
		}, nil},
		{"a tag that no value of the cache bears is cleared", func(ctx context.Context, s *shop) error {
			return s.run(ctx, func(tx *txcache.Tx) error { return tx.ClearTags("all") }, update)
		}, []string{`["lists" "rows"]`}},
		{"a table that is cached nowhere", func(ctx context.Context, s *shop) error { return s.run(ctx, nothing, "DELETE FROM visit") }, nil},
		{"a read", func(ctx context.Context, s *shop) error {
			return s.run(ctx, nothing, "SELECT 1 FROM product FOR UPDATE")
		}, nil},
		{"no row is affected", func(ctx context.Context, s *shop) error {
			return s.run(ctx, nothing, "UPDATE product SET price = 1 WHERE none")
		}, nil},
		{"a failure", func(ctx context.Context, s *shop) error {
			_ = s.run(ctx, nothing, "UPDATE product SET fails = 1")
			return nil
		}, nil},
		{"a rollback", func(ctx context.Context, s *shop) error {
			_ = s.run(ctx, func(*txcache.Tx) error { return errors.New("no") }, update)
			return s.run(ctx, nothing, "SELECT 1")
		}, nil},
		{"a savepoint that is undone", func(ctx context.Context, s *shop) error {
			return sqltx.Update(ctx, s.store, "shop", s.db, nil, func(tx *sqltx.Tx) error {
				_ = tx.Savepoint(ctx, func(tx *sqltx.Tx) error {
					_, err := tx.ExecContext(ctx, update)
					return errors.Join(err, errors.New("no"))
				})
				return nil
			})
		}, nil},
		{"a savepoint that is undone, after one of the same name in it was kept", func(ctx context.Context, s *shop) error {
			return s.run(ctx, nothing, "SAVEPOINT a", update, "SAVEPOINT a", "RELEASE a", "ROLLBACK TO a")
		}, nil},
		{"a trigger is made", func(ctx context.Context, s *shop) error {
			return s.run(ctx, func(tx *txcache.Tx) error { return tx.Changed("product") },
				update, "CREATE TRIGGER audit AFTER UPDATE ON visit BEGIN UPDATE product SET price = 1; DELETE FROM tax; END", update)
		}, nil},
		{"what a savepoint has cleared is undone", func(ctx context.Context, s *shop) error {
			return sqltx.Update(ctx, s.store, "shop", s.db, nil, func(tx *sqltx.Tx) error {
				_, err := tx.ExecContext(ctx, update)
				_ = tx.Savepoint(ctx, func(tx *sqltx.Tx) error { return errors.Join(tx.Cache.Changed("product"), errors.New("no")) })
				return err
			})
		}, []string{`["lists" "rows"]`}},
		{"a query", func(ctx context.Context, s *shop) error {
			return sqltx.Update(ctx, s.store, "shop", s.db, nil, func(tx *sqltx.Tx) error {
				rows, err := tx.QueryContext(ctx, "DELETE FROM tax RETURNING id")
				if err != nil {
					return err
				}
				return rows.Close()
			})
		}, []string{`"tax"`, `["lists"]`}},
		{"a prepared statement", func(ctx context.Context, s *shop) error {
			return sqltx.Update(ctx, s.store, "shop", s.db, nil, func(tx *sqltx.Tx) error {
				stmt, err := tx.PrepareContext(ctx, update)
				if err != nil {
					return err
				}
				_, err = stmt.ExecContext(ctx, 1)
				return errors.Join(err, stmt.Close())
			})
		}, []string{update}},
		{"outside of a transaction", func(ctx context.Context, s *shop) error {
			_, err := s.db.ExecContext(ctx, "UPDATE product SET price = $1", "secret")
			return err
		}, []string{"outside of a transaction", "price = $1"}},
		{"a transaction of another way", func(ctx context.Context, s *shop) error {
			tx, err := s.store.Begin(ctx, "shop")
			if err != nil {
				return err
			}
			dbtx, err := s.db.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			if _, err := dbtx.Exec(update); err != nil {
				return err
			}
			return errors.Join(tx.Changed("product"), tx.CommitWith(ctx, func(context.Context) error { return dbtx.Commit() }))
		}, nil},
		{"a statement that cannot be read", func(ctx context.Context, s *shop) error { return s.run(ctx, nothing, "CALL sell(1)") },
			[]string{"cannot be read", "CALL sell(1)"}},
		{"the same, with a clear", func(ctx context.Context, s *shop) error { return s.run(ctx, s.lists.Clear, "CALL sell(1)") }, nil},
	} {
		for _, open := range []struct {
			name string
			open func(testing.TB) *txcache.Store
		}{{"memory", txcachetest.Memory}, {"redis", txcachetest.Redis}} {
			for _, c := range []driver.Connector{newDriver{}, oldDriver{}} {
				t.Run(fmt.Sprintf("%s, %s, %T", test.name, open.name, c), func(t *testing.T) {
					told := &recorder{TB: t}
					if err := test.do(t.Context(), openShop(t, open.open(t), told, c)); err != nil {
						t.Fatal(err)
					}
					failures := told.end()
					if len(failures) != min(1, len(test.want)) {
						t.Errorf("reported %q; want a report: %v", failures, test.want != nil)
					}
					got := strings.Join(failures, "\n")
					for _, part := range test.want {
						if !strings.Contains(got, part) {
							t.Errorf("reported %q; want %s in it", got, part)
						}
					}
					if strings.Contains(got, "secret") {
						t.Errorf("an argument is in %q", got)
					}
				})
			}
		}
	}
}

// A newDriver has what drivers have now, an oldDriver what they had to have once.
type (
	newDriver struct{ driver.Connector }
	oldDriver struct{ driver.Connector }
	newConn   struct{ oldConn }
	oldConn   struct{}
	oldStmt   struct{ query string }
	noRows    struct{}
)

func (newDriver) Connect(context.Context) (driver.Conn, error) { return newConn{}, nil }
func (oldDriver) Connect(context.Context) (driver.Conn, error) { return oldConn{}, nil }

func (newConn) ExecContext(_ context.Context, query string, _ []driver.NamedValue) (driver.Result, error) {
	return oldStmt{query}.Exec(nil)
}

func (newConn) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	return noRows{}, nil
}

func (newConn) BeginTx(context.Context, driver.TxOptions) (driver.Tx, error) { return oldConn{}, nil }

func (oldConn) Prepare(query string) (driver.Stmt, error) { return oldStmt{query}, nil }
func (oldConn) Begin() (driver.Tx, error)                 { return oldConn{}, nil }
func (oldConn) Close() error                              { return nil }
func (oldConn) Commit() error                             { return nil }
func (oldConn) Rollback() error                           { return nil }

func (oldStmt) Close() error  { return nil }
func (oldStmt) NumInput() int { return -1 }

func (s oldStmt) Exec([]driver.Value) (driver.Result, error) {
	switch {
	case strings.Contains(s.query, "fails"):
		return nil, errors.New("the statement fails")
	case strings.Contains(s.query, "none"):
		return driver.RowsAffected(0), nil
	}
	return driver.RowsAffected(1), nil
}

func (oldStmt) Query([]driver.Value) (driver.Rows, error) { return noRows{}, nil }

func (noRows) Columns() []string         { return []string{"id"} }
func (noRows) Close() error              { return nil }
func (noRows) Next([]driver.Value) error { return io.EOF }
