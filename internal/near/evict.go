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
// The length of the window weighs two things that are seen on a miss: how soon keys
// come back that had to leave, which a longer window would have kept; and how often the
// entry with the least claim to the main part, which a longer window would push out, is
// used all the same. Neither needs a count of the hits. In a loop longer than the cache
// no key comes back before the entries of the main part are used. So the window stays
// small there, and the main part is hit in each round.
type policy struct {
	size   int
	window window
	target float64 // how many entries the window should hold
	sketch sketch
	ghosts ghosts
	clock  uint32 // counts the entries put in: the policy's measure of time

	slots, stride int
	hand          int  // the slot of the main part that is looked at next
	spared        bool // the entry there was unused, and stayed because its key was wanted more often

	// waits counts the entries put in while a spared entry stayed, and saves how many
	// times such an entry was used then. Both are halved from time to time.
	waits, saves int

	sweeper int // the slot that is next looked at for an expired entry
}

// The lengths are shares of the size.
const (
	startWindow = 0.01
	minWindow   = 0.005
	maxWindow   = 0.8

	// A key that comes back after less than soon, in entries put in, lengthens the
	// window by grow entries. One that comes back later needs a window so much longer;
	// it lengthens the window by far entries times soon for each entry put in meanwhile.
	// A save shortens the window by shrink: by nearly as much as the keys lengthen it
	// that would come back if an entry of the window were used as often.
	soon   = 0.1
	grow   = 0.8
	far    = 0.25
	shrink = 0.07

	returnFactor = 2 // how many times sooner than the next save a key must come back
	maxRounds    = 2 // of the hand, after which an entry has no uses left
	maxSweep     = 4 // how many slots are searched for an expired entry, beyond those of the policy
)

func newPolicy(size, slots int) *policy {
	return &policy{
		size:   size,
		window: newWindow(max(1, int(maxWindow*float64(size))), slots),
		target: startWindow * float64(size),
		sketch: newSketch(size),
		ghosts: make(ghosts, max(1, size/3)),
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
	if left, ok := p.ghosts.recall(hash); ok {
		away := int(p.clock - left)
		p.returned(away)
		// The way through the window counts too: it began about as long before as the
		// window has entries.
		if p.isSooner(away + p.window.len) {
			return // what is not in the window is in the main part
		}
	}
	p.window.push(slot)
}

// returned notes that a key came back that had left the window for good, so many entries
// before.
func (p *policy) returned(away int) {
	n := grow
	if near := max(1, soon*float64(p.size)); float64(away) > near {
		n = far * near / float64(away)
	}
	p.resize(n)
}

// waited notes that the spared entry stayed while another was put in, and whether it was
// used meanwhile.
func (p *policy) waited(used bool) {
	p.spared = false
	p.waits++
	if used {
		p.saves++
		p.resize(-max(shrink/soon, shrink*float64(p.size)))
	}
	if p.waits > 2*p.size {
		p.waits /= 2
		p.saves /= 2
	}
}

// isSooner reports whether a key that was away for a time will be wanted sooner than a
// spared entry, as far as is known. Before anything is known, a spared entry is taken to
// be used once while as many are put in as there is room for.
func (p *policy) isSooner(away int) bool {
	return returnFactor*away*(4*p.saves+1) < 4*p.waits+p.size
}

// resize makes the window longer by n entries.
func (p *policy) resize(n float64) {
	size := float64(p.size)
	p.target = min(max(p.target+n, minWindow*size), maxWindow*size)
}

// windowSize returns how many entries the window should hold: at least one, so
// that a value that has just been set is found.
func (p *policy) windowSize() int { return max(1, int(p.target)) }

// An eviction is the search for the entry of m that makes room.
type eviction[K comparable, V any] struct {
	*policy
	table *table[K, V]
	count int
	timed bool  // there are entries that expire
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
	v.spared = true
	v.ghosts.remember(e.hash(), v.clock)
	return candidate
}

// unused moves the hand to an entry of the main part that has expired or has not been
// used since the hand last passed it, or, if it had all the uses that count, in two
// rounds. There must be a main part.
func (v *eviction[K, V]) unused() (slot int, expired bool) {
	if v.spared {
		e := v.table.slot(v.hand).Load()
		v.waited(e != nil && !v.window.has(v.hand) && e.uses() > 0)
	}
	for step := 0; ; step++ {
		if e := v.table.slot(v.hand).Load(); e != nil && !v.window.has(v.hand) {
			if v.expired(e) {
				return v.hand, true
			}
			uses := e.uses()
			// Hits that go on meanwhile must not keep the hand going round.
			if uses == 0 || step >= maxRounds*v.slots {
				return v.hand, false
			}
			left := uses / maxUses
			v.sketch.add(e.hash(), uses-left)
			e.setUses(left)
		}
		v.hand = (v.hand + v.stride) % v.slots
	}
}

// sweep looks for an expired entry of the main part in a few slots, others at
// each call, if any entry expires.
func (v *eviction[K, V]) sweep() (slot int, ok bool) {
	if !v.timed {
		return 0, false
	}
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
