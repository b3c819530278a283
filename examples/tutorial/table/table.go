// Package table stands for a database in the programs of docs/tutorial.md: one
// table, of prices.
package table

import (
	"context"
	"fmt"
	"io"
	"sync"
)

// A Table is safe for concurrent use.
type Table struct {
	out io.Writer

	mu     sync.Mutex
	prices map[string]int
}

// New returns a table with a pen for 2, which tells out when it is read.
func New(out io.Writer) *Table {
	return &Table{out: out, prices: map[string]int{"pen": 2}}
}

// Price reads a row.
func (t *Table) Price(_ context.Context, product string) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintln(t.out, "   (reading the database)")
	return t.prices[product], nil
}

// Begin begins a transaction that changes one row.
func (t *Table) Begin(product string, price int) *Change {
	return &Change{t, product, price}
}

// A Change is a transaction of the table.
type Change struct {
	table   *Table
	product string
	price   int
}

// Commit makes the change.
func (c *Change) Commit(context.Context) error {
	c.table.mu.Lock()
	defer c.table.mu.Unlock()
	c.table.prices[c.product] = c.price
	return nil
}
