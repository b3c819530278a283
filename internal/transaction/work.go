package transaction

import (
	"maps"
	"slices"
	"time"
)

// A work is what a transaction has done. A transaction that has only read what was
// cached has none.
type work struct {
	syncedAt time.Time        // 0 until SyncedAt is called
	unsent   int              // how many values were set since the last flush
	cleared  bool             // by ClearAll
	tags     cutKeys          // those cleared
	changed  []changed        // tables that were named
	refused  error            // what the commit must return because a clear was refused; nil: none was
	caches   map[*Core]*local // those set or cleared
	around   []*Transaction   // see AddAround

	// What was done while savepoints were open, oldest first. Numbers are never
	// reused. So savepoints of several goroutines, which may overlap, undo exactly
	// what was done after they began.
	savepoints int // that are open
	undo       []step
	undoSize   int    // about how many values the steps of undo keep
	undoLimit  int    // the undoSize from which on record compares it with the number of values
	steps      uint64 // the number of the last step
	savedAt    uint64 // the number of the last step before the latest savepoint

	// A cut is a clear, a delete, or the undo of a savepoint. A value
	// whose load began before a cut is not kept after it: the load may have read
	// what was there before a change, or what was undone.
	cuts    uint64 // how many there were
	lastCut uint64 // the number of the last one that concerned all caches
}

// cutKeys are the keys of a cache that were deleted, or the tags that were cleared, by
// their hashes, each with the number of its last cut. What was set before that is gone.
type cutKeys map[uint64]uint64

// cut adds a cut of the keys with those hashes to those of all.
func (w *work) cut(all *cutKeys, hashes []uint64) {
	w.cuts++
	before := make([]uint64, len(hashes)) // 0: none
	for i, h := range hashes {
		before[i] = (*all)[h]
		(*all)[h] = w.cuts
	}
	w.record(len(hashes), func() {
		for i, h := range slices.Backward(hashes) { // one may be there twice
			if before[i] == 0 {
				delete(*all, h)
			} else {
				(*all)[h] = before[i]
			}
		}
	})
}

// since reports whether any of the keys with those hashes was cut since there were so
// many cuts.
func (k cutKeys) since(cuts uint64, hashes ...uint64) bool {
	return len(k) > 0 && slices.ContainsFunc(hashes, func(h uint64) bool { return k[h] > cuts })
}

// any reports whether a key was cut since there were so many cuts.
func (k cutKeys) any(cuts uint64) bool {
	for _, cut := range k {
		if cut > cuts {
			return true
		}
	}
	return false
}

// hashes returns the hashes, sorted.
func (k cutKeys) hashes() []uint64 { return slices.Sorted(maps.Keys(k)) }

// A step is one change, with the function that undoes it.
type step struct {
	number uint64
	size   int // how many values it keeps
	undo   func()
}

// A local is what a transaction holds of one cache.
type local struct {
	overlay any // nil if nothing was set; only its cache knows its type
	cleared bool
	deleted cutKeys
	afresh  bool   // the transaction reads nothing that others have set
	cut     uint64 // the number of the last cut that concerned this cache alone
}

// worked returns the transaction's work. t.mu must be held.
func (t *Transaction) worked() *work {
	if t.work == nil {
		t.work = &work{}
	}
	return t.work
}

// InSavepoint reports whether a savepoint is open: what is set meanwhile may be undone,
// and no other transaction may see it until the savepoint has ended.
func (t *Transaction) InSavepoint() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.work != nil && t.work.savepoints > 0
}

// minUndo is how many values the undo log may always keep, however few values the
// transaction has.
const minUndo = 10_000

// record keeps the function that undoes a change while a savepoint is open; size is how
// many values it keeps. If the steps keep far more values than the transaction has, as
// values were overwritten or dropped again and again, one step that drops all values
// replaces them: an undo then costs misses, and clears are kept. // P10
func (w *work) record(size int, undo func()) {
	if w.savepoints == 0 {
		return
	}
	w.steps++
	w.undo = append(w.undo, step{w.steps, size + 1, undo})
	if w.undoSize += size + 1; w.undoSize <= max(w.undoLimit, minUndo) {
		return
	}
	if w.undoLimit = minUndo + 2*w.values(); w.undoSize > w.undoLimit {
		w.undo, w.undoSize, w.undoLimit = []step{{w.steps, 1, w.lose}}, 1, 0
	}
}

// undone undoes the last step, and removes it.
func (w *work) undone() {
	last := &w.undo[len(w.undo)-1]
	last.undo()
	w.undoSize -= last.size
	*last = step{}
	w.undo = w.undo[:len(w.undo)-1]
}

// values returns how many values the transaction has.
func (w *work) values() (n int) {
	for c, l := range w.caches {
		n += l.size(c)
	}
	return n
}

// lose drops all that the transaction has set. A value of another transaction may be
// older than a dropped one, so the transaction reads none of them any more. // P1, P2
func (w *work) lose() {
	for c, l := range w.caches {
		if l.overlay != nil {
			c.types.lose(l.overlay)
		}
	}
}

// size returns how many values the transaction has set in the cache c.
func (l *local) size(c *Core) int {
	if l.overlay == nil {
		return 0
	}
	return c.types.count(l.overlay)
}

// Cuts returns how many cuts there have been.
func (t *Transaction) Cuts() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.work == nil {
		return 0
	}
	return t.work.cuts
}

// cutSince reports whether a cut that concerns c has happened since there were so many
// cuts. t.mu must be held.
func (t *Transaction) cutSince(cuts uint64, c *Core) bool {
	w := t.work
	if w == nil || w.cuts == cuts {
		return false
	}
	l := w.caches[c]
	return w.lastCut > cuts || l != nil && l.cut > cuts
}

// cutAll records a cut that concerns all caches.
func (w *work) cutAll() {
	w.cuts++
	w.lastCut = w.cuts
}

// local returns what the transaction holds of c. t.mu must be held.
func (t *Transaction) local(c *Core) *local {
	w := t.worked()
	l := w.caches[c]
	if l == nil {
		l = &local{}
		if w.caches == nil {
			w.caches = map[*Core]*local{}
		}
		w.caches[c] = l
		t.touched.Or(c.bit)
	}
	return l
}
