package txcache

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/canon"
	"github.com/seed-dad15c92/txcache/internal/near"
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
type Tx struct {
	t    *transaction
	user *canon.Context // nil: no user, no values
}

// A transaction is what the handles on it share.
type transaction struct {
	store *Store
	db    *database
	view  *view // what it began with
	moment
	first    Tx // here, so that a transaction is one allocation
	readOnly bool
	refresh  bool         // it is of a refresh; see Cache.RefreshEarly
	loading  atomic.Int32 // loaders that run in it

	// touched has the bit of every cache that the transaction has set or
	// cleared something in, or all bits once it has ended: a cache whose bit
	// is missing is read without taking mu.
	touched atomic.Uint64

	mu   sync.Mutex
	done bool
	work *work // nil: none yet
}

const allCaches = ^uint64(0)

// Database returns the name of the transaction's database.
func (tx *Tx) Database() string {
	tx.made()
	return tx.t.db.name
}

// SyncedAt returns the moment as of which the transaction knows what others have
// cleared: it reads nothing older than what had been committed by then. That is
// when it began, unless Options.Poll lets it begin with a state of before, or the
// backend is told of changes (redis: sync = "channel"): then it is when the
// backend was last asked, as announcements can get lost. It is the zero time if
// the backend could not be reached.
func (tx *Tx) SyncedAt() time.Time {
	tx.made()
	t := tx.t
	if t.synced == 0 {
		return time.Time{}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.work != nil && !t.work.syncedAt.IsZero() {
		return t.work.syncedAt
	}
	now := time.Now() // before the other clock, so that it is rather too early
	at := now.Add(time.Duration(t.synced - near.Now()))
	if !t.done {
		t.worked().syncedAt = at
	}
	return at
}

// WithUser returns another handle on the same transaction, whose user context
// has that user: context-dependent caches keep values apart for each user. See
// WithContext for what a user may be.
func (tx *Tx) WithUser(user any) *Tx {
	tx.made()
	return &Tx{t: tx.t, user: tx.user.WithUser(user)}
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
	s := tx.t.store
	return &Tx{t: tx.t, user: tx.user.Take(values, s.ignored, s.ignoredBySome.Load())}
}

// ClearAll clears all caches of the database, also those that other programs
// keep there. It answers ErrReadOnly in a read-only transaction.
func (tx *Tx) ClearAll() error {
	tx.made()
	t := tx.t
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
	t := tx.t
	if !t.end() {
		return ErrTxDone
	}
	if t.work != nil {
		defer t.forget()
	}
	if w := t.work; w != nil && w.refused != nil {
		if t.readOnly {
			t.publish(ctx, "")
		}
		return w.refused
	}
	f := t.fence()
	if f == nil {
		var err error
		if commit != nil {
			err = t.ask(ctx, commit)
		}
		if err == nil || t.readOnly { // what it has read is as good after an error
			t.publish(ctx, "")
		}
		return err
	}
	if err := t.commitClear(ctx, f, commit); err != nil {
		return err
	}
	t.publish(ctx, f.ID)
	return nil
}

// commitClear is steps 1 to 3 of CommitWith.
func (t *transaction) commitClear(ctx context.Context, f *backend.Fence, commit func(context.Context) error) (err error) {
	a := t.store.announcer
	ctx, end := t.store.trace(ctx, "commit", t.db.name, "", 0)
	defer func() { end(err) }()               // also if commit panics
	fenced, err := a.fence(ctx, t.db.name, f) // P3, P5: before the database shows anything
	if err != nil {
		return err
	}
	lease := a.keep(context.WithoutCancel(ctx), t.db.name, f, f.Lease/3)
	o := inDoubt   // if commit panics or ends its goroutine
	defer func() { // also then
		p := recover()
		if e, ok := p.(error); ok {
			err, o = e, outcomeOf(e, t.store.opts.NotCommitted)
		}
		lease.end()
		switch o {
		case unsent:
			a.lift(ctx, t.db.name, f)
		case inDoubt:
			a.postpone(ctx, t.db.name, f)
			t.countClears(f)
		default:
			a.clear(ctx, t.db.name, f, fenced)
			t.countClears(f)
		}
		if err == nil && o != committed {
			err = errNoReturn
		}
		if p != nil {
			panic(p)
		}
	}()
	err = t.ask(ctx, commit)
	o = outcomeOf(err, t.store.opts.NotCommitted)
	return err
}

// ask is step 2 of CommitWith.
func (t *transaction) ask(ctx context.Context, commit func(context.Context) error) error {
	if ctx.Err() != nil {
		return NotSent(fmt.Errorf("txcache: database %q was not asked to commit: %w", t.db.name, context.Cause(ctx)))
	}
	if commit == nil {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), t.store.opts.CommitTimeout, errNoAnswer)
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
	if !tx.t.end() {
		return ErrTxDone
	}
	t := tx.t
	if t.work == nil {
		return nil
	}
	defer t.forget()
	if t.readOnly && t.work.savepoints == 0 { // nothing leaves a savepoint that is open
		t.publish(ctx, "")
	}
	return nil
}

