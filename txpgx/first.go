package txpgx

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A connection is one of pgx, which can send several statements at once.
type connection interface {
	Beginner
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// pipelines reports whether db is of pgx, so that BEGIN and COMMIT can be sent together
// with other statements. It goes by the very types of pgx: another one, though it embeds
// one of these, may do more in its BeginTx than to begin.
func pipelines(db Beginner) bool {
	switch db.(type) {
	case *pgxpool.Pool, *pgxpool.Conn, *pgx.Conn:
		return true
	}
	return false
}

// connect returns a connection of db, for which pipelines must be true, and the function
// that gives it back.
func connect(ctx context.Context, db Beginner) (connection, func(), error) {
	pool, ok := db.(*pgxpool.Pool)
	if !ok {
		return db.(connection), func() {}, nil
	}
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return nil, nil, err
	}
	return conn, conn.Release, nil
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

// ready returns the database's side for the next statement. It is nil, without an error,
// if that side has not begun and the statement may travel with BEGIN: then the caller
// must send it by firstQuery or firstBatch.
func (tx *Tx) ready(ctx context.Context, queueable bool) (pgx.Tx, error) {
	t := tx.t
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.closed, tx.sp != nil && tx.sp.closed:
		return nil, pgx.ErrTxClosed
	case tx.sp != nil:
		return tx.sp.dbtx, nil
	case t.dbtx != nil:
		return t.dbtx, nil
	}
	// Not over a single connection: pgx closes it if it cannot encode an argument of a batch.
	if _, pool := t.db.(*pgxpool.Pool); pool && queueable {
		return nil, nil
	}
	return t.beginLocked(ctx)
}

// begun returns the database's side, which it begins if need be.
func (tx *Tx) begun(ctx context.Context) (pgx.Tx, error) { return tx.ready(ctx, false) }

// begin begins the database's side with a statement of its own, unless it has begun.
func (t *transaction) begin(ctx context.Context) (pgx.Tx, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.beginLocked(ctx)
}

// beginLocked is begin. t.mu must be held.
func (t *transaction) beginLocked(ctx context.Context) (_ pgx.Tx, err error) {
	switch {
	case t.closed:
		return nil, pgx.ErrTxClosed
	case t.dbtx != nil:
		return t.dbtx, nil
	case !pipelines(t.db):
		t.dbtx, err = t.db.BeginTx(ctx, *t.opts)
		return t.dbtx, err
	}
	conn, giveBack, err := connect(ctx, t.db)
	if err != nil {
		return nil, err
	}
	dbtx, err := conn.BeginTx(ctx, *t.opts)
	if err != nil {
		giveBack()
		return nil, err
	}
	t.dbtx, t.giveBack = dbtx, giveBack
	return dbtx, nil
}

// send sends BEGIN and what follows it, and reads the answer to BEGIN. If the database
// has not begun, send returns an error; again says whether the caller should begin without
// the batch.
func (t *transaction) send(ctx context.Context, following []*pgx.QueuedQuery) (br pgx.BatchResults, again bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.closed:
		return nil, false, pgx.ErrTxClosed
	case t.dbtx != nil:
		return nil, false, errors.New("txcache: a transaction of pgx must not be used by several goroutines at once")
	}
	conn, giveBack, err := connect(ctx, t.db)
	if err != nil {
		return nil, false, err
	}
	b := &pgx.Batch{}
	b.BeginTx(*t.opts)
	b.QueuedQueries = append(b.QueuedQueries, following...)
	br = conn.SendBatch(ctx, b)
	dbtx := br.Tx()
	if _, err = br.Exec(); err == nil {
		t.dbtx, t.giveBack = dbtx, giveBack
		return br, false, nil
	}
	br.Close()
	// The statement was found to be faulty before BEGIN was sent, or BEGIN was refused.
	// Without the batch the caller gets the very error, and a transaction that the
	// database has aborted where it would have.
	_, faulty := errors.AsType[pgx.ErrPreprocessingBatch](err)
	again = (faulty || !dbtx.Conn().IsClosed()) && ctx.Err() == nil
	if dbtx.Conn().PgConn().TxStatus() != 'I' { // there is no answer to BEGIN
		undoing, cancel := forUndo(ctx)
		defer cancel()
		_ = dbtx.Rollback(undoing)
	}
	giveBack()
	return nil, again, err
}

// firstQuery sends BEGIN and the statement in one round trip. As with Query, its rows are
// never nil, and have the error that it returns.
func (t *transaction) firstQuery(ctx context.Context, sql string, args []any) (pgx.Rows, error) {
	br, again, err := t.send(ctx, []*pgx.QueuedQuery{{SQL: sql, Arguments: args}})
	if again {
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
func (t *transaction) firstBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	br, _, err := t.send(ctx, b.QueuedQueries)
	if err != nil {
		return pgx.FailedBatchResults(b, err)
	}
	return batchResults{br}
}
