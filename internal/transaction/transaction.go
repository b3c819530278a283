package transaction

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/canon"
	"github.com/seed-dad15c92/txcache/internal/databases"
	"github.com/seed-dad15c92/txcache/internal/near"
)

// The errors of the package, which the root package exports.
var (
	ErrTxDone   = errors.New("txcache: transaction has already been committed or rolled back")
	ErrReadOnly = errors.New("txcache: transaction is read-only")
)

// A Handle is a transaction, seen as one user in one context.
type Handle struct {
	*Transaction
	User *canon.Context // nil: no user, no values
}

// A Transaction is what the handles on it share. It is safe for concurrent use.
type Transaction struct {
	Store    *Store
	ReadOnly bool
	Behind   bool         // it loads in the background, where no caller is: its loader may wait for a connection
	Loaders  atomic.Int32 // that run in it

	// Side, if set, is the database's side, which may not have begun; see MayWaitFor.
	Side interface{ Begun() bool }

	// SQL is the transaction of the database in which t is enlisted; nil: in none.
	SQL backend.Querier

	db    *databases.Database
	view  *databases.View // what it began with
	times databases.Times

	// touched has the bit of every cache in which the transaction has set or
	// cleared something, or all bits once it has ended: a look-up in a cache whose
	// bit is missing does not take mu.
	touched atomic.Uint64

	mu   sync.Mutex
	done bool
	work *work // nil: none yet
}

const allCaches = ^uint64(0)

// Begin makes t a transaction that begins with what Registry.Sync has returned. The
// caller must call it once, before any other method.
func (t *Transaction) Begin(s *Store, db *databases.Database, v *databases.View, at databases.Times, readOnly bool) {
	t.Store, t.db, t.view, t.times, t.ReadOnly = s, db, v, at, readOnly
}

// Database returns the name of the transaction's database.
func (t *Transaction) Database() string { return t.db.Name }

// SyncedAt returns when the state that the transaction began with was last known to be
// the newest, or the zero time if it never was.
func (t *Transaction) SyncedAt() time.Time {
	if t.times.Synced == 0 {
		return time.Time{}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.work != nil && !t.work.syncedAt.IsZero() {
		return t.work.syncedAt
	}
	now := time.Now() // before the other clock, so that the result is early rather than late
	at := now.Add(time.Duration(t.times.Synced - near.Now()))
	if !t.done {
		t.worked().syncedAt = at
	}
	return at
}

// End marks the transaction as finished, and returns false if it was finished already.
// Only the caller changes its work from then on, until Forget.
func (t *Transaction) End() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.done {
		return false
	}
	t.done = true
	t.touched.Store(allCaches)
	return true
}

// Rollback ends the transaction. If the transaction is read-only, Rollback sends the
// values that it has read and not sent yet to a backend that keeps values, with the
// values of ctx; it does not end with ctx.
func (t *Transaction) Rollback(ctx context.Context) error {
	if !t.End() {
		return ErrTxDone
	}
	if t.work == nil {
		return nil
	}
	defer t.Forget()
	if t.ReadOnly && t.work.savepoints == 0 { // nothing leaves a savepoint that is open
		t.Publish(ctx, "")
	}
	return nil
}

// Worked reports whether there is anything to publish, fence or forget. The transaction
// must have ended.
func (t *Transaction) Worked() bool { return t.work != nil }

// Forget drops the work of the transaction, which must have ended.
func (t *Transaction) Forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.work != nil {
		for c, l := range t.work.caches {
			if l.overlay != nil {
				c.types.release(l.overlay)
			}
		}
	}
	t.work = nil
}

// Ended reports whether the transaction has ended.
func (t *Transaction) Ended() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.done
}

// detached reports whether the database was dropped since the transaction began.
func (t *Transaction) detached() bool { return t.view.Replaced(t.newest()) }

// newest returns the view of the newest state that the process knows. Where states have
// no order there is none, and the transaction's own is right, whatever others know.
func (t *Transaction) newest() *databases.View {
	if t.view.Unordered {
		return t.view
	}
	return t.db.Newest()
}

// Number returns the number of the state that the transaction began with: the fill of
// what it loads. It is 0 if there is no state.
func (t *Transaction) Number() uint64 {
	if t.view.State == nil {
		return 0
	}
	return t.view.State.Number
}

// Sends reports whether the backend keeps what t loads or sets. What may be newer than its state is
// not sent: a restore, or a failover, may lose the commit that it is of, and the backend would
// keep it beyond that. // P6, P12
func (t *Transaction) Sends() bool {
	return t.Store.Values != nil && (!t.view.Unordered || t.view.Exact)
}

// Comparable reports whether a hit that differs from what t loads now is wrong, unless it was
// cleared since: states have an order that tells that, or t has one snapshot.
func (t *Transaction) Comparable() bool { return !t.view.Unordered || t.view.Exact }

// State returns the state that the transaction began with, nil if there is none.
func (t *Transaction) State() *backend.State { return t.view.State }