// end marks the transaction as finished, and reports false if it was. Nobody but
// the caller changes its work from then on, until forget.
func (t *transaction) end() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.done {
		return false
	}
	t.done = true
	t.touched.Store(allCaches)
	return true
}

// forget lets go of what the transaction has done.
func (t *transaction) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.work = nil
}

// changeable returns the error for clearing something, if that cannot be. t.mu
// is held.
func (t *transaction) changeable() error {
	switch {
	case t.done:
		return ErrTxDone
	case t.readOnly:
		return ErrReadOnly
	}
	return nil
}

// ended reports whether the transaction has ended.
func (t *transaction) ended() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.done
}

// detached reports whether the database was dropped since the transaction began.
func (t *transaction) detached() bool {
	newest := t.db.newest.Load()
	return newest.gone || t.view.state != nil && newest.state != nil && newest.state.Epoch != t.view.state.Epoch
}

// shared returns the generation of c that the transaction reads and fills with
// others; nil if c is private because of what others do: there is no state, it
// is fenced, or the process has learnt of a newer generation.
func (t *transaction) shared(c *core) generation {
	g := t.db.generation(t.view, c)
	if newest := t.db.newest.Load(); g != nil && newest != t.view && t.db.generation(newest, c) != g {
		return nil
	}
	return g
}

// refuse notes that a clear was answered with err, which it returns: the
// transaction must not commit as if the clear had been done. t.mu is held.
func (t *transaction) refuse(err error) error {
	if t.done {
		return err
	}
	w := t.worked()
	before := w.refused
	w.record(0, func() { w.refused = before })
	w.refused = fmt.Errorf("%w: the commit is refused as a clear was", err)
	return err
}

// clear clears c within the transaction.
func (t *transaction) clear(c *core) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.changeable(); err != nil {
		return t.refuse(err)
	}
	l := t.local(c)
	before := *l
	t.work.record(l.size(), func() { *l = before })
	t.work.cuts++
	*l = local{cleared: true, cut: t.work.cuts}
	return nil
}

// fence returns the fence for what the transaction has cleared, nil if that is
// nothing. The transaction has ended.
func (t *transaction) fence() *backend.Fence {
	w := t.work
	if w == nil {
		return nil
	}
	var caches []backend.Generation
	for c, l := range w.caches {
		// With All, a cache is named only if it may become warm.
		if l.cleared || w.cleared && c.warm && l.overlay != nil {
			g := backend.Generation{Cache: c.name}
			if t.view.state != nil {
				g.Token = t.view.state.Token(c.name)
			}
			caches = append(caches, g)
		}
	}
	if !w.cleared && len(caches) == 0 {
		return nil
	}
	slices.SortFunc(caches, func(a, b backend.Generation) int { return cmp.Compare(a.Cache, b.Cache) })
	return &backend.Fence{ID: backend.NewToken(), Caches: caches, All: w.cleared, Lease: t.store.opts.Fence}
}

// publish is step 4 of CommitWith: warm is the token of generations that this
// transaction's own clear has started.
func (t *transaction) publish(ctx context.Context, warm backend.Token) {
	w := t.work
	if w == nil {
		return
	}
	out := t.store.newOutbox(ctx, t.db.name)
	defer out.close()
	for c, l := range w.caches {
		if l.overlay == nil {
			continue
		}
		g := t.shared(c)
		if l.cleared || w.cleared {
			// P4: the values are the newest only if nobody else has cleared
			// since the transaction began.
			if g = t.db.generation(t.db.newest.Load(), c); g == nil || !c.warm || g.token() != warm {
				continue
			}
		}
		if g == nil {
			continue
		}
		if published := l.overlay.publish(g, out); !t.readOnly {
			c.stats.published.Add(uint64(published))
		}
	}
}

func (t *transaction) countClears(f *backend.Fence) {
	for _, c := range t.store.all() {
		if covers(f, c.name) {
			c.stats.clears.Add(1)
		}
	}
}
