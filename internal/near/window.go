package near

// A window is a queue of slots, first in, first out.
type window struct {
	ring  []uint32
	first int
	len   int
	in    []uint64 // a bit a slot: whether it is in the queue
}

func newWindow(capacity, slots int) window {
	return window{ring: make([]uint32, capacity), in: make([]uint64, slots/64+1)}
}

func (w *window) has(slot int) bool { return w.in[slot/64]>>(slot%64)&1 != 0 }

// push puts slot at the end; there must be room.
func (w *window) push(slot int) {
	w.ring[(w.first+w.len)%len(w.ring)] = uint32(slot)
	w.len++
	w.in[slot/64] |= 1 << (slot % 64)
}

// pop takes the slot that has been in the window longest.
func (w *window) pop() int {
	slot := int(w.ring[w.first])
	w.first = (w.first + 1) % len(w.ring)
	w.len--
	w.in[slot/64] &^= 1 << (slot % 64)
	return slot
}
