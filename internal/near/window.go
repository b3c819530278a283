package near

// A window is a queue of slots, first in, first out. A slot may also be dropped: then its
// place in the ring is passed over.
type window struct {
	ring   []uint32
	first  int
	queued int      // places that are taken, those of dropped slots included
	len    int      // slots in the queue
	in     []uint64 // a bit a slot: whether it is in the queue
}

func newWindow(capacity, slots int) window {
	return window{ring: make([]uint32, capacity), in: make([]uint64, slots/64+1)}
}

func (w *window) has(slot int) bool { return w.in[slot/64]>>(slot%64)&1 != 0 }

// push puts slot at the end. If there is no room, the first slot leaves the queue.
func (w *window) push(slot int) {
	if w.queued == len(w.ring) {
		if w.len == w.queued {
			w.pop()
		} else {
			w.compact()
		}
	}
	w.ring[(w.first+w.queued)%len(w.ring)] = uint32(slot)
	w.queued++
	w.len++
	w.in[slot/64] |= 1 << (slot % 64)
}

// pop takes the slot that has been in the window longest; there must be one.
func (w *window) pop() int {
	for {
		slot := int(w.ring[w.first])
		w.first = (w.first + 1) % len(w.ring)
		w.queued--
		if w.has(slot) {
			w.drop(slot)
			return slot
		}
	}
}

// drop takes slot, which is in the window, out of it.
func (w *window) drop(slot int) {
	w.len--
	w.in[slot/64] &^= 1 << (slot % 64)
}

// compact gives the places of dropped slots back. A slot that came again has two places: it
// keeps the first.
func (w *window) compact() {
	kept := make([]uint32, 0, len(w.ring))
	for w.len > 0 {
		kept = append(kept, uint32(w.pop()))
	}
	w.first, w.queued = 0, 0
	for _, slot := range kept {
		w.push(int(slot))
	}
}
