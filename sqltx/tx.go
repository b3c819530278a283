package sqltx

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/seed-dad15c92/txcache"
)

// ErrUnknownOutcome says that a commit was sent to the database, and that this package
// cannot tell whether the database has committed: the connection may have died before the
// commit arrived or after it was done.
//
// The driver's error is in the chain, for errors.As. The caller should begin another
// transaction and look whether the change is there, and must not repeat the change
// without looking unless it may be done twice. driver.ErrBadConn should mean that nothing
// was sent, but not every driver keeps to that while it waits for the answer to a commit.
//
// An answer by which the database has refused, such as a serialization failure or a
// violated deferred constraint, is the driver's error as it is, without ErrUnknownOutcome.
// The SQLSTATE of an error says so, or txcache.Options.NotCommitted: see
// [txcache.Tx.InDoubt]. Without that option, an error that has no SQLSTATE leaves the
// outcome unknown, such as those of SQLite, and pgx.ErrTxCommitRollback.
//
// The cache is right in either case. What the transaction cleared is cleared,
// and what it set is forgotten. With ErrUnknownOutcome its caches are bypassed for a while
// first: see [txcache.ErrInDoubt]. No commit is in doubt for the cache where the clears are part
// of the database's transaction; see [Begin].
var ErrUnknownOutcome = errors.New("txcache: the database's commit failed with an unknown outcome")

// A Tx is a transaction of a database and of its cache. Like an [sql.Tx], it
// ends with Commit or Rollback, and is rolled back when the context given to
// Begin is done. It has the methods of *sql.Tx, so it can be given as an interface to code
// that knows nothing of the cache; for code that wants an *sql.Tx there is [Tx.SQL].
//
// A read-only transaction may begin in the database with its first statement: see
// [Begin].
//
// Like its two halves it is safe for concurrent use, as long as the fields are
// not set meanwhile.
type Tx struct {
	// Tx is the transaction of database/sql. It is nil in a transaction that has not begun
	// in the database, and any method of this type may set it then: code that
	// several goroutines run, or that is given read-only transactions, must use the method
	// SQL. Commit and Rollback of the field itself must not be called, as the cache
	// would not hear of it.
	*sql.Tx

	// Cache is the cache's side. Give it to the methods of caches; do not
	// commit it or roll it back. It may be set to another handle on the same
	// transaction, as in tx.Cache = tx.Cache.WithUser(user).
	Cache *txcache.Tx

	side *side
}

// Begin begins a transaction of the cache, in the database of that name in
// store, and then one of db with opts, which may be nil. Both are read-only if
// opts.ReadOnly is set. As with [sql.DB.BeginTx], both are rolled back when ctx
// is done before they ended; but a commit that has been sent to the database goes
// on, and Commit waits for its answer.
//
// A read-write transaction begins in the database at once, a read-only one with its first
// statement. If all that it reads is cached, nothing is sent to the database, and it holds
// no connection; nor does it while it waits for what another transaction loads. An
// error of the database's begin, such as one of a driver that has no read-only
// transactions, is then that of the statement; the next statement tries again.
//
// Where the backend keeps the generations in the database ([txcache.Store.Enlister]), the
// transaction of the database is enlisted, and which state of the cache it has depends
// on its isolation level:
//
//   - Where the transaction has one snapshot, a hit is what that snapshot has. A
//     read-only transaction begins at once, too. So it is at RepeatableRead and Snapshot,
//     at Default in MySQL, MariaDB and SQLite, and for read-only transactions at Serializable
//     in PostgreSQL.
//   - At Serializable otherwise, Begin reads the state just before the transaction: one that read
//     it itself would conflict with every one that clears. A hit is never older than
//     that state.
//   - At ReadCommitted, which is Default in PostgreSQL, a read-write transaction begins and
//     reads the state. For a read-only one Begin reads it without a transaction. A hit is
//     never older than that state.
//
// Where Begin reads the state without the transaction, all connections of db must lead to one
// server: a replica that lags behind the one that was asked would be cached as if it did
// not. A read-write transaction of SQLite must begin with BEGIN IMMEDIATE, as the
// name of the data source says by _txlock=immediate: otherwise it cannot write once another
// transaction has written since its begin. The driver github.com/mattn/go-sqlite3 begins
// read-only transactions so too; they need another *sql.DB, whose name does not say it.
//
// An error is that of [txcache.Store.Begin] or of db, as it is, or that of ctx. A
// backend that cannot be reached is none: the transaction begins without cached
// values.
func Begin(ctx context.Context, store *txcache.Store, database string, db *sql.DB, opts *sql.TxOptions) (*Tx, error) {
	return begin(ctx, store, database, db, opts, true)
}

