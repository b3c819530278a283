package near

// maxUses is how many hits count for an entry until the policy spends them.
const maxUses = 3

// A policy chooses which entry makes room. There is none until a map is full,
// which most never are.
//
// It is W-TinyLFU (Einziger, Friedman and Manes, "TinyLFU: A Highly Efficient
// Cache Admission Policy", 2017) made for hits that write nothing but a small
// counter in the entry. New entries pass through a window, first in, first out.
// One that leaves the window used stays; one that leaves it unused stays only
// if it has been wanted more often than the entry it would push out, by the
// sketch. That other entry is found by a hand that goes round the rest, the
// main part, and passes whatever has been used since it last came by.
//
// The length of the window follows what LIRS compares (Jiang and Zhang, "LIRS:
// An Efficient Low Inter-reference Recency Set Replacement Policy", 2002): how
// soon a key comes back, with how long what is kept has gone unused. What the
// hand stops at has gone unused for a round of the hand. A key that comes back
// much sooner than that, after it had to leave, goes into the main part at once,
// and the window grows by one entry; for each that has to leave it shrinks by
// a fraction of one. In a loop longer than the cache no key comes back before
// the hand does, as all of the main part is used meanwhile. So the window stays
// small there, and the main part is hit in each round.
type policy struct {
	size   int
	window window
	target float64 // how many entries the window should hold
	sketch sketch
	ghosts ghosts
	clock  uint32 // counts the entries put in: the policy's measure of time

	slots, stride int
	hand          int    // the slot of the main part that is looked at next
	begun         uint32 // when the hand began its round
	round         uint32 // how long the round before took
	sweeper       int    // the slot that is next looked at for an expired entry
}

const (
	minWindow    = 0.01 // of the size
	maxWindow    = 0.5
	shrink       = 0.1 // by how much the window shrinks for an entry that leaves it for good
	returnFactor = 3   // how many times sooner than the hand a key must come back
	maxSweep     = 4   // how many slots are searched for an expired entry, beyond those of the policy
)

func newPolicy(size, slots int) *policy {
	return &policy{
		size:   size,
		window: newWindow(max(1, int(maxWindow*float64(size))), slots),
		target: minWindow * float64(size),
		sketch: newSketch(size),
		ghosts: make(ghosts, max(1, size/2)),
		slots:  slots,
		stride: strideOf(slots),
	}
}

// bytes returns how much memory the policy takes; p may be nil.
func (p *policy) bytes() int {
	if p == nil {
		return 0
	}
	return 4*len(p.window.ring) + 8*len(p.window.in) + p.sketch.bytes() + 8*len(p.ghosts)
}

// strideOf returns a step that visits each of n slots before it comes back to
// the first, in an order in which what was visited lately is spread evenly (by
// the golden ratio). In the order of the table, free slots would gather behind
// the hand and searches before it would become long.
func strideOf(n int) int {
	stride := int(uint64(n) * 0x9e3779b9 >> 32)
	for gcd(stride, n) != 1 {
		stride++
	}
	return stride
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// added notes that an entry with hash was put into slot.
func (p *policy) added(hash uint32, slot int) {
	p.clock++
	p.sketch.add(hash, 1)
	if left, ok := p.ghosts.recall(hash); ok && p.isSoon(left) {
		p.target = min(p.target+1, maxWindow*float64(p.size))
		return // what is not in the window is in the main part
	}
	if p.window.len == len(p.window.ring) { // others went, not by way of the window
		p.window.pop()
	}
	p.window.push(slot)
}

// isSoon reports whether an entry that is put in now, and left the window at the
// moment left, was away for much less time than the hand takes for a round. The
// way through the window counts too: it began about as long before left as the
// window has entries.
func (p *policy) isSoon(left uint32) bool {
	away := p.clock - left + uint32(p.window.len)
	unused := max(p.round, p.clock-p.begun)
	return returnFactor*away < unused
}

// rejected notes that an entry with hash left the window for good.
func (p *policy) rejected(hash uint32) {
	p.ghosts.remember(hash, p.clock)
	p.target = max(p.target-shrink, minWindow*float64(p.size))
}

// windowSize returns how many entries the window should hold: at least one, so
// that a value that has just been set is found.
func (p *policy) windowSize() int { return max(1, int(p.target)) }

// An eviction is the search for the entry of m that makes room.
type eviction[K comparable, V any] struct {
	*policy
	table *table[K, V]
	count int
	now   int64 // 0 until it is needed
}

// victim returns the slot whose entry makes room for another. The other may come
// into the window, so if that is full, one moves on from there.
func (v *eviction[K, V]) victim() int {
	full := v.window.len >= v.windowSize()
	if slot, ok := v.sweep(); ok {
		if full {
			v.window.pop()
		}
		return slot
	}
	main := v.count - v.window.len
	if !full && main > 0 {
		slot, _ := v.unused()
		return slot
	}
	// One too many may stay: as the target wavers by one, entries would come
	// into the main part without having to prove their worth.
	if v.window.len > v.windowSize()+1 {
		v.window.pop()
		main++
	}
	candidate := v.window.pop()
	e := v.table.slot(candidate).Load()
	if main == 0 || v.expired(e) {
		return candidate
	}
	slot, expired := v.unused()
	uses := e.uses()
	if uses > 0 {
		v.sketch.add(e.hash(), uses)
		e.setUses(0)
	}
	if uses > 0 || expired || v.sketch.count(e.hash()) > v.sketch.count(v.table.slot(slot).Load().hash()) {
		return slot
	}
	v.rejected(e.hash())
	return candidate
}

// unused moves the hand to an entry of the main part that has expired or has
// not been used since the hand last passed it. There must be a main part.
func (v *eviction[K, V]) unused() (slot int, expired bool) {
	for step := 0; ; step++ {
		if e := v.table.slot(v.hand).Load(); e != nil && !v.window.has(v.hand) {
			if v.expired(e) {
				return v.hand, true
			}
			uses := e.uses()
			// Hits that go on meanwhile must not keep the hand going round.
			if uses == 0 || step >= v.slots {
				return v.hand, false
			}
			v.sketch.add(e.hash(), uses)
			e.setUses(0)
		}
		v.hand = (v.hand + v.stride) % v.slots
		if v.hand == 0 {
			v.begun, v.round = v.clock, v.clock-v.begun
		}
	}
}

// sweep looks for an expired entry of the main part in a few slots, others at
// each call.
func (v *eviction[K, V]) sweep() (slot int, ok bool) {
	for range maxSweep {
		slot = v.sweeper
		v.sweeper = (v.sweeper + v.stride) % v.slots
		if e := v.table.slot(slot).Load(); e != nil && v.expired(e) && !v.window.has(slot) {
			return slot, true
		}
	}
	return 0, false
}

func (v *eviction[K, V]) expired(e *Entry[K, V]) bool {
	if e.expires == 0 {
		return false
	}
	if v.now == 0 {
		v.now = Now()
	}
	return v.now >= e.expires
}
