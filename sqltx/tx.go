package sqltx

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

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
// and what it set is forgotten. Where the database may commit even later, as with
// errors of the connection, its caches are bypassed for a while first; see
// [txcache.ErrInDoubt].
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

	ctx      context.Context // of the transaction's life, as in sql.Tx
	database string
	readOnly bool
}

// Begin begins a transaction of the cache, in the database of that name in
// store, and then one of db with opts, which may be nil. Both are read-only if
// opts.ReadOnly is set. As with [sql.DB.BeginTx], both are rolled back when ctx
// is done before they ended.
//
// An error is that of [txcache.Store.Begin] or of db, as it is. A backend that
// cannot be reached is none: the transaction begins without cached values.
func Begin(ctx context.Context, store *txcache.Store, database string, db *sql.DB, opts *sql.TxOptions) (*Tx, error) {
	if store == nil || db == nil {
		return nil, errors.New("txcache: sqltx needs a store and a database")
	}
	tx := &Tx{ctx: ctx, database: database, readOnly: opts != nil && opts.ReadOnly}
	begin := store.Begin
	if tx.readOnly {
		begin = store.BeginReadOnly
	}
	var err error
	if tx.Cache, err = begin(ctx, database); err != nil { // P3: before the snapshot
		return nil, err
	}
	if tx.Tx, err = db.BeginTx(ctx, opts); err != nil {
		tx.Cache.Rollback()
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
func (tx *Tx) Commit() error {
	sent := false
	err := tx.Cache.CommitWith(tx.ctx, func(ctx context.Context) error {
		// sql.Tx.Commit would look too. But an error of the context that it
		// returns may also be the driver's, from the middle of a commit.
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		sent = true
		return tx.Tx.Commit()
	})
	switch {
	case err == nil:
		return nil
	case !sent:
		return tx.abandon(err)
	case err == sql.ErrTxDone: // not wrapped: that is database/sql's own, without asking the driver
		if tx.ctx.Err() != nil {
			return context.Cause(tx.ctx)
		}
		return err
	case tx.readOnly:
		return err
	}
	return fmt.Errorf("%w: database %q: %w", ErrUnknownOutcome, tx.database, err)
}

// abandon rolls back the database's side, after the cache's side ended with err.
func (tx *Tx) abandon(err error) error {
	switch undo := tx.Tx.Rollback(); {
	case undo == nil:
		return err
	case !errors.Is(undo, sql.ErrTxDone):
		return errors.Join(err, undo)
	case errors.Is(err, txcache.ErrTxDone):
		return sql.ErrTxDone // both sides say the same
	}
	return err // the end of the context has rolled it back
}

// Rollback rolls back the transaction in the database and in the cache. It
// answers sql.ErrTxDone if the database's side was finished before, so that
// `defer tx.Rollback()` is always right, and txcache.ErrTxDone if only the
// cache's was. Another error is the driver's.
func (tx *Tx) Rollback() error {
	done := tx.Cache.Rollback()
	if err := tx.Tx.Rollback(); err != nil {
		return err
	}
	return done
}
