package txcache

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/canon"
	"github.com/seed-dad15c92/txcache/internal/transaction"
)

// A Tx is a handle on one transaction: the cache's side of one database
// transaction, seen as one user in one context. It is safe for concurrent use.
//
// Several goroutines may load in one transaction while others clear caches or
// undo savepoints: what was being loaded meanwhile is returned to its caller, and
// not kept. A goroutine must clear after it has written, not before, as another
// may load in between; and the transaction must be committed after all that was
// written in it was cleared. See [Tx.Savepoint] and [Cache.Set] for what else
// they must agree on.
//
// What a read-write transaction sets and clears is seen by itself at once, and
// by others after it committed; see [Tx.CommitWith] for how that is done. A
// finished transaction misses, ignores what it is asked to set, and answers
// ErrTxDone, so that `defer tx.Rollback()` is always right.
type Tx struct{ h transaction.Handle }

// Database returns the name of the transaction's database.
func (tx *Tx) Database() string {
	tx.made()
	return tx.h.Database()
}

// SyncedAt returns the moment as of which the transaction knows what others have
// cleared: it reads nothing older than what had been committed by then. That is
// when it began, unless Options.Poll lets it begin with a state of before, or the
// backend is told of changes (redis: sync = "channel"): then it is when the
// backend was last asked, as announcements can get lost. It is the zero time if
// the backend could not be reached.
func (tx *Tx) SyncedAt() time.Time {
	tx.made()
	return tx.h.SyncedAt()
}

// WithUser returns another handle on the same transaction, whose user context
// has that user: context-dependent caches keep values apart for each user. See
// WithContext for what a user may be.
func (tx *Tx) WithUser(user any) *Tx {
	tx.made()
	return tx.as(tx.h.User.WithUser(user))
}

// WithContext returns another handle on the same transaction, whose user
// context has values merged over this handle's own.
//
// Values are taken as they are now, but for those that are ignored. Under the keys
// of Options.ContextIgnoredKeys they are not looked at, so that they may be large,
// or in use elsewhere. Nor are those under a key that a cache of the store
// ignores (CacheOptions.IgnoreContext), but for plain ones: booleans, numbers,
// strings, times, and slices, arrays and structs of such. All others are taken when
// a cache that does not ignore the key is first used with the handle, or with one
// that was made of it; they must not change by then.
//
// Values may be of any type that has a
// canonical form: booleans, numbers, strings, times, and slices, maps, structs
// and pointers of such. Values of different types are different. A function or
// a channel has no such form: context-dependent caches miss with it, unless
// they ignore its key.
func (tx *Tx) WithContext(values map[string]any) *Tx {
	tx.made()
	return tx.as(tx.h.Store.Take(tx.h.User, values))
}

// as returns another handle on the same transaction.
func (tx *Tx) as(user *canon.Context) *Tx {
	return &Tx{transaction.Handle{Transaction: tx.h.Transaction, User: user}}
}

// ClearAll clears all caches of the database, also those that other programs
// keep there. It answers ErrReadOnly in a read-only transaction.
func (tx *Tx) ClearAll() error {
	tx.made()
	return tx.h.ClearAll()
}

// Savepoint runs fn. If fn returns an error or panics, what was set and cleared
// meanwhile is undone; the error is returned as it is. Savepoints nest.
//
// As with a savepoint of the database, what other goroutines do in the
// transaction meanwhile is undone with it, and a value that one of them is still
// loading by then is not kept. While other goroutines use the transaction, fn
// must set the database's savepoint and roll it back itself: before it returns
// its error, so that nobody reads afterwards what is undone. A goroutine that
// writes a row must not clear the cache within another's savepoint that began
// after the write, and the transaction must not be committed within a savepoint
// that is being rolled back.
func (tx *Tx) Savepoint(fn func(*Tx) error) error {
	tx.made()
	return tx.h.Savepoint(func() error { return fn(tx) })
}

// Commit ends the transaction and makes visible what it set and cleared. Where
// there is a database transaction, use CommitWith.
func (tx *Tx) Commit(ctx context.Context) error {
	return tx.CommitWith(ctx, nil)
}

