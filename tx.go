package txcache

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/canon"
	"github.com/seed-dad15c92/txcache/internal/near"
	"github.com/seed-dad15c92/txcache/internal/transaction"
)

// A Tx is a handle on one transaction: the cache's side of one database
// transaction, seen as one user in one context. It is safe for concurrent use.
//
// Several goroutines may load in one transaction while others clear caches, delete
// keys or undo savepoints: a load that is running then returns its value to its caller,
// and the cache does not keep it. A goroutine must clear, or delete, after it has
// written, not before, as another may load in between. The transaction must be committed after
// all that was written in it was cleared. [Tx.Savepoint] and [Cache.Set] say what
// else the goroutines must agree on.
//
// A read-write transaction sees at once what it sets and clears; other transactions
// see it after the commit. [Tx.CommitWith] says how. A finished transaction misses,
// ignores what it is asked to set, and answers ErrTxDone, so that
// `defer tx.Rollback()` is always right.
type Tx struct{ h transaction.Handle }

// Database returns the name of the transaction's database.
func (tx *Tx) Database() string {
	tx.made()
	return tx.h.Database()
}

// SyncedAt returns the moment up to which the transaction knows what other processes
// have cleared: it reads nothing older than what had been committed by then. That
// is when the transaction began, unless Options.Poll lets it begin with an earlier
// state, or the backend learns of changes by announcements (redis: sync =
// "channel"). Then it is when the backend was last asked, as announcements can get
// lost. SyncedAt returns the zero time if the backend could not be reached.
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
// WithContext takes the values as they are now, but for those that are ignored. It
// does not look at values under the keys of Options.ContextIgnoredKeys, so they may
// be large, or in use elsewhere. Under a key that a cache of the store ignores
// (CacheOptions.IgnoreContext) it takes plain values alone: booleans, numbers,
// strings, times, and slices, arrays and structs of such. It takes another value
// there when a cache that does not ignore the key is first used with the handle, or
// with a handle made from it; the value must not change before that.
//
// Values may be of any type that has a canonical form: booleans, numbers, strings,
// times, and slices, maps, structs and pointers of such. Values of different types
// are different. A function or a channel has no such form: context-dependent caches
// miss with it, unless they ignore its key.
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

// ClearTags clears the tags: the transaction sees no value that bears one of them from
// now on, in any cache of the database, and other transactions see none after the
// commit. See [Cache.TagBy]. It answers ErrReadOnly in a read-only transaction.
//
// Cleared tags are remembered as deleted keys are; see [Cache.Delete]. Where a delete
// would clear its cache, ClearTags clears all caches.
func (tx *Tx) ClearTags(tags ...string) error {
	tx.made()
	hashes := make([]uint64, len(tags))
	for i, tag := range tags {
		hashes[i] = canon.Hash(tag)
	}
	return tx.h.ClearTags(hashes)
}

// Savepoint runs fn. If fn returns an error or panics, what was set and cleared
// meanwhile is undone; the error is returned as it is. Savepoints nest.
//
// As with a savepoint of the database, the undo includes what other goroutines did
// in the transaction meanwhile, and a value that one of them is still loading by
// then is not kept. While other goroutines use the transaction, fn must set the
// database's savepoint and roll it back itself, before it returns its error:
// otherwise another goroutine could read in between what is then undone. A goroutine
// that writes a row must not clear the cache within another goroutine's savepoint
// that began after the write. The transaction must not be committed within a
// savepoint that is being rolled back.
func (tx *Tx) Savepoint(fn func(*Tx) error) error {
	tx.made()
	return tx.h.Savepoint(func() error { return fn(tx) })
}

// SetSide tells the transaction how to find out whether that of the database has begun. It is
// for packages whose transactions begin there when they are needed, and must be called
// before the transaction is used. Without it the transaction counts as one that has,
// but for CacheOptions.LoadLimit. One that
// has begun holds a connection, so it does not wait for what another one loads that has not,
// and may be waiting for a connection: it loads for itself. Begun is called by any
// goroutine at any time, also after the end of the transaction, and must not wait.
func (tx *Tx) SetSide(side interface{ Begun() bool }) {
	tx.made()
	tx.h.Side = side
}

// OpenSavepoint is Savepoint for packages in which a savepoint is no function call, such
// as nested transactions of a driver. The caller must call end; it undoes what was set, deleted and
// cleared since OpenSavepoint, unless keep is set. Calling it again, or after the
// transaction ended, does nothing.
func (tx *Tx) OpenSavepoint() (end func(keep bool), err error) {
	tx.made()
	return tx.h.OpenSavepoint()
}