// begin is Begin. waits says that the end of ctx rolls the transaction back also before it
// has begun in the database.
func begin(ctx context.Context, store *txcache.Store, database string, db *sql.DB, opts *sql.TxOptions, waits bool) (*Tx, error) {
	if store == nil || db == nil {
		return nil, errors.New("txcache: sqltx needs a store and a database")
	}
	if opts == nil {
		opts = &sql.TxOptions{}
	}
	b := &begun{side: side{db: db, opts: *opts, ctx: ctx, database: database}}
	tx := &b.Tx
	tx.side, b.side.tx = &b.side, tx
	if waits {
		tx.side.wait()
	}
	err := tx.begin(ctx, store)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		tx.side.inTime()
		tx.side.rollback()
		if tx.Cache != nil {
			tx.Cache.Rollback()
		}
		if ctx.Err() != nil {
			err = ctx.Err() // the driver knows of another context
		}
		return nil, err
	}
	return tx, nil
}

// begin begins both sides, or of a read-only transaction that of the cache alone.
func (tx *Tx) begin(ctx context.Context, store *txcache.Store) error {
	s := tx.side
	e := store.Enlister()
	if e != nil {
		s.enlisted = true
		cache, err := tx.beginEnlisted(ctx, store, e)
		s.join(cache)
		return err
	}
	begin := store.Begin
	if s.opts.ReadOnly {
		begin = store.BeginReadOnly
	}
	cache, err := begin(ctx, s.database) // P3: before the snapshot
	if err != nil {
		return err
	}
	s.join(cache)
	if !s.opts.ReadOnly {
		_, err = s.begin(ctx)
	}
	return err
}

// A begun is a transaction and its side of the database, in one allocation.
type begun struct {
	Tx
	side side
}

// Commit commits the transaction, in the database and then in the cache. It is
// finished in any case. The errors are:
//
//   - sql.ErrTxDone: it was finished before.
//   - txcache.ErrUnavailable: it cleared a cache, and the backend could not be
//     told, so the database was not asked to commit.
//   - The cause of the context given to Begin, if that was done before the
//     database was asked to commit.
//   - The driver's error, by which the database has refused, such as a serialization failure
//     or a violated deferred constraint.
//   - ErrUnknownOutcome, with the driver's error: the connection broke, say, or the database
//     has not answered for as long as txcache.Options.CommitTimeout says. If the
//     transaction is read-only the error is just the driver's.
//
// In all but the first and the last case the database's transaction has been
// rolled back.
//
// The end of the context does not cancel a commit that has been sent: its answer
// is waited for, for as long as txcache.Options.CommitTimeout says.
func (tx *Tx) Commit() error {
	s := tx.side
	if s.opts.ReadOnly && s.begun.Load() == nil {
		if t, open := s.end(); t == nil {
			return tx.close(open)
		}
	}
	sent := false
	err := tx.Cache.CommitWith(s.ctx, func(ctx context.Context) error {
		if !s.inTime() {
			return txcache.NotSent(context.Cause(s.ctx))
		}
		if broken := s.broken.Load(); broken != nil { // P2
			return txcache.NotSent(*broken)
		}
		sent = true
		// The driver obeys the context of the begin.
		defer context.AfterFunc(ctx, func() { s.abort(context.Cause(ctx)) })()
		err := s.begun.Load().Commit()
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
	case s.opts.ReadOnly, !tx.Cache.InDoubt(err):
		return err
	}
	return fmt.Errorf("%w: database %q: %w", ErrUnknownOutcome, s.database, err)
}

// close commits a transaction that has not begun in the database: the cache's side alone.
// open is false if it was finished before.
func (tx *Tx) close(open bool) error {
	if !tx.side.inTime() {
		tx.Cache.Rollback()
		return context.Cause(tx.side.ctx)
	}
	err := tx.Cache.Commit(tx.side.ctx)
	if !open {
		return sql.ErrTxDone
	}
	return err
}

// abandon rolls back the database's side, after the cache's side ended with err.
func (tx *Tx) abandon(err error) error {
	inTime := tx.side.inTime()
	switch undo := tx.side.rollback(); {
	case !inTime:
		return context.Cause(tx.side.ctx)
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
	inTime := tx.side.inTime()
	err := tx.side.rollback() // first: the cache's side may have values to send, and needs no connection for that
	done := tx.Cache.Rollback()
	if err != nil || !inTime {
		return err
	}
	return done
}
