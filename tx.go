package txcache

import (
	"cmp"
	"context"
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
	store    *Store
	db       *database
	view     *view // what it began with
	synced   int64 // when that was asked for, as near.Now counts; 0: in vain
	first    Tx    // here, so that a transaction is one allocation
	readOnly bool

	// touched has the bit of every cache that the transaction has set or
	// cleared something in, or all bits once it has ended: a cache whose bit
	// is missing is read without taking mu.
	touched atomic.Uint64

	mu   sync.Mutex
	done bool
	work *work // nil: none yet
}

// A work is what a transaction has done. Those that only read have none.
type work struct {
	syncedAt time.Time        // once it was asked for
	cleared  bool             // by ClearAll
	caches   map[*core]*local // those set or cleared
	depth    int              // of savepoints
	undo     []func()         // what the open savepoints have done, oldest first
}

// A local is what a transaction holds of one cache.
type local struct {
	overlay overlay // nil if nothing was set
	cleared bool
}

const allCaches = ^uint64(0)

// Database returns the name of the transaction's database.
func (tx *Tx) Database() string {
	if tx.void() {
		return ""
	}
	return tx.t.db.name
}

// SyncedAt returns when the backend was asked for the state that the
// transaction began with: it reads nothing older than what had been committed
// by then. It is the zero time if the backend could not be reached.
func (tx *Tx) SyncedAt() time.Time {
	if tx.void() || tx.t.synced == 0 {
		return time.Time{}
	}
	t := tx.t
	t.mu.Lock()
	defer t.mu.Unlock()
	w := t.worked()
	if w.syncedAt.IsZero() {
		now := time.Now() // before the other clock, so that it is rather too early
		w.syncedAt = now.Add(time.Duration(t.synced - near.Now()))
	}
	return w.syncedAt
}

// WithUser returns another handle on the same transaction, whose user context
// has that user: context-dependent caches keep values apart for each user. See
// WithContext for what a user may be.
func (tx *Tx) WithUser(user any) *Tx {
	if tx.void() {
		return tx
	}
	return &Tx{t: tx.t, user: tx.user.WithUser(user)}
}

// WithContext returns another handle on the same transaction, whose user
// context has values merged over this handle's own.
//
// Values are taken as they are now. They may be of any type that has a
// canonical form: booleans, numbers, strings, times, and slices, maps, structs
// and pointers of such. Values of different types are different. A function or
// a channel has no such form: context-dependent caches miss with it, unless
// they ignore its key.
func (tx *Tx) WithContext(values map[string]any) *Tx {
	if tx.void() {
		return tx
	}
	return &Tx{t: tx.t, user: tx.user.With(values)}
}

