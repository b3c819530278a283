// Package table is the database in the programs of docs/tutorial.md: a driver of
// database/sql for one table, of prices, that knows two statements. It tells
// what it is sent.
package table

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"maps"
	"sync"
)

// The statements that the database knows.
const (
	selectPrice = "SELECT price FROM product WHERE name = $1"
	updatePrice = "UPDATE product SET price = $1 WHERE name = $2"
)

// Open returns connections to a new database with a pen for 2, which writes to out
// each statement that it gets.
func Open(out io.Writer) *sql.DB {
	return sql.OpenDB(&table{out: out, prices: map[string]int64{"pen": 2}})
}

type table struct {
	out io.Writer

	mu     sync.Mutex
	prices map[string]int64
}

func (t *table) Connect(context.Context) (driver.Conn, error) { return &conn{table: t}, nil }
func (t *table) Driver() driver.Driver                        { return nil }

func (t *table) tell(statement string) { fmt.Fprintln(t.out, "  ", statement) }

// A conn is a connection, of which at most one transaction is open.
type conn struct {
	table  *table
	writes map[string]int64 // of the transaction, until it ends; nil: there is none
}

func (c *conn) BeginTx(_ context.Context, opts driver.TxOptions) (driver.Tx, error) {
	c.writes = map[string]int64{}
	if opts.ReadOnly {
		c.table.tell("BEGIN READ ONLY")
	} else {
		c.table.tell("BEGIN")
	}
	return c, nil
}

func (c *conn) Commit() error {
	c.table.mu.Lock()
	defer c.table.mu.Unlock()
	c.table.tell("COMMIT")
	maps.Copy(c.table.prices, c.writes)
	c.writes = nil
	return nil
}

func (c *conn) Rollback() error {
	c.table.tell("ROLLBACK")
	c.writes = nil
	return nil
}

func (c *conn) QueryContext(_ context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if query != selectPrice {
		return nil, fmt.Errorf("table: unknown statement %q", query)
	}
	c.table.mu.Lock()
	defer c.table.mu.Unlock()
	c.table.tell(query)
	name, _ := args[0].Value.(string)
	price, ok := c.writes[name]
	if !ok {
		price, ok = c.table.prices[name]
	}
	return &row{price, ok}, nil
}

func (c *conn) ExecContext(_ context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if query != updatePrice || c.writes == nil {
		return nil, fmt.Errorf("table: unknown statement %q, or one outside of a transaction", query)
	}
	c.table.tell(query)
	name, _ := args[1].Value.(string)
	c.writes[name], _ = args[0].Value.(int64)
	return driver.RowsAffected(1), nil
}

func (c *conn) Close() error { return nil }

func (c *conn) Prepare(string) (driver.Stmt, error) {
	return nil, errors.New("table: statements cannot be prepared")
}

func (c *conn) Begin() (driver.Tx, error) { return c.BeginTx(context.Background(), driver.TxOptions{}) }

// A row is the result of a query: a price, if there is one.
type row struct {
	price int64
	found bool
}

func (r *row) Columns() []string { return []string{"price"} }
func (r *row) Close() error      { return nil }

func (r *row) Next(values []driver.Value) error {
	if !r.found {
		return io.EOF
	}
	values[0], r.found = r.price, false
	return nil
}
