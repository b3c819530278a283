package near

import "sync/atomic"

// An Entry is one key and its value. Once it is in a table nothing in it changes but
// its fill and uses; a new value for the key is a new entry in the same slot.
//
// There are many entries, so one word has all that is short.
type Entry[K comparable, V any] struct {
	key     K
	value   V
	expires int64         // by Now; 0: never
	state   atomic.Uint64 // the fill, then the hash, then the uses, at most maxUses
}

const (
	usesBits  = 2
	usesMask  = 1<<usesBits - 1
	hashBits  = 32
	fillShift = hashBits + usesBits

	// MaxFill is the largest fill, which larger ones become.
	MaxFill = 1<<(64-fillShift) - 1
)

func newEntry[K comparable, V any](key K, hash uint32, value V, expires int64, fill uint64) *Entry[K, V] {
	e := &Entry[K, V]{key: key, value: value, expires: expires}
	e.state.Store(min(fill, MaxFill)<<fillShift | uint64(hash)<<usesBits)
	return e
}

func (e *Entry[K, V]) hash() uint32 { return uint32(e.state.Load() >> usesBits) }

// ExpiredAt reports whether the value has expired at a moment, as Now counts.
func (e *Entry[K, V]) ExpiredAt(at int64) bool { return e.expires != 0 && at >= e.expires }

// Expired reports whether the value has expired. It reads the clock only if the value
// expires at some time.
func (e *Entry[K, V]) Expired() bool { return e.expires != 0 && Now() >= e.expires }

// timed returns 1 if the value expires at some time, else 0.
func (e *Entry[K, V]) timed() uint32 { return uint32(min(e.expires, 1)) }

// Peek returns the value and its expiry, as [Map.Peek].
func (e *Entry[K, V]) Peek() (value V, expires int64, ok bool) {
	if e == nil || e.expires == gone {
		return value, 0, false
	}
	return e.value, e.expires, true
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
