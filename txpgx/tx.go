package txpgx

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/sqltx"
)

// ErrUnknownOutcome says that a commit was sent to the database, and that this package
// cannot tell whether the database has committed: the connection may have died before the
// commit arrived or after it was done. It is sqltx.ErrUnknownOutcome, so that a service can
// use both packages.
//
// The error of pgx is in the chain, for errors.As. The caller should begin another
// transaction and look whether the change is there, and must not repeat the change
// without looking unless it may be done twice.
//
// An answer by which the database has refused is pgx's error as it is, without
// ErrUnknownOutcome: [txcache.Tx.InDoubt] says which errors are.
//
// The cache is right in either case: what the transaction cleared is bypassed for a while,
// and then cleared. See [txcache.ErrInDoubt].
var ErrUnknownOutcome = sqltx.ErrUnknownOutcome

// A Beginner begins transactions of the database. *pgxpool.Pool, *pgxpool.Conn and
// *pgx.Conn are Beginners.
type Beginner interface {
	BeginTx(ctx context.Context, opts pgx.TxOptions) (pgx.Tx, error)
}

// A Tx is a transaction of a database and of its cache. It is a pgx.Tx, with the same
// rules: it is not safe for concurrent use, and must be ended by Commit or Rollback; the
// end of a context does not roll it back. Statements that are sent after the end answer
// pgx.ErrTxClosed. Loaders of caches that run at the same time, as goroutines of the
// caller, must not share it.
//
// A read-only Tx begins in the database with its first statement. If that statement fails
// before the database has begun, because there is no connection, say, the next one tries
// again.
type Tx struct {
	// Cache is the cache's side. Give it to the methods of caches; do not
	// commit it or roll it back. It may be set to another handle on the same
	// transaction, as in tx.Cache = tx.Cache.WithUser(user).
	Cache *txcache.Tx

	t  *transaction
	sp *savepoint // nil: the transaction itself
}

var _ pgx.Tx = (*Tx)(nil)

// A transaction is what a Tx and its savepoints have in common.
type transaction struct {
	ctx      context.Context // of Begin: for the methods of pgx.Tx that have none
	db       Beginner
	opts     *pgx.TxOptions
	database string
	cache    *txcache.Tx

	hasBegun atomic.Bool // dbtx is set

	mu         sync.Mutex
	dbtx       pgx.Tx // nil: it has not begun in the database
	giveBack   func() // gives its connection back; nil: dbtx does so itself
	closed     bool
	lent       bool               // pgx's transaction itself, to LargeObjects: it must know when it ends
	savepoints []*savepoint       // that are open, the oldest first
	broken     error              // why it must not be committed
	records    []*pgx.QueuedQuery // that travel with COMMIT
}

// Begin begins a transaction of the cache, in the database of that name in store,
// and one of db with opts. Both are read-only if opts.AccessMode is pgx.ReadOnly; a
// read-only one begins in db with its first statement. If opts.BeginQuery is set, it must
// say itself that the transaction is read-only.
//
// Where the store's backend keeps the generations in the database, their state is read from
// db: the package's comment says when.
//
// An error is that of [txcache.Store.Begin] or of db, as it is. A backend that cannot be
// reached is none: the transaction begins without cached values.
func Begin(ctx context.Context, store *txcache.Store, database string, db Beginner, opts pgx.TxOptions) (*Tx, error) {
	if store == nil || db == nil {
		return nil, errors.New("txcache: txpgx needs a store and a database")
	}
	made := &struct { // one allocation
		transaction
		Tx
	}{transaction: transaction{ctx: ctx, db: db, opts: &plainView, database: database}}
	if opts != plainView {
		o := opts // only this one is allocated
		made.opts = &o
	}
	t, tx := &made.transaction, &made.Tx
	tx.t = t
	if e := store.Enlister(); e != nil {
		if err := t.enlist(ctx, store, e); err != nil {
			return nil, err
		}
		tx.Cache = t.cache
		return tx, nil
	}
	begin := store.Begin
	if t.readOnly() {
		begin = store.BeginReadOnly
	}
	var err error
	if t.cache, err = begin(ctx, database); err != nil { // P3: before the snapshot
		return nil, err
	}
	if t.readOnly() {
		t.cache.SetSide(t)
	} else if _, err = t.begin(ctx); err != nil {
		t.cache.Rollback()
		return nil, err
	}
	tx.Cache = t.cache
	return tx, nil
}

// plainView are the options of most views.
var plainView = pgx.TxOptions{AccessMode: pgx.ReadOnly}

// Begun reports whether the transaction has begun in the database; see txcache.Tx.SetSide.
func (t *transaction) Begun() bool { return t.hasBegun.Load() }

func (t *transaction) readOnly() bool { return t.opts.AccessMode == pgx.ReadOnly }

// end marks the transaction as ended, and returns its side in the database, nil if that
// has not begun.
func (t *transaction) end() (pgx.Tx, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, pgx.ErrTxClosed
	}
	t.closed = true
	return t.dbtx, nil
}

