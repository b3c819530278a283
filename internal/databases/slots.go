package databases

import "sync/atomic"

// slots are the contents that one view has resolved, nil for private caches, and the
// marks of their caches, in a hash table by cache id with linear probing. At least one slot is free.
//
// Any number of goroutines may read it while one, which holds the database's mu, adds
// to it. An entry never changes: the id is stored after its contents, and a full table
// is replaced by a larger copy.
type slots struct {
	table []slot // a power of two
	used  int    // guarded by the database's mu
}

type slot struct {
	id       atomic.Uint32 // 0: free
	contents any
	marks    *Marks
}

// noSlots has no room, so nothing is ever added to it.
var noSlots = &slots{table: make([]slot, 1)}

// Resolved returns the contents of the cache with that ID, which are a T, and its marks, as
// [Database.Contents] has returned them for this view: nil for a private cache. It is
// not ok if that was not asked yet. It is generic so that the compiler puts it in
// place in the look-up of a cache; what is not generic it would call, from another
// package.
func Resolved[T any](v *View, id uint32) (contents T, marks *Marks, ok bool) {
	table := v.slots.Load().table
	mask := uint32(len(table) - 1)
	for i := id & mask; ; i = (i + 1) & mask {
		switch s := &table[i]; s.id.Load() {
		case id:
			contents, _ = s.contents.(T)
			return contents, s.marks, true
		case 0:
			return contents, nil, false
		}
	}
}

// keep makes contents and marks those of a cache that v has not resolved yet. The
// database's mu must be held.
func (v *View) keep(id uint32, contents any, marks *Marks) {
	t := v.slots.Load()
	if t.used >= room(len(t.table)) {
		bigger := newSlots(2*t.used + 1)
		for i := range t.table {
			if s := &t.table[i]; s.id.Load() != 0 {
				bigger.put(s.id.Load(), s.contents, s.marks)
			}
		}
		bigger.put(id, contents, marks)
		v.slots.Store(bigger)
		return
	}
	t.put(id, contents, marks)
}

// room returns how many slots of a table of that size may be used.
func room(size int) int { return size * 2 / 3 }

// newSlots returns an empty table with room for n.
func newSlots(n int) *slots {
	size := 1
	for room(size) < n {
		size *= 2
	}
	return &slots{table: make([]slot, size)}
}

// put adds a cache that is not there; there must be room.
func (t *slots) put(id uint32, contents any, marks *Marks) {
	mask := uint32(len(t.table) - 1)
	i := id & mask
	for t.table[i].id.Load() != 0 {
		i = (i + 1) & mask
	}
	t.table[i].contents, t.table[i].marks = contents, marks
	t.table[i].id.Store(id)
	t.used++
}
