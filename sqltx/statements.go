package sqltx

import (
	"context"
	"database/sql"
)

// DBTX is what *sql.DB, *sql.Conn, *sql.Tx and *[Tx] have in common, and what sqlc and
// others ask of a database.
type DBTX interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// SQL returns the transaction of database/sql, for what asks for one, such as an ORM. It
// begins it, if that has not been done yet: ctx is for that alone. Its Commit and
// Rollback must not be called, as the cache would not hear of it.
func (tx *Tx) SQL(ctx context.Context) (*sql.Tx, error) { return tx.side.begin(ctx) }

// The methods below are those of *sql.Tx. Each begins the transaction in the database, if
// that has not been done yet, and returns the error of the begin as its own.

// ExecContext is that of [sql.Tx].
func (tx *Tx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	t, err := tx.side.begin(ctx)
	if err != nil {
		return nil, err
	}
	result, err := t.ExecContext(ctx, query, args...)
	return result, tx.side.explain(err)
}

// Exec is that of [sql.Tx].
func (tx *Tx) Exec(query string, args ...any) (sql.Result, error) {
	return tx.ExecContext(context.Background(), query, args...)
}

// QueryContext is that of [sql.Tx].
func (tx *Tx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	t, err := tx.side.begin(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := t.QueryContext(ctx, query, args...)
	return rows, tx.side.explain(err)
}

// Query is that of [sql.Tx].
func (tx *Tx) Query(query string, args ...any) (*sql.Rows, error) {
	return tx.QueryContext(context.Background(), query, args...)
}

// QueryRowContext is that of [sql.Tx].
func (tx *Tx) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	t, err := tx.side.begin(ctx)
	if err != nil {
		return refusedRow(err)
	}
	return t.QueryRowContext(ctx, query, args...)
}

// QueryRow is that of [sql.Tx].
func (tx *Tx) QueryRow(query string, args ...any) *sql.Row {
	return tx.QueryRowContext(context.Background(), query, args...)
}

// PrepareContext is that of [sql.Tx].
func (tx *Tx) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	t, err := tx.side.begin(ctx)
	if err != nil {
		return nil, err
	}
	return t.PrepareContext(ctx, query)
}

// Prepare is that of [sql.Tx].
func (tx *Tx) Prepare(query string) (*sql.Stmt, error) {
	return tx.PrepareContext(context.Background(), query)
}

// StmtContext is that of [sql.Tx].
func (tx *Tx) StmtContext(ctx context.Context, stmt *sql.Stmt) *sql.Stmt {
	t, err := tx.side.begin(ctx)
	if err != nil {
		return refusedStmt(err)
	}
	return t.StmtContext(ctx, stmt)
}

// Stmt is that of [sql.Tx].
func (tx *Tx) Stmt(stmt *sql.Stmt) *sql.Stmt {
	return tx.StmtContext(context.Background(), stmt)
}
