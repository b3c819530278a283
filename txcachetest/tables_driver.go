package txcachetest

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
)

// The types below are those of a driver, and pass everything on. What a driver may have and
// lacks, they answer as package database/sql does in its place.

type watchedConnector struct {
	driver.Connector
	watcher *tableWatcher
}

func (c watchedConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &watchedConn{Conn: conn, log: statementLog{watcher: c.watcher}}, nil
}

func (c watchedConnector) Close() error {
	if closer, ok := c.Connector.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}

// A watchedConn is used by one goroutine at a time, as each driver.Conn.
type watchedConn struct {
	driver.Conn
	log statementLog
}

func (c *watchedConn) Ping(ctx context.Context) error {
	if p, ok := c.Conn.(driver.Pinger); ok {
		return p.Ping(ctx)
	}
	return nil
}

func (c *watchedConn) ResetSession(ctx context.Context) error {
	c.log.end(false)
	if r, ok := c.Conn.(driver.SessionResetter); ok {
		return r.ResetSession(ctx)
	}
	return nil
}

func (c *watchedConn) IsValid() bool {
	v, ok := c.Conn.(driver.Validator)
	return !ok || v.IsValid()
}

func (c *watchedConn) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := c.Conn.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

func (c *watchedConn) BeginTx(ctx context.Context, opts driver.TxOptions) (tx driver.Tx, err error) {
	if b, ok := c.Conn.(driver.ConnBeginTx); ok {
		tx, err = b.BeginTx(ctx, opts)
	} else if opts != (driver.TxOptions{}) {
		return nil, errors.New("txcache: the driver has no transactions that are read-only or have an isolation level")
	} else {
		//lint:ignore SA1019 the driver has nothing else
		tx, err = c.Conn.Begin()
	}
	if err != nil {
		return nil, err
	}
	c.log.begin()
	return watchedTx{tx, c}, nil
}

type watchedTx struct {
	driver.Tx
	conn *watchedConn
}

func (t watchedTx) Commit() error {
	err := t.Tx.Commit()
	t.conn.log.end(err == nil)
	return err
}

func (t watchedTx) Rollback() error {
	t.conn.log.end(false)
	return t.Tx.Rollback()
}

func (c *watchedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (result driver.Result, err error) {
	e, ok := c.Conn.(driver.ExecerContext)
	if !ok {
		return nil, driver.ErrSkip // it is prepared
	}
	if result, err = e.ExecContext(ctx, query, args); err == nil {
		c.log.done(query, result.RowsAffected)
	}
	return result, err
}

func (c *watchedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (rows driver.Rows, err error) {
	q, ok := c.Conn.(driver.QueryerContext)
	if !ok {
		return nil, driver.ErrSkip // it is prepared
	}
	if rows, err = q.QueryContext(ctx, query, args); err == nil {
		c.log.done(query, nil)
	}
	return rows, err
}

func (c *watchedConn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

func (c *watchedConn) PrepareContext(ctx context.Context, query string) (s driver.Stmt, err error) {
	if p, ok := c.Conn.(driver.ConnPrepareContext); ok {
		s, err = p.PrepareContext(ctx, query)
	} else {
		s, err = c.Conn.Prepare(query)
	}
	if err != nil {
		return nil, err
	}
	watched := &watchedStmt{s, c, query}
	//lint:ignore SA1019 the driver has it
	if converter, ok := s.(driver.ColumnConverter); ok {
		return convertingStmt{watched, converter}, nil
	}
	return watched, nil
}

type watchedStmt struct {
	driver.Stmt
	conn  *watchedConn
	query string
}

type convertingStmt struct {
	*watchedStmt
	driver.ColumnConverter
}

func (s *watchedStmt) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := s.Stmt.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return s.conn.CheckNamedValue(v)
}

func (s *watchedStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (result driver.Result, err error) {
	if e, ok := s.Stmt.(driver.StmtExecContext); ok {
		result, err = e.ExecContext(ctx, args)
	} else {
		var values []driver.Value
		if values, err = plain(ctx, args); err == nil {
			//lint:ignore SA1019 the driver has nothing else
			result, err = s.Stmt.Exec(values)
		}
	}
	if err == nil {
		s.conn.log.done(s.query, result.RowsAffected)
	}
	return result, err
}

func (s *watchedStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (rows driver.Rows, err error) {
	if q, ok := s.Stmt.(driver.StmtQueryContext); ok {
		rows, err = q.QueryContext(ctx, args)
	} else {
		var values []driver.Value
		if values, err = plain(ctx, args); err == nil {
			//lint:ignore SA1019 the driver has nothing else
			rows, err = s.Stmt.Query(values)
		}
	}
	if err == nil {
		s.conn.log.done(s.query, nil)
	}
	return rows, err
}

// plain returns arguments for a driver that knows neither contexts nor names.
func plain(ctx context.Context, args []driver.NamedValue) ([]driver.Value, error) {
	values := make([]driver.Value, len(args))
	for i, a := range args {
		if a.Name != "" {
			return nil, errors.New("txcache: the driver has no named arguments")
		}
		values[i] = a.Value
	}
	return values, ctx.Err()
}
