package sqltx

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	"github.com/seed-dad15c92/txcache"
)

// ErrUnknownOutcome says that the database answered a commit with an error, so
// that this package cannot tell whether it committed: the connection may have
// died before the commit arrived or after it was done.
//
// The driver's error is in the chain, for errors.As. Where it is an answer of
// the database itself, such as a serialization failure or a violated deferred
// constraint, the transaction was rolled back. Where it is one of the
// connection or of a context, nobody knows: begin another transaction and look
// whether the change is there. Repeat it without looking only if it may be done
// twice. driver.ErrBadConn should mean that nothing was sent, but not every
// driver keeps to that while it waits for the answer to a commit.
//
// The cache is right in either case. What the transaction cleared is cleared,
// and what it set is forgotten. Where the commit is in doubt, its caches are
// bypassed for a while first: that is with every error but an SQLSTATE which says
// that the database has refused, or one of which txcache.Options.NotCommitted says
// so. See [txcache.ErrInDoubt].
var ErrUnknownOutcome = errors.New("txcache: the database's commit failed with an unknown outcome")

// A Tx is a transaction of a database and of its cache. Like an [sql.Tx], it
// ends with Commit or Rollback, and is rolled back when the context given to
// Begin is done. It can be given to code that knows nothing of the cache, as
// its Tx field or as an interface that *sql.Tx satisfies; Commit and Rollback of
// the field itself must not be called, as the cache would not hear of it.
//
// Like its two halves it is safe for concurrent use, as long as the fields are
// not set meanwhile.
type Tx struct {
	*sql.Tx

	// Cache is the cache's side. Give it to the methods of caches; do not
	// commit it or roll it back. It may be set to another handle on the same
	// transaction, as in tx.Cache = tx.Cache.WithUser(user).
	Cache *txcache.Tx

	ctx      context.Context // the caller's, at whose end the transaction is rolled back
	inTime   func() bool     // stops waiting for that; false if ctx had ended before it was called first
	abort    context.CancelCauseFunc
	database string
	readOnly bool
}

// Begin begins a transaction of the cache, in the database of that name in
// store, and then one of db with opts, which may be nil. Both are read-only if
// opts.ReadOnly is set. As with [sql.DB.BeginTx], both are rolled back when ctx
// is done before they ended; but a commit that has been sent to the database goes
// on, and Commit waits for its answer.
//
// An error is that of [txcache.Store.Begin] or of db, as it is, or that of ctx. A
// backend that cannot be reached is none: the transaction begins without cached
// values.
func Begin(ctx context.Context, store *txcache.Store, database string, db *sql.DB, opts *sql.TxOptions) (*Tx, error) {
	if store == nil || db == nil {
		return nil, errors.New("txcache: sqltx needs a store and a database")
	}
	tx := &Tx{ctx: ctx, database: database, readOnly: opts != nil && opts.ReadOnly}
	begin := store.Begin
	if tx.readOnly {
		begin = store.BeginReadOnly
	}
	cache, err := begin(ctx, database) // P3: before the snapshot
	if err != nil {
		return nil, err
	}
	tx.Cache = cache
	// Drivers keep the context of the begin for the commit. The end of ctx must
	// not reach that, so it is passed on by hand, and only until then.
	under, abort := context.WithCancelCause(context.WithoutCancel(ctx))
	tx.abort = abort
	tx.inTime = sync.OnceValue(context.AfterFunc(ctx, func() {
		abort(context.Cause(ctx)) // database/sql rolls back
		cache.Rollback()
	}))
	if err = ctx.Err(); err == nil {
		tx.Tx, err = db.BeginTx(under, opts)
	}
	if err != nil {
		tx.inTime()
		abort(err)
		cache.Rollback()
		if ctx.Err() != nil {
			err = ctx.Err() // the driver knows of under alone
		}
		return nil, err
	}
	return tx, nil
}

// Commit commits the transaction, in the database and then in the cache. It is
// finished in any case. The errors are:
//
//   - sql.ErrTxDone: it was finished before.
//   - txcache.ErrUnavailable: it cleared a cache, and the backend could not be
//     told, so the database was not asked to commit.
//   - The cause of the context given to Begin, if that was done before the
//     database was asked to commit.
//   - ErrUnknownOutcome, with the driver's error: the database was asked, and
//     answered with an error. Nothing is unknown if the transaction is read-only:
//     the error is then just the driver's.
//
// In all but the first and the last case the database's transaction has been
// rolled back.
//
// The end of the context does not cancel a commit that has been sent: its answer
// is waited for, for as long as txcache.Options.CommitTimeout says.
func (tx *Tx) Commit() error {
	sent := false
	err := tx.Cache.CommitWith(tx.ctx, func(ctx context.Context) error {
		if !tx.inTime() {
			return txcache.NotSent(context.Cause(tx.ctx))
		}
		sent = true
		// The driver obeys the context of the begin.
		defer context.AfterFunc(ctx, func() { tx.abort(context.Cause(ctx)) })()
		err := tx.Tx.Commit()
		if err != nil && ctx.Err() != nil {
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
		return err
	})
	switch {
	case err == nil:
		return nil
	case !sent:
		return tx.abandon(err)
	case err == sql.ErrTxDone: // not wrapped: that is database/sql's own, without asking the driver
		return err
	case tx.readOnly:
		return err
	}
	return fmt.Errorf("%w: database %q: %w", ErrUnknownOutcome, tx.database, err)
}

// abandon rolls back the database's side, after the cache's side ended with err.
func (tx *Tx) abandon(err error) error {
	inTime := tx.inTime()
	switch undo := tx.Tx.Rollback(); {
	case !inTime:
		return context.Cause(tx.ctx)
	case undo == nil:
		return err
	case !errors.Is(undo, sql.ErrTxDone):
		return errors.Join(err, undo)
	case errors.Is(err, txcache.ErrTxDone):
		return sql.ErrTxDone // both sides say the same
	}
	return err
}

// Rollback rolls back the transaction in the database and in the cache. It
// answers sql.ErrTxDone if the database's side was finished before, so that
// `defer tx.Rollback()` is always right, and txcache.ErrTxDone if only the
// cache's was. Another error is the driver's.
func (tx *Tx) Rollback() error {
	inTime := tx.inTime()
	err := tx.Tx.Rollback() // first: the cache's side may have values to send, and needs no connection for that
	done := tx.Cache.Rollback()
	if err != nil || !inTime {
		return err
	}
	return done
}