// Commit commits the transaction, in the database and then in the cache. It is finished
// in any case. A Tx that has not begun in the database sends it nothing. The errors are:
//
//   - pgx.ErrTxClosed: it was finished before.
//   - txcache.ErrUnavailable: it cleared a cache, and the backend could not be
//     told, so the database was not asked to commit.
//   - One that wraps the cause of ctx, if that was done before the database was asked to
//     commit.
//   - pgx.ErrTxCommitRollback: a statement had failed, so the database has rolled back.
//   - A *pgconn.PgError by which the database has refused, such as a serialization failure
//     or a violated deferred constraint.
//   - ErrUnknownOutcome, with the error of pgx: the connection broke, say, or the database
//     has not answered for as long as txcache.Options.CommitTimeout says. If the
//     transaction is read-only the error is just that of pgx.
//
// In all cases but the first and the last the database's transaction has been rolled
// back.
//
// The end of ctx does not cancel a commit that has been sent.
//
// Commit of a savepoint releases it in the database, and keeps what the cache's side has
// done since.
func (tx *Tx) Commit(ctx context.Context) error {
	if tx.sp != nil {
		return tx.t.keep(ctx, tx.sp)
	}
	t := tx.t
	dbtx, err := t.end()
	if err != nil {
		return err
	}
	t.leave(0, true)
	if t.broken != nil {
		return errors.Join(t.broken, t.undo(ctx, dbtx))
	}
	if dbtx == nil { // the outcome is the same as if it had begun
		if ctx.Err() != nil {
			t.cache.Rollback()
			return fmt.Errorf("txcache: database %q was not asked to commit: %w", t.database, context.Cause(ctx))
		}
		return t.cache.CommitWith(ctx, nil)
	}
	sent, definite := false, false
	var answer error
	err = t.cache.CommitWith(ctx, func(ctx context.Context) error {
		sent = true
		defer t.release()
		if len(t.records) > 0 {
			definite, answer = t.commitRecords(ctx, dbtx)
		} else {
			answer = dbtx.Commit(ctx)
		}
		if answer != nil && ctx.Err() != nil {
			answer = fmt.Errorf("%w: %w", context.Cause(ctx), answer)
		}
		switch {
		case t.unsent(answer):
			return txcache.NotSent(answer)
		case definite, errors.Is(answer, pgx.ErrTxCommitRollback):
			return txcache.NotCommitted(answer)
		}
		return answer
	})
	switch {
	case err == nil:
		return nil
	case !sent:
		if undo := t.undo(ctx, dbtx); undo != nil {
			return errors.Join(err, undo)
		}
		return err
	case t.readOnly(), !t.cache.InDoubt(err), errors.Is(answer, pgx.ErrTxClosed):
		return answer // err may have a mark
	}
	return fmt.Errorf("%w: database %q: %w", ErrUnknownOutcome, t.database, answer)
}

// unsent reports whether pgx says of an error of a commit that nothing was sent. Another
// Beginner's errors may say so of one of several attempts.
func (t *transaction) unsent(err error) bool {
	return err != nil && pipelines(t.db) && pgconn.SafeToRetry(err)
}

// Rollback rolls back the transaction in the database and in the cache. A Tx that has
// not begun in the database sends it nothing. It answers pgx.ErrTxClosed if the
// transaction was finished before, so that `defer tx.Rollback(ctx)` is always right.
//
// If ctx is done by then, Rollback takes a few seconds of its own for it: the connection
// remains of use for others.
//
// Rollback of a savepoint undoes what both sides have done since it was set.
func (tx *Tx) Rollback(ctx context.Context) error {
	if tx.sp != nil {
		return tx.t.rollbackTo(ctx, tx.sp)
	}
	dbtx, err := tx.t.end()
	if err != nil {
		return err
	}
	tx.t.leave(0, false)
	return tx.t.undo(ctx, dbtx)
}

// undo rolls back both sides of a transaction that has ended.
func (t *transaction) undo(ctx context.Context, dbtx pgx.Tx) (err error) {
	if dbtx != nil { // first: the cache's side may have values to send, and needs no connection for that
		undoing, cancel := forUndo(ctx)
		defer cancel()
		err = dbtx.Rollback(undoing)
		t.release()
	}
	if t.cache != nil { // it could begin
		t.cache.Rollback()
	}
	return err
}

// release gives the connection of a transaction that has ended back.
func (t *transaction) release() {
	if t.giveBack != nil {
		t.giveBack()
	}
}

// undoTimeout is for how long a rollback may wait for the database when its caller has
// gone.
const undoTimeout = 5 * time.Second

// forUndo returns the context of a rollback. If ctx is done, it is another one: with ctx
// the connection would be closed, or a savepoint not rolled back.
func forUndo(ctx context.Context) (context.Context, context.CancelFunc) {
	if ctx.Err() == nil {
		return ctx, func() {}
	}
	return context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
}