// ClearAll clears all caches of the database, also those that other programs
// keep there. It answers ErrReadOnly in a read-only transaction.
func (tx *Tx) ClearAll() error {
	if tx.void() {
		return ErrTxDone
	}
	t := tx.t
	if t.readOnly {
		return ErrReadOnly
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.done {
		return ErrTxDone
	}
	w := t.worked()
	cleared, caches := w.cleared, w.caches
	w.record(func() { w.cleared, w.caches = cleared, caches })
	w.cleared, w.caches = true, nil
	t.touched.Store(allCaches)
	return nil
}

// Savepoint runs fn. If fn returns an error or panics, what was set and cleared
// meanwhile is undone; the error is returned as it is. Savepoints nest. As with
// a savepoint of the database, what other goroutines do in the transaction
// meanwhile is undone with it.
func (tx *Tx) Savepoint(fn func(*Tx) error) error {
	if tx.void() {
		return ErrTxDone
	}
	t := tx.t
	t.mu.Lock()
	if t.done {
		t.mu.Unlock()
		return ErrTxDone
	}
	w := t.worked()
	w.depth++
	mark := len(w.undo)
	t.mu.Unlock()

	kept := false
	defer func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.done {
			return
		}
		for !kept && len(w.undo) > mark { // P2
			last := len(w.undo) - 1
			w.undo[last]()
			w.undo = w.undo[:last]
		}
		if w.depth--; w.depth == 0 {
			w.undo = nil
		}
	}()
	if err := fn(tx); err != nil {
		return err
	}
	kept = true
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
//  2. commit is called, with ctx.
//  3. The caches get new generations and the fence is lifted, whatever commit
//     returned: its outcome may be unknown, and a needless clear is a miss.
//     If the backend cannot be reached any more, this is repeated in the
//     background; the caches stay fenced until it is done.
//  4. If commit returned nil, what was set is published.
//
// The error is that of commit, as it is, or says why commit was not called.
// The transaction is finished in any case. If commit panics, so does
// CommitWith, after step 3. In a read-only transaction, and where nothing was
// cleared, there are just steps 2 and 4.
func (tx *Tx) CommitWith(ctx context.Context, commit func(context.Context) error) error {
	if tx.void() {
		return ErrTxDone
	}
	t := tx.t
	if !t.end() {
		return ErrTxDone
	}
	if commit == nil {
		commit = func(context.Context) error { return nil }
	}
	f := t.fence()
	if f == nil {
		if err := commit(ctx); err != nil {
			return err
		}
		t.publish(ctx, t.db.newest.Load(), "")
		return nil
	}
	newest, err := t.commitClear(ctx, f, commit)
	if err != nil {
		return err
	}
	t.publish(ctx, newest, f.ID)
	return nil
}

// commitClear is steps 1 to 3 of CommitWith. It returns the view after them.
func (t *transaction) commitClear(ctx context.Context, f *backend.Fence, commit func(context.Context) error) (newest *view, err error) {
	a := &t.store.announcer
	if err := a.fence(ctx, t.db, f); err != nil { // P3, P5: before the database shows anything
		return nil, err
	}
	lease := a.keep(ctx, t.db, f)
	defer func() { // also if commit panics
		lease.end()
		newest = a.clear(ctx, t.db, f)
		t.countClears(f)
	}()
	return nil, commit(ctx)
}

// Rollback ends the transaction and forgets what it set and cleared. It answers
// ErrTxDone if the transaction has ended already.
func (tx *Tx) Rollback() error {
	if tx.void() || !tx.t.end() {
		return ErrTxDone
	}
	tx.t.work = nil
	return nil
}

// void reports whether tx is no handle on any transaction.
func (tx *Tx) void() bool { return tx == nil || tx.t == nil }

// end marks the transaction as finished, and reports false if it was. What it
// has set and cleared belongs to the caller then.
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

// ended reports whether the transaction has ended.
func (t *transaction) ended() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.done
}

// worked returns the transaction's work. t.mu is held.
func (t *transaction) worked() *work {
	if t.work == nil {
		t.work = &work{}
	}
	return t.work
}

// record keeps what undoes a change while a savepoint is open.
func (w *work) record(undo func()) {
	if w.depth > 0 {
		w.undo = append(w.undo, undo)
	}
}

// local returns what the transaction holds of c. t.mu is held.
func (t *transaction) local(c *core) *local {
	w := t.worked()
	l := w.caches[c]
	if l == nil {
		l = &local{}
		if w.caches == nil {
			w.caches = map[*core]*local{}
		}
		w.caches[c] = l
		t.touched.Or(c.bit)
	}
	return l
}

// detached reports whether the database was dropped since the transaction began.
func (t *transaction) detached() bool {
	newest := t.db.newest.Load()
	if newest == t.view {
		return newest.gone
	}
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

// clear clears c within the transaction.
func (t *transaction) clear(c *core) error {
	if t.readOnly {
		return ErrReadOnly
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.done {
		return ErrTxDone
	}
	l := t.local(c)
	before := *l
	t.work.record(func() { *l = before })
	*l = local{cleared: true}
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

// publish is step 4 of CommitWith: newest is the view to publish to, warm the
// token of generations that this transaction's own clear has started.
func (t *transaction) publish(ctx context.Context, newest *view, warm backend.Token) {
	w := t.work
	if w == nil || newest == nil {
		return
	}
	var values []backend.Value
	for c, l := range w.caches {
		if l.overlay == nil {
			continue
		}
		g := t.shared(c)
		if l.cleared || w.cleared {
			// P4: the values are the newest only if nobody else has cleared
			// since the transaction began.
			if g = t.db.generation(newest, c); g == nil || !c.warm || g.token() != warm {
				continue
			}
		}
		if g != nil {
			values = l.overlay.publish(t.db.name, g, values)
		}
	}
	t.store.setRemote(ctx, t.db.name, values)
}

func (t *transaction) countClears(f *backend.Fence) {
	for c, l := range t.work.caches {
		if l.cleared && !f.All {
			c.stats.clears.Add(1)
		}
	}
	if f.All {
		for _, c := range t.store.all() {
			c.stats.clears.Add(1)
		}
	}
}
