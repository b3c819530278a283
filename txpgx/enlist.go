package txpgx

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
)

// Querier returns q, a transaction or a connection, in the form that backends take which
// keep the generations in the database. It is for callers of [txcache.Store.Enlist]; Begin
// does that itself.
func Querier(q interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}) backend.Querier {
	return querier{q.Query, q.Exec}
}

type querier struct {
	query func(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	exec  func(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

func (q querier) Query(ctx context.Context, sql string, args []any, row func(scan func(...any) error) error) error {
	rows, err := q.query(ctx, sql, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	rows.Close()
	return rows.Err()
}

func (q querier) Exec(ctx context.Context, sql string, args []any) (int64, error) {
	tag, err := q.exec(ctx, sql, args...)
	return tag.RowsAffected(), err
}

// enlist begins the cache's side where the generations are in the database.
func (t *transaction) enlist(ctx context.Context, store *txcache.Store, e backend.Enlister) error {
	if p, ok := e.(backend.Preparer); ok {
		if err := p.Prepare(ctx, t.database); err != nil {
			return fmt.Errorf("%w: preparing database %q: %w", txcache.ErrUnavailable, t.database, err)
		}
	}
	opts := txcache.EnlistOptions{ReadOnly: t.readOnly()}
	level := t.opts.IsoLevel
	own := t.opts.BeginQuery != ""
	switch {
	case !own && level == pgx.Serializable && !opts.ReadOnly:
		// Read inside, the state would make transactions conflict that have nothing in common.
		state, _, err := t.state(ctx, e)
		if err != nil {
			return err
		}
		opts.State = state
	case !own && opts.ReadOnly && level != pgx.Serializable && level != pgx.RepeatableRead:
		// There is no snapshot that the state must be of, so no connection is kept for it.
		state, exact, err := t.state(ctx, e)
		if err != nil {
			return err
		}
		if level != "" || !exact { // else the database's default is a level with a snapshot
			opts.State = state
		}
	default:
		_, learns := e.(backend.Isolated) // the level, with the state
		opts.Exact = learns || level == pgx.Serializable || level == pgx.RepeatableRead
	}
	inside := opts.State == nil
	var err error
	t.cache, err = store.Enlist(ctx, t.database, enlisted{t}, &opts)
	if err == nil && opts.ReadOnly {
		t.cache.SetSide(t)
	}
	if err == nil && (inside || !opts.ReadOnly) {
		_, err = t.begin(ctx) // unless it has begun with the state
	}
	if err != nil {
		t.mu.Lock()
		dbtx := t.dbtx
		t.closed = true
		t.mu.Unlock()
		return errors.Join(err, t.undo(ctx, dbtx))
	}
	return nil
}

// state returns the state as a transaction shows it that begins now and ends at once.
func (t *transaction) state(ctx context.Context, e backend.Enlister) (state *backend.State, exact bool, err error) {
	var q backend.Querier = alone{t.db}
	if pipelines(t.db) {
		q = Querier(t.db.(interface {
			Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
			Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
		}))
	}
	if isolated, ok := e.(backend.Isolated); ok {
		state, exact, err = isolated.StateExact(ctx, q, t.database)
	} else {
		state, err = e.State(ctx, q, t.database)
	}
	if err != nil {
		return nil, false, t.noState(err)
	}
	return state, exact, nil
}

// alone runs each query in a transaction of its own.
type alone struct{ db Beginner }

func (a alone) Query(ctx context.Context, sql string, args []any, row func(scan func(...any) error) error) error {
	dbtx, err := a.db.BeginTx(ctx, plainView)
	if err != nil {
		return err
	}
	defer func() {
		undoing, cancel := forUndo(ctx)
		defer cancel()
		dbtx.Rollback(undoing)
	}()
	return Querier(dbtx).Query(ctx, sql, args, row)
}

// Exec is not called, as reading a state changes nothing.
func (alone) Exec(context.Context, string, []any) (int64, error) { return 0, errors.ErrUnsupported }

func (t *transaction) noState(err error) error {
	return fmt.Errorf("%w: reading the state of database %q: %w", txcache.ErrUnavailable, t.database, err)
}

// enlisted is the transaction for the store: the state travels with BEGIN, and what is
// recorded with COMMIT.
type enlisted struct{ t *transaction }

func (e enlisted) Query(ctx context.Context, sql string, args []any, row func(scan func(...any) error) error) error {
	t := e.t
	t.mu.Lock()
	dbtx := t.dbtx
	t.mu.Unlock()
	if dbtx != nil {
		return Querier(dbtx).Query(ctx, sql, args, row)
	}
	if pipelines(t.db) {
		return querier{query: func(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
			return t.firstQuery(ctx, sql, args)
		}}.Query(ctx, sql, args, row)
	}
	dbtx, err := t.begin(ctx)
	if err != nil {
		return err
	}
	return Querier(dbtx).Query(ctx, sql, args, row)
}

// Exec is called by Commit. A statement that records what was cleared adds one row.
func (e enlisted) Exec(ctx context.Context, sql string, args []any) (int64, error) {
	t := e.t
	t.mu.Lock()
	dbtx, queue := t.dbtx, t.closed && !t.lent && pipelines(t.db)
	if queue {
		t.records = append(t.records, &pgx.QueuedQuery{SQL: sql, Arguments: args})
	}
	t.mu.Unlock()
	if queue {
		return 1, nil
	}
	return Querier(dbtx).Exec(ctx, sql, args)
}

// commitRecords sends the records and COMMIT in one round trip. definite says of an error that
// nothing was committed.
func (t *transaction) commitRecords(ctx context.Context, dbtx pgx.Tx) (definite bool, err error) {
	commit := t.opts.CommitQuery
	if commit == "" {
		commit = "commit"
	}
	br := dbtx.SendBatch(ctx, &pgx.Batch{QueuedQueries: append(t.records, &pgx.QueuedQuery{SQL: commit})})
	for range t.records {
		if _, err = br.Exec(); err != nil {
			break
		}
	}
	var tag pgconn.CommandTag
	if err == nil {
		tag, err = br.Exec()
	}
	err = first(err, br.Close())
	_, faulty := errors.AsType[pgx.ErrPreprocessingBatch](err)
	status := dbtx.Conn().PgConn().TxStatus()
	switch {
	case err == nil && tag.String() == "ROLLBACK":
		return true, pgx.ErrTxCommitRollback
	case err == nil:
		return true, nil
	case dbtx.Conn().IsClosed():
		return faulty, err // what is faulty was not sent
	case status == 'I':
		return false, err
	}
	// The transaction is still there, so the database did not get to COMMIT.
	undoing, cancel := forUndo(ctx)
	defer cancel()
	_ = dbtx.Rollback(undoing)
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Code == "25P02" { // it was aborted before
		err = pgx.ErrTxCommitRollback
	}
	return true, err
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
