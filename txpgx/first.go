package txpgx

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A pipeline sends several statements at once.
type pipeline interface {
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// pipelines returns db if it can send BEGIN together with a statement, and nil otherwise.
// It goes by the very types of pgx: another one, though it embeds one of these, may do
// more in its BeginTx than to begin.
func pipelines(db Beginner) pipeline {
	switch db := db.(type) {
	case *pgxpool.Pool:
		return db
	case *pgxpool.Conn:
		return db
	case *pgx.Conn:
		return db
	}
	return nil
}

// queueable reports whether a batch takes a statement with these arguments: it takes no
// options of pgx but the one that rewrites the statement.
func queueable(args []any) bool {
	for _, arg := range args {
		switch arg.(type) {
		case pgx.QueryExecMode, pgx.QueryResultFormats, pgx.QueryResultFormatsByOID:
			return false
		case pgx.QueryRewriter:
		default:
			return true
		}
	}
	return true
}

// ready returns the database's side for the next statement. If that side has not begun,
// and the statement may travel with BEGIN, ready returns nil and the pipeline to send
// both. The caller must then pass the pipeline to firstQuery or firstBatch.
func (tx *Tx) ready(ctx context.Context, queueable bool) (pgx.Tx, pipeline, error) {
	if tx.sp != nil {
		return tx.savepoint()
	}
	t := tx.t
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, nil, pgx.ErrTxClosed
	}
	if t.dbtx != nil {
		return t.dbtx, nil, nil
	}
	if pool, ok := t.db.(*pgxpool.Pool); ok && queueable {
		return nil, pool, nil // not a single connection: pgx closes it if it cannot encode an argument of a batch
	}
	return t.beginLocked(ctx)
}

// savepoint is ready for a savepoint, which has always begun.
func (tx *Tx) savepoint() (pgx.Tx, pipeline, error) {
	tx.t.mu.Lock()
	defer tx.t.mu.Unlock()
	if tx.t.closed || tx.sp.closed {
		return nil, nil, pgx.ErrTxClosed
	}
	return tx.sp.dbtx, nil, nil
}

// begun returns the database's side, which it begins if need be.
func (tx *Tx) begun(ctx context.Context) (pgx.Tx, error) {
	dbtx, _, err := tx.ready(ctx, false)
	return dbtx, err
}

func (t *transaction) beginLocked(ctx context.Context) (pgx.Tx, pipeline, error) {
	dbtx, err := t.db.BeginTx(ctx, t.opts)
	if err != nil {
		return nil, nil, err
	}
	t.dbtx = dbtx
	return dbtx, nil, nil
}

// begin begins the database's side with a statement of its own, unless it has begun.
func (t *transaction) begin(ctx context.Context) (pgx.Tx, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, pgx.ErrTxClosed
	}
	if t.dbtx != nil {
		return t.dbtx, nil
	}
	dbtx, _, err := t.beginLocked(ctx)
	return dbtx, err
}

// send sends BEGIN and what follows it in b, and reads the answer to BEGIN. If the
// database has not begun, send returns an error; alive says whether its connection is of
// use still, so that it was the statement that could not be sent, or BEGIN that
// was refused.
func (t *transaction) send(ctx context.Context, p pipeline, following []*pgx.QueuedQuery) (br pgx.BatchResults, alive bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.closed:
		return nil, false, pgx.ErrTxClosed
	case t.dbtx != nil:
		return nil, false, errors.New("txcache: a transaction of pgx must not be used by several goroutines at once")
	}
	b := &pgx.Batch{}
	b.BeginTx(t.opts)
	b.QueuedQueries = append(b.QueuedQueries, following...)
	br = p.SendBatch(ctx, b)
	dbtx := br.Tx()
	if _, err = br.Exec(); err == nil {
		t.dbtx = dbtx
		return br, true, nil
	}
	br.Close()
	if conn := dbtx.Conn(); conn != nil {
		alive = !conn.IsClosed()
		undoing, cancel := forUndo(ctx)
		defer cancel()
		_ = dbtx.Rollback(undoing) // gives the connection back; there is nothing to roll back
	}
	return nil, alive, err
}

// firstQuery sends BEGIN and the statement in one round trip. As with Query, its rows are
// never nil, and have the error that it returns.
func (t *transaction) firstQuery(ctx context.Context, p pipeline, sql string, args []any) (pgx.Rows, error) {
	br, alive, err := t.send(ctx, p, []*pgx.QueuedQuery{{SQL: sql, Arguments: args}})
	if _, faulty := errors.AsType[pgx.ErrPreprocessingBatch](err); (faulty || alive) && err != nil && ctx.Err() == nil {
		// The statement was found to be faulty before BEGIN was sent, or BEGIN was refused.
		// Without the batch the caller gets the very error, and a transaction that the
		// database has aborted where it would have.
		dbtx, err := t.begin(ctx)
		if err != nil {
			return failedRows(err), err
		}
		return dbtx.Query(ctx, sql, args...)
	}
	if err != nil {
		return failedRows(err), err
	}
	inner, err := br.Query()
	r := &rows{Rows: inner, br: br}
	if err != nil {
		r.Close()
	}
	return r, err
}

// firstBatch sends BEGIN and b in one round trip.
func (t *transaction) firstBatch(ctx context.Context, p pipeline, b *pgx.Batch) pgx.BatchResults {
	br, _, err := t.send(ctx, p, b.QueuedQueries)
	if err != nil {
		return pgx.FailedBatchResults(b, err)
	}
	return batchResults{br}
}
