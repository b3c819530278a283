package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"
)

// sqlite is the database of sqlite.toml: a file, of which a read-write transaction takes the
// write lock when it begins, and waits for it.
const sqlite = "file:shop.db?_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)"

// open opens a database whose connections print what they send. A new one gets a pen.
func open(ctx context.Context, url string) (db *sql.DB, isNew bool, err error) {
	driver := "sqlite"
	if strings.HasPrefix(url, "postgres") {
		driver = "pgx"
	}
	silent, err := sql.Open(driver, url)
	if err != nil {
		return nil, false, err
	}
	defer silent.Close()
	if _, err := silent.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS product (name TEXT PRIMARY KEY, price INTEGER NOT NULL)"); err != nil {
		return nil, false, err
	}
	done, err := silent.ExecContext(ctx, "INSERT INTO product VALUES ('pen', 2) ON CONFLICT DO NOTHING")
	if err != nil {
		return nil, false, err
	}
	n, err := done.RowsAffected()
	return sql.OpenDB(printing{silent.Driver(), url}), n > 0, err
}

// printing opens connections that print what they send.
type printing struct {
	driver driver.Driver
	url    string
}

func (p printing) Driver() driver.Driver { return p.driver }

func (p printing) Connect(context.Context) (driver.Conn, error) {
	c, err := p.driver.Open(p.url)
	return conn{c}, err
}

type conn struct{ driver.Conn }

func (c conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	say("BEGIN")
	t, err := c.Conn.(driver.ConnBeginTx).BeginTx(ctx, opts)
	return tx{t}, err
}

func (c conn) ExecContext(ctx context.Context, statement string, args []driver.NamedValue) (driver.Result, error) {
	say(statement)
	return c.Conn.(driver.ExecerContext).ExecContext(ctx, statement, args)
}

func (c conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	say(query)
	return c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
}

type tx struct{ driver.Tx }

func (t tx) Commit() error {
	say("COMMIT")
	return t.Tx.Commit()
}

func (t tx) Rollback() error {
	say("ROLLBACK")
	return t.Tx.Rollback()
}

// say prints a statement; one of the cache's table in short.
func say(statement string) {
	const table = "txcache_clear"
	if strings.Contains(statement, table) {
		verb, _, _ := strings.Cut(statement, " ")
		statement = verb + " … " + table
	}
	fmt.Println("  ", statement)
}