// CommitWith commits the database transaction by calling commit, and what the
// transaction set and cleared with it:
//
//  1. The caches that were cleared are fenced: whoever begins from now on, in
//     any process, goes to the database. If that cannot be had, CommitWith
//     returns ErrUnavailable and commit is not called.
//  2. commit is called, unless ctx is done by then.
//  3. The caches get new generations and the fence is lifted, whatever commit
//     returned: a needless clear is a miss. If the backend cannot be reached any
//     more, this is repeated in the background; the caches stay fenced until it
//     is done. If the commit is in doubt, they stay fenced for a lease first. If
//     the database was not asked, the fence is lifted and nothing is cleared.
//  4. If commit returned nil, what was set is published.
//
// The context of commit has the values of ctx, and does not end with ctx: a
// caller that has gone must not leave a commit without its answer. It ends after
// Options.CommitTimeout. So commit must use its own context, as in
//
//	err = tx.CommitWith(ctx, dbtx.Commit)
//
// An error of commit leaves it in doubt whether the database has committed, or
// will: see ErrInDoubt. The exceptions are
//
//   - errors that commit has marked by NotCommitted or NotSent,
//   - answers with an SQLSTATE that says that the database has refused, by a
//     method SQLState, as those of pgx and lib/pq, or by a field of that name, as
//     those of go-sql-driver/mysql: classes 22, 23, 40 (but 40003), 42 and others;
//     not 08, 57, 58 or XX,
//   - sql.ErrTxDone,
//   - errors of which Options.NotCommitted says so.
//
// An error that wraps several is definite if each of them is.
//
// The error is that of commit, as it is, or says why commit was not called: it
// is ErrTxDone or ErrClosed, or wraps ErrUnavailable, or if ctx was done the
// reason; after a clear that was refused, as in a read-only transaction, it is that
// of the clear. The transaction is finished in any case. If commit panics, so does
// CommitWith, after step 3; the commit is in doubt unless the panic's value is an
// error that says otherwise. In a read-only transaction, and where nothing was
// cleared, there are just steps 2 and 4.
func (tx *Tx) CommitWith(ctx context.Context, commit func(context.Context) error) error {
	tx.made()
	given(ctx)
	t := tx.h.Transaction
	if !t.End() {
		return ErrTxDone
	}
	if t.Worked() {
		defer t.Forget()
	}
	if err := t.Refused(); err != nil {
		if t.ReadOnly {
			t.Publish(ctx, "")
		}
		return err
	}
	f := t.Fence()
	if f == nil {
		var err error
		if commit != nil {
			err = tx.ask(ctx, commit)
		}
		if err == nil || t.ReadOnly { // what it has read is as good after an error
			t.Publish(ctx, "")
		}
		return err
	}
	if err := tx.commitClear(ctx, f, commit); err != nil {
		return err
	}
	t.Publish(ctx, f.ID)
	return nil
}

// commitClear is steps 1 to 3 of CommitWith.
func (tx *Tx) commitClear(ctx context.Context, f *backend.Fence, commit func(context.Context) error) (err error) {
	s, database := tx.h.Store, tx.Database()
	ctx, end := s.Trace(ctx, "commit", database, "", 0)
	defer func() { end(err) }()                        // also if commit panics
	fenced, err := s.Committer.Fence(ctx, database, f) // P3, P5: before the database shows anything
	if err != nil {
		return err
	}
	renewal := s.Committer.Renew(context.WithoutCancel(ctx), database, f)
	o := inDoubt   // if commit panics or ends its goroutine
	defer func() { // also then
		p := recover()
		if e, ok := p.(error); ok {
			err, o = e, outcomeOf(e, s.NotCommitted)
		}
		renewal.End()
		switch o {
		case notSent:
			s.Committer.Unfence(ctx, database, f)
		case inDoubt:
			s.Committer.Postpone(ctx, database, f)
			s.CountClears(f)
		default:
			s.Committer.Clear(ctx, database, f, fenced)
			s.CountClears(f)
		}
		if err == nil && o != committed {
			err = errNoReturn
		}
		if p != nil {
			panic(p)
		}
	}()
	err = tx.ask(ctx, commit)
	o = outcomeOf(err, s.NotCommitted)
	return err
}

// ask is step 2 of CommitWith.
func (tx *Tx) ask(ctx context.Context, commit func(context.Context) error) error {
	if ctx.Err() != nil {
		return NotSent(fmt.Errorf("txcache: database %q was not asked to commit: %w", tx.Database(), context.Cause(ctx)))
	}
	if commit == nil {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), tx.h.Store.CommitTimeout, errNoAnswer)
	defer cancel()
	return commit(ctx)
}

// Rollback ends the transaction and forgets what it set and cleared. It answers
// ErrTxDone if the transaction has ended already.
//
// What a read-only transaction has set was read from the database and is as good
// after a rollback. Others see it, in this process at once; Rollback sends it to
// a backend that keeps values.
func (tx *Tx) Rollback() error { return tx.rollback(context.Background()) }

// rollback is Rollback; what is sent has the values of ctx, and not its end.
func (tx *Tx) rollback(ctx context.Context) error {
	tx.made()
	return tx.h.Rollback(ctx)
}