// Commit ends the transaction and makes visible what it set and cleared. Where
// there is a database transaction, use CommitWith.
func (tx *Tx) Commit(ctx context.Context) error {
	return tx.CommitWith(ctx, nil)
}

// CommitWith commits the database transaction by calling commit, and what the
// transaction set and cleared with it. A commit that is nil is none, as with Commit.
//
//  1. The cleared caches, the deleted keys and the cleared tags are fenced: every
//     transaction that begins from now on, in any process, reads them from the
//     database. If the fence cannot be placed, CommitWith returns ErrUnavailable and
//     does not call commit; but see Options.CommitOnOutage.
//  2. CommitWith calls commit, unless ctx is done by then.
//  3. The caches get new generations, the keys and tags are deleted, and the fence is
//     removed, whatever commit returned: a needless clear is a miss. If the backend
//     cannot be reached any more, the store repeats this in the background; the caches
//     stay fenced until it is done. If the commit is in doubt, they stay fenced for the fence's lease
//     first. If the database was not asked, the fence is removed and nothing is
//     cleared.
//  4. If commit returned nil, what the transaction set is published. Under what it has
//     deleted or cleared that is so only if the backend has accepted step 3.
//
// The context that commit gets has the values of ctx, but does not end with ctx:
// even if the caller has gone, the commit must get its answer. It ends after
// Options.CommitTimeout. So commit must use the context that it gets, as in
//
//	err = tx.CommitWith(ctx, dbtx.Commit)
//
// After an error of commit it is in doubt whether the database has committed, or
// will: see ErrInDoubt. The exceptions are
//
//   - errors that commit has marked by NotCommitted or NotSent,
//   - answers with an SQLSTATE that says that the database has refused, by a
//     method SQLState, as those of pgx and lib/pq, or by a field of that name, as
//     those of go-sql-driver/mysql: classes 22, 23, 40 (but 40003), 42 and others;
//     not 08, 57, 58 or XX,
//   - sql.ErrTxDone,
//   - errors for which Options.NotCommitted returns true.
//
// An error that wraps several is definite if each of them is.
//
// CommitWith returns the error of commit, as it is, or an error that says why commit
// was not called: ErrTxDone or ErrClosed, an error that wraps ErrUnavailable, or if
// ctx was done one that wraps the reason. After a clear that was refused, as in a
// read-only transaction, it returns the error of that clear. The transaction is
// finished in any case. If commit panics, so does CommitWith, after step 3; the
// commit is in doubt unless the panic's value is an error that says otherwise. In a
// read-only transaction, and where nothing was cleared, there are only steps 2 and 4.
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
	if t.Store.Databases.Enlister != nil {
		return tx.commitEnlisted(ctx, f, commit)
	}
	announced, err := tx.commitClear(ctx, f, commit)
	if err != nil {
		return err
	}
	own := f.ID
	if !announced { // another's clear may be sent in its place
		own = ""
	}
	t.Publish(ctx, own)
	return nil
}

// commitClear is steps 1 to 3 of CommitWith. It reports whether the backend has
// accepted the clear.
func (tx *Tx) commitClear(ctx context.Context, f *backend.Fence, commit func(context.Context) error) (announced bool, err error) {
	s, database := tx.h.Store, tx.Database()
	ctx, end := s.Trace(ctx, "commit", database, "", 0)
	defer func() { end(err) }() // also if commit panics
	start := near.Now()
	fenced, err := s.Committer.Fence(ctx, database, f) // P3, P5: before the database shows anything
	if err != nil {
		return false, err
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
			announced = s.Committer.Clear(ctx, database, f, fenced)
			if o == committed {
				s.Databases.Counts.Commits.Count(time.Duration(near.Now() - start))
			}
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
	return false, err
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
	if told := tx.h.Store.Commits.Load(); told != nil {
		defer (*told)(tx.h.Transaction)()
	}
	return commit(ctx)
}

// Rollback ends the transaction and forgets what it set and cleared. It answers
// ErrTxDone if the transaction has ended already.
//
// A read-only transaction has set what it read from the database, and that is as
// good after a rollback. Other transactions see it, those of this process at once;
// Rollback sends it to a backend that keeps values.
func (tx *Tx) Rollback() error { return tx.rollback(context.Background()) }

// rollback is Rollback. It sends with the values of ctx, but does not end with it.
func (tx *Tx) rollback(ctx context.Context) error {
	tx.made()
	return tx.h.Rollback(ctx)
}
