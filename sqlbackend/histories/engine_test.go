package histories_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/seed-dad15c92/txcache/internal/mariadbtest"
	"github.com/seed-dad15c92/txcache/internal/postgrestest"
	"github.com/seed-dad15c92/txcache/sqlbackend"
)

// rows is how many rows the histories play with.
const rows = 6

// An engine is a database and its driver.
type engine struct {
	dialect sqlbackend.Dialect
	driver  string
	dsn     string
	redis   string // the URI of Redis, which keeps values too; "": they are in the process alone
}

var schema = []string{
	"CREATE TABLE item (id integer PRIMARY KEY, v bigint NOT NULL)",
	"CREATE TABLE item_log (id %s, item integer NOT NULL)", // of the baselines
}

var identity = map[sqlbackend.Dialect]string{
	sqlbackend.Postgres: "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
	sqlbackend.MySQL:    "bigint AUTO_INCREMENT PRIMARY KEY",
	sqlbackend.SQLite:   "integer PRIMARY KEY AUTOINCREMENT",
}

func overPostgres(t *testing.T) (*engine, *postgrestest.Server) {
	server := postgrestest.Start(t)
	return create(t, &engine{dialect: sqlbackend.Postgres, driver: "pgx", dsn: server.URI("postgres")}), server
}

func overMariaDB(t *testing.T) (*engine, *mariadbtest.Server) {
	server := mariadbtest.Start(t)
	return create(t, &engine{dialect: sqlbackend.MySQL, driver: "mysql", dsn: server.DSN("test")}), server
}

// overSQLite returns the database in a file. Its transactions that write begin with BEGIN
// IMMEDIATE, those that are read-only do not.
func overSQLite(t *testing.T) (*engine, string) {
	file := filepath.Join(t.TempDir(), "test.db")
	dsn := "file:" + file + "?_pragma=busy_timeout(20000)&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)&_txlock=immediate"
	return create(t, &engine{dialect: sqlbackend.SQLite, driver: "sqlite", dsn: dsn}), file
}

func create(t *testing.T, e *engine) *engine {
	t.Helper()
	db := e.open(t)
	for _, statement := range schema {
		if strings.Contains(statement, "%s") {
			statement = fmt.Sprintf(statement, identity[e.dialect])
		}
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	for row := range rows {
		if _, err := db.ExecContext(t.Context(), fmt.Sprintf("INSERT INTO item VALUES (%d, %d)", row, row+1)); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

// open returns connections, which are closed with the test.
func (e *engine) open(t *testing.T) *sql.DB {
	t.Helper()
	db, err := e.connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func (e *engine) connect() (*sql.DB, error) {
	db, err := sql.Open(e.driver, e.dsn)
	if err == nil {
		db.SetMaxOpenConns(40)
		db.SetMaxIdleConns(40)
	}
	return db, err
}

// backend returns that of one more process.
func (e *engine) backend(db *sql.DB) (*sqlbackend.Backend, error) {
	return sqlbackend.New(func(string) (*sql.DB, error) { return db, nil }, e.dialect, &sqlbackend.Options{Logger: slog.New(slog.DiscardHandler)})
}

// refused reports whether the database has refused a transaction because of others, as each may
// expect it.
func refused(err error) bool {
	var state interface{ SQLState() string }
	if errors.As(err, &state) {
		switch state.SQLState() {
		case "40001", "40P01": // serialization failure, also of a standby that replays; deadlock
			return true
		}
	}
	var number *mysql.MySQLError
	if errors.As(err, &number) {
		return number.Number == 1213 || number.Number == 1205 // deadlock; lock wait timeout
	}
	var code interface{ Code() int }
	return errors.As(err, &code) && code.Code()&0xff == 5 // SQLITE_BUSY
}

// queryer is what *sql.DB, *sql.Tx and *sqltx.Tx have in common.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// A content is what the rows are.
type content [rows]int64

// read returns all rows as one statement shows them.
func read(ctx context.Context, q queryer) (c content, err error) {
	found, err := q.QueryContext(ctx, "SELECT id, v FROM item")
	if err != nil {
		return c, err
	}
	defer found.Close()
	for found.Next() {
		var row int
		var v int64
		if err := found.Scan(&row, &v); err != nil {
			return c, err
		}
		c[row] = v
	}
	return c, found.Err()
}

// readRow returns one row.
func readRow(ctx context.Context, q queryer, row int) (v int64, err error) {
	found, err := q.QueryContext(ctx, fmt.Sprintf("SELECT v FROM item WHERE id = %d", row))
	if err != nil {
		return 0, err
	}
	defer found.Close()
	if !found.Next() {
		return 0, errors.Join(fmt.Errorf("there is no row %d", row), found.Err())
	}
	return v, errors.Join(found.Scan(&v), found.Err())
}