// shared returns the generation of c that the transaction shares with others, or nil
// if c is private because of what others do: there is no state, c is fenced, or the
// process has learnt of a newer generation.
func (t *Transaction) shared(c *Core) any {
	g, _ := t.db.Contents(t.view, &c.Cache)
	if newest := t.newest(); g != nil && newest != t.view {
		if now, _ := t.db.Contents(newest, &c.Cache); now != g {
			return nil
		}
	}
	return g
}

// marks returns what the transaction's view says of the keys of c, and what the newest
// view says.
func (t *Transaction) marks(c *Core) (began, newest *databases.Marks) {
	_, began = t.db.Contents(t.view, &c.Cache)
	if v := t.newest(); v != t.view {
		_, newest = t.db.Contents(v, &c.Cache)
		return began, newest
	}
	return began, began
}

// Private reports whether c is private to the transaction because of what others do.
func (t *Transaction) Private(c *Core) bool { return t.shared(c) == nil }

// Savepoint runs fn. If fn returns an error or panics, what was set and cleared
// meanwhile is undone; the error is returned as it is.
func (t *Transaction) Savepoint(fn func() error) error {
	end, err := t.OpenSavepoint()
	if err != nil {
		return err
	}
	kept := false
	defer func() { end(kept) }()
	if err := fn(); err != nil {
		return err
	}
	kept = true
	return nil
}

// OpenSavepoint begins a savepoint, which end ends: it undoes what was set and cleared
// since, unless keep is set. It does nothing when it is called again.
func (t *Transaction) OpenSavepoint() (end func(keep bool), err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.done {
		return nil, ErrTxDone
	}
	w := t.worked()
	w.savepoints++
	savedAt := w.steps
	w.savedAt = savedAt
	ended := false
	return func(keep bool) {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.done || ended {
			return
		}
		ended = true
		if !keep {
			w.cutAll()
			for n := len(w.undo); n > 0 && w.undo[n-1].number > savedAt; n-- { // P2
				w.undone()
			}
		}
		if w.savepoints--; w.savepoints == 0 {
			w.undo, w.undoSize, w.undoLimit = nil, 0, 0
		}
	}, nil
}

// Clear clears c within the transaction.
func (t *Transaction) Clear(c *Core) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.changeable(); err != nil {
		return t.refuse(err)
	}
	t.clear(c)
	return nil
}

// clear is Clear. t.mu must be held.
func (t *Transaction) clear(c *Core) {
	l := t.local(c)
	before := *l
	t.work.record(l.size(c), func() { *l = before })
	t.work.cuts++
	*l = local{cleared: true, cut: t.work.cuts}
}

// Delete deletes the keys of c with those hashes within the transaction.
func (t *Transaction) Delete(c *Core, hashes []uint64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.changeable(); err != nil {
		return t.refuse(err)
	}
	t.delete(c, hashes)
	return nil
}

// delete is Delete. t.mu must be held.
func (t *Transaction) delete(c *Core, hashes []uint64) {
	l := t.local(c)
	if l.deleted == nil {
		l.deleted = cutKeys{}
	}
	t.work.cut(&l.deleted, hashes)
}

// ClearTags clears the tags with those hashes within the transaction.
func (t *Transaction) ClearTags(hashes []uint64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.changeable(); err != nil {
		return t.refuse(err)
	}
	w := t.worked()
	if w.tags == nil {
		w.tags = cutKeys{}
	}
	w.cut(&w.tags, hashes)
	t.touched.Store(allCaches)
	return nil
}

// ClearAll clears all caches within the transaction.
func (t *Transaction) ClearAll() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.changeable(); err != nil {
		return t.refuse(err)
	}
	w := t.worked()
	cleared, caches := w.cleared, w.caches
	w.record(w.values(), func() { w.cleared, w.caches = cleared, caches })
	w.cleared, w.caches = true, nil
	w.cutAll()
	t.touched.Store(allCaches)
	return nil
}

// changeable returns an error if the transaction cannot clear. t.mu must be held.
func (t *Transaction) changeable() error {
	switch {
	case t.done:
		return ErrTxDone
	case t.ReadOnly:
		return ErrReadOnly
	}
	return nil
}

// Refuse records that a clear was refused with err, and returns err: the transaction
// must not commit as if the clear had been done.
func (t *Transaction) Refuse(err error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.refuse(err)
}

// refuse is Refuse. t.mu must be held.
func (t *Transaction) refuse(err error) error {
	if t.done {
		return err
	}
	w := t.worked()
	before := w.refused
	w.record(0, func() { w.refused = before })
	w.refused = fmt.Errorf("%w: the commit is refused as a clear was", err)
	return err
}

// Refused returns the error that a commit must return because a clear was refused. The
// transaction must have ended.
func (t *Transaction) Refused() error {
	if t.work == nil {
		return nil
	}
	return t.work.refused
}
