package sqltx

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
)

// refusedRow returns a row whose Scan returns err. Only database/sql can make one, so
// refusedRow asks a database that refuses every connection with err.
func refusedRow(err error) *sql.Row {
	db := sql.OpenDB(refusal{err: err})
	defer db.Close()
	return db.QueryRowContext(context.Background(), "")
}

// refusedStmt returns a statement whose methods return err. Only database/sql can make
// one: it does so when a statement of another connection cannot be prepared again.
func refusedStmt(err error) *sql.Stmt {
	c := refusal{conn: &refusingConn{}}
	db := sql.OpenDB(c)
	defer db.Close()
	t, beginErr := db.Begin()
	if beginErr != nil {
		panic(beginErr) // not with refusingConn
	}
	defer t.Rollback()
	prepared, prepareErr := t.Prepare("")
	if prepareErr != nil {
		panic(prepareErr)
	}
	c.conn.err = err
	return t.Stmt(prepared)
}

// A refusal is a database that refuses connections, or has one that refuses to prepare
// statements.
type refusal struct {
	err  error
	conn *refusingConn // nil: refuse with err
}

func (r refusal) Driver() driver.Driver { return nil }

func (r refusal) Connect(context.Context) (driver.Conn, error) {
	if r.conn == nil {
		return nil, r.err
	}
	return r.conn, nil
}

// A refusingConn prepares statements as long as err is nil.
type refusingConn struct{ err error }

func (c *refusingConn) Begin() (driver.Tx, error) { return c, nil }
func (c *refusingConn) Commit() error             { return nil }
func (c *refusingConn) Rollback() error           { return nil }
func (c *refusingConn) Close() error              { return nil }

func (c *refusingConn) Prepare(string) (driver.Stmt, error) {
	if c.err != nil {
		return nil, c.err
	}
	return idle{}, nil
}

// An idle statement is never executed.
type idle struct{}

func (idle) Close() error                               { return nil }
func (idle) NumInput() int                              { return 0 }
func (idle) Exec([]driver.Value) (driver.Result, error) { return nil, errors.ErrUnsupported }
func (idle) Query([]driver.Value) (driver.Rows, error)  { return nil, errors.ErrUnsupported }
