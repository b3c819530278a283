package txpgx

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Exec is that of pgx.Tx.
func (tx *Tx) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	dbtx, err := tx.ready(ctx, len(args) > 0 && queueable(args)) // without arguments there may be several statements
	switch {
	case err != nil:
		return pgconn.CommandTag{}, err
	case dbtx != nil:
		return dbtx.Exec(ctx, sql, args...)
	}
	rows, err := tx.t.firstQuery(ctx, sql, args)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	rows.Close()
	return rows.CommandTag(), rows.Err()
}

// Query is that of pgx.Tx.
func (tx *Tx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	dbtx, err := tx.ready(ctx, queueable(args))
	switch {
	case err != nil:
		return failedRows(err), err
	case dbtx != nil:
		return dbtx.Query(ctx, sql, args...)
	}
	return tx.t.firstQuery(ctx, sql, args)
}

// QueryRow is that of pgx.Tx.
func (tx *Tx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	dbtx, err := tx.ready(ctx, queueable(args))
	switch {
	case err != nil:
		return row{failedRows(err)}
	case dbtx != nil:
		return dbtx.QueryRow(ctx, sql, args...)
	}
	rows, _ := tx.t.firstQuery(ctx, sql, args)
	return row{rows}
}

var errBatchBegins = errors.New("txcache: Batch.BeginTx cannot be used within a transaction")

// SendBatch is that of pgx.Tx.
func (tx *Tx) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	if pgx.FailedBatchResults(b, errBatchBegins).Tx() != nil {
		return pgx.FailedBatchResults(b, errBatchBegins)
	}
	dbtx, err := tx.ready(ctx, b.Len() > 0)
	switch {
	case err != nil:
		return pgx.FailedBatchResults(b, err)
	case dbtx != nil:
		return dbtx.SendBatch(ctx, b)
	}
	return tx.t.firstBatch(ctx, b)
}

// CopyFrom is that of pgx.Tx.
func (tx *Tx) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error) {
	dbtx, err := tx.begun(ctx)
	if err != nil {
		return 0, err
	}
	return dbtx.CopyFrom(ctx, table, columns, rows)
}

// Prepare is that of pgx.Tx.
func (tx *Tx) Prepare(ctx context.Context, name, sql string) (*pgconn.StatementDescription, error) {
	dbtx, err := tx.begun(ctx)
	if err != nil {
		return nil, err
	}
	return dbtx.Prepare(ctx, name, sql)
}

// LargeObjects is that of pgx.Tx. A Tx that has not begun in the database begins there,
// with the context given to Begin; if that fails, the methods of the result answer
// pgx.ErrTxClosed.
func (tx *Tx) LargeObjects() pgx.LargeObjects {
	dbtx, err := tx.begun(tx.t.ctx)
	if err != nil {
		b := &pgx.Batch{}
		b.BeginTx(pgx.TxOptions{})
		return pgx.FailedBatchResults(b, err).Tx().LargeObjects() // of one that is closed
	}
	tx.t.mu.Lock()
	defer tx.t.mu.Unlock()
	tx.t.lent = true
	return dbtx.LargeObjects()
}

// Conn is that of pgx.Tx. A Tx that has not begun in the database begins there, with
// the context given to Begin; if that fails, or if the Tx has ended without that, Conn
// returns nil.
func (tx *Tx) Conn() *pgx.Conn {
	dbtx, err := tx.begun(tx.t.ctx)
	if err == nil {
		return dbtx.Conn()
	}
	tx.t.mu.Lock()
	defer tx.t.mu.Unlock()
	if tx.t.dbtx == nil {
		return nil
	}
	return tx.t.dbtx.Conn()
}
