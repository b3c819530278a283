package transaction

import "time"

// A work is what a transaction has done. Those that only read have none.
type work struct {
	syncedAt time.Time        // once it was asked for
	unsent   int              // how many values were set since flush has sent some
	cleared  bool             // by ClearAll
	refused  error            // of the commit, as a clear was refused; nil: none was
	caches   map[*Core]*local // those set or cleared
	around   []*Transaction   // see AddAround

	// What was done while savepoints were open, oldest first. No number is given
	// twice, so that savepoints of several goroutines, which may overlap, undo
	// what came after they began, and nothing else.
	savepoints int // that are open
	undo       []step
	undoSize   int    // how many values the steps of undo keep, about
	undoLimit  int    // from which on that is compared with what there is
	steps      uint64 // the number of the last step
	mark       uint64 // the number of the last step before the latest savepoint

	// A cut is a clear, a clear of all caches or the undo of a savepoint. What a
	// goroutine began to load before a cut is not kept after it: it may have been
	// read before a change of the transaction's own, or may show one that was
	// undone.
	cuts uint64 // how many there were
	cut  uint64 // the number of the last one that concerned all caches
}

// A step is one change, and how to undo it.
type step struct {
	number uint64
	size   int // how many values it keeps
	undo   func()
}

// A local is what a transaction holds of one cache.
type local struct {
	overlay any // nil if nothing was set; its cache knows what it is
	cleared bool
	afresh  bool   // nothing that others have set is read
	cut     uint64 // the number of the last cut that concerned this cache alone
}

// worked returns the transaction's work. t.mu is held.
func (t *Transaction) worked() *work {
	if t.work == nil {
		t.work = &work{}
	}
	return t.work
}

// InSavepoint reports whether a savepoint is open: what is set meanwhile may be
// undone, and is nobody else's until then.
func (t *Transaction) InSavepoint() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.work != nil && t.work.savepoints > 0
}

// minUndo is how many values may be kept for undoing, however few there are.
const minUndo = 10_000

// record keeps what undoes a change while a savepoint is open; size is how many
// values that are. Where steps keep far more than there is, as values have had to
// make room for others again and again, they are given up: to undo is then to
// forget all that was set, which is a miss, and to clear what was cleared. // P10
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

// undone carries out and removes the last step.
func (w *work) undone() {
	last := &w.undo[len(w.undo)-1]
	last.undo()
	w.undoSize -= last.size
	*last = step{}
	w.undo = w.undo[:len(w.undo)-1]
}

// values returns how many values there are.
func (w *work) values() (n int) {
	for c, l := range w.caches {
		n += l.size(c)
	}
	return n
}

// lose forgets all that was set. It is no longer known what others may have set
// before, so that nothing of theirs is read either. // P1, P2
func (w *work) lose() {
	for c, l := range w.caches {
		if l.overlay != nil {
			c.types.lose(l.overlay)
		}
	}
}

// size is how many values the transaction has set in the cache c.
func (l *local) size(c *Core) int {
	if l.overlay == nil {
		return 0
	}
	return c.types.count(l.overlay)
}

// Cuts returns how many cuts there were.
func (t *Transaction) Cuts() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.work == nil {
		return 0
	}
	return t.work.cuts
}

// cutSince reports whether there was a cut that concerned c since there had been
// so many. t.mu is held.
func (t *Transaction) cutSince(cuts uint64, c *Core) bool {
	w := t.work
	if w == nil || w.cuts == cuts {
		return false
	}
	l := w.caches[c]
	return w.cut > cuts || l != nil && l.cut > cuts
}

// cutAll notes a cut that concerns all caches.
func (w *work) cutAll() {
	w.cuts++
	w.cut = w.cuts
}

// local returns what the transaction holds of c. t.mu is held.
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
