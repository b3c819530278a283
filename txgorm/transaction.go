package txgorm

import (
	"context"
	"database/sql"
	"errors"
	"sync"

	"gorm.io/gorm"

	"github.com/seed-dad15c92/txcache/internal/sqlread"
	"github.com/seed-dad15c92/txcache/sqltx"
)

// A transaction is what gorm has in the place of an *sql.Tx. It is safe for concurrent use.
type transaction struct {
	tx *sqltx.Tx
	db *sql.DB

	mu         sync.Mutex
	savepoints []*savepoint // that are open, the oldest first
	broken     error        // why it must not be committed
}

var (
	_ gorm.Tx             = (*transaction)(nil)
	_ gorm.GetDBConnector = (*transaction)(nil)
)

// Commit commits both sides, with the errors of [sqltx.Tx.Commit].
func (t *transaction) Commit() error {
	t.mu.Lock()
	broken := t.broken
	t.mu.Unlock()
	if broken != nil { // P2
		return errors.Join(broken, t.tx.Rollback())
	}
	t.leave(nil, true)
	return t.tx.Commit()
}

func (t *transaction) Rollback() error { return t.tx.Rollback() }

// ExecContext looks for savepoints: gorm sets them, and rolls back to them, by statements.
func (t *transaction) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	s, err := savepointOf(query)
	switch {
	case err != nil: // P2
		t.fail(err)
		return nil, err
	case s.Control == sqlread.Savepoint:
		return t.set(ctx, s.Name, query)
	case s.Control == sqlread.Release:
		return t.release(ctx, s.Name, query)
	case s.Control == sqlread.RollbackTo:
		return t.rollbackTo(ctx, s.Name, query)
	}
	return t.tx.ExecContext(ctx, query, args...)
}

func (t *transaction) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := t.refuse(query, errQueried); err != nil {
		return nil, err
	}
	return t.tx.QueryContext(ctx, query, args...)
}

func (t *transaction) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if t.refuse(query, errQueried) != nil {
		ended, cancel := context.WithCancel(ctx)
		cancel() // there is no other *sql.Row that says no
		ctx = ended
	}
	return t.tx.QueryRowContext(ctx, query, args...)
}

func (t *transaction) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	if err := t.refuse(query, errPrepared); err != nil {
		return nil, err
	}
	return t.tx.PrepareContext(ctx, query)
}

// refuse is refuses. It also keeps the transaction from being committed, as gorm looks at no error
// of savepoints. // P2
func (t *transaction) refuse(query string, no error) error {
	err := refuses(query, no)
	if err != nil {
		t.fail(err)
	}
	return err
}

func (t *transaction) StmtContext(ctx context.Context, stmt *sql.Stmt) *sql.Stmt {
	return t.tx.StmtContext(ctx, stmt)
}

// GetDBConn is called by gorm's DB.
func (t *transaction) GetDBConn() (*sql.DB, error) { return t.db, nil }
