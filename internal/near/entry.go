package near

import "sync/atomic"

// An Entry is one key and its value. Once it is in a table nothing in it changes but
// its fill and uses; a new value for the key is a new entry in the same slot.
//
// There are many entries, so that two words have all that belongs to a value: the
// expiry, the hash of the key, the fill, and the hits that the policy has not spent.
type Entry[K comparable, V any] struct {
	key   K
	value V
	limit uint64        // the expiry in units of 2 µs, 52 bits; the high 12 bits of the hash
	state atomic.Uint64 // the fill, 42 bits; the low 20 bits of the hash; the uses, 2 bits, at most maxUses
}

const (
	lowHash   = 20 // bits of the hash in state, above the uses
	highHash  = 32 - lowHash
	usesBits  = 2
	usesMask  = 1<<usesBits - 1
	fillShift = lowHash + usesBits
	// MaxFill is the largest fill, which larger ones become. A thousand changes a second
	// count up to it in a century.
	MaxFill = 1<<(64-fillShift) - 1
	unit    = 1 << (highHash - 1) // of an expiry, in nanoseconds
)

func newEntry[K comparable, V any](key K, hash uint32, value V, expires int64, fill uint64) *Entry[K, V] {
	e := &Entry[K, V]{key: key, value: value, limit: uint64(hash >> lowHash)}
	if expires != 0 {
		e.limit |= uint64(max(unit, expires)&^(unit-1)) << 1
	}
	e.state.Store(min(fill, MaxFill)<<fillShift | uint64(hash&(1<<lowHash-1))<<usesBits)
	return e
}

func (e *Entry[K, V]) hash() uint32 {
	return uint32(e.limit)<<lowHash | uint32(e.state.Load()>>usesBits)&(1<<lowHash-1)
}

// expires returns the expiry, by Now; 0: never.
func (e *Entry[K, V]) expires() int64 { return int64(e.limit >> highHash << (highHash - 1)) }

// ExpiredAt reports whether the value has expired at a moment, as Now counts.
func (e *Entry[K, V]) ExpiredAt(at int64) bool { return e.limit >= 1<<highHash && at >= e.expires() }

// Expired reports whether the value has expired. It reads the clock only if the value
// expires at some time.
func (e *Entry[K, V]) Expired() bool { return e.limit >= 1<<highHash && Now() >= e.expires() }

// Peek returns the value and its expiry, as [Map.Peek].
func (e *Entry[K, V]) Peek() (value V, expires int64, ok bool) {
	if e == nil || e.expires() == gone {
		return value, 0, false
	}
	return e.value, e.expires(), true
}

// Fill returns the number that Set or Raise was given with the value.
func (e *Entry[K, V]) Fill() uint64 { return e.state.Load() >> fillShift }

// Raise makes fill the fill of the value, if that is lower. A Use at the same moment
// may undo it.
func (e *Entry[K, V]) Raise(fill uint64) {
	fill = min(fill, MaxFill)
	for old := e.state.Load(); old>>fillShift < fill; old = e.state.Load() {
		if e.state.CompareAndSwap(old, fill<<fillShift|old&(1<<fillShift-1)) {
			return
		}
	}
}

// Use returns the value, for a hit.
func (e *Entry[K, V]) Use() V {
	// Many goroutines that hit one key must not write to it each time.
	if state := e.state.Load(); state&usesMask < maxUses {
		e.state.Store(state + 1)
	}
	return e.value
}

func (e *Entry[K, V]) uses() uint32 { return uint32(e.state.Load() & usesMask) }

// setUses sets the uses, which the policy has spent or another entry had.
func (e *Entry[K, V]) setUses(uses uint32) {
	e.state.Store(e.state.Load()&^usesMask | uint64(uses))
}
