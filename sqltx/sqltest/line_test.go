package sqltest_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"

	"modernc.org/sqlite"
)

var errLine = errors.New("connection lost")

// A line is the way to the database. It can be cut for the next commit, before
// that arrives or after it was done.
type line struct {
	mu     sync.Mutex
	next   outcome
	broken int // commits so far
}

type outcome int

const (
	unbroken outcome = iota
	lost             // the commit does not arrive, and the database rolls back
	done             // the commit is done, and the answer does not arrive
)

func (o outcome) String() string { return [...]string{"unbroken", "lost", "done"}[o] }

// cut cuts the line for the next commit.
func (l *line) cut(o outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next = o
}

func (l *line) take() outcome {
	l.mu.Lock()
	defer l.mu.Unlock()
	o := l.next
	l.next = unbroken
	if o != unbroken {
		l.broken++
	}
	return o
}

type connector struct {
	dsn  string
	line *line
}

func (c connector) Driver() driver.Driver { return &sqlite.Driver{} }

func (c connector) Connect(context.Context) (driver.Conn, error) {
	inner, err := c.Driver().Open(c.dsn)
	if err != nil {
		return nil, err
	}
	full, ok := inner.(sqliteConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("%T lacks a method of sqliteConn", inner), inner.Close())
	}
	return conn{full, c.line}, nil
}

// sqliteConn is what database/sql uses of a connection.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ExecerContext
	driver.QueryerContext
	driver.SessionResetter
	driver.Validator
}

type conn struct {
	sqliteConn
	line *line
}

func (c conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	inner, err := c.sqliteConn.BeginTx(ctx, opts)
	if err != nil {
		return nil, err
	}
	// SQLite takes the snapshot with the first read. Others take it at once, and
	// then it matters most what was before it.
	if err := c.read(ctx); err != nil {
		return nil, errors.Join(err, inner.Rollback())
	}
	if opts.ReadOnly {
		return inner, nil
	}
	return tx{inner, c.line}, nil
}

func (c conn) read(ctx context.Context) error {
	rows, err := c.QueryContext(ctx, "SELECT id FROM product LIMIT 1", nil)
	if err != nil {
		return err
	}
	err = rows.Next(make([]driver.Value, 1))
	return errors.Join(err, rows.Close())
}

type tx struct {
	driver.Tx
	line *line
}

func (t tx) Commit() error {
	switch t.line.take() {
	case lost:
		return errors.Join(errLine, t.Tx.Rollback())
	case done:
		return errors.Join(errLine, t.Tx.Commit())
	}
	return t.Tx.Commit()
}
