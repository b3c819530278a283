package near

import (
	"math/bits"
	"sync/atomic"
	"unsafe"
)

// slotsPerBucket makes a bucket the size of a cache line.
const slotsPerBucket = 7

// A bucket holds up to seven entries. Byte i of meta is the tag of slot i, a
// byte of its entry's hash, or 0 if the slot is free. The highest byte counts
// the entries that belong here or before but found this bucket full and live
// further on; a search may end at a bucket where it is 0.
type bucket[K comparable, V any] struct {
	meta  atomic.Uint64
	slots [slotsPerBucket]atomic.Pointer[Entry[K, V]]
}

// A table is a hash table of fixed size with linear probing over its buckets,
// after F14 (Bronson and Shi, "Open-sourcing F14", 2019): because each bucket
// counts the entries that passed it by, removal leaves no tombstone behind and
// no entry ever moves.
//
// Any number of goroutines may search it while one, which holds the map's
// lock, changes it.
type table[K comparable, V any] struct {
	buckets []bucket[K, V]
	weights *[]weight // of the entries, by slot; nil: all are 0
}

func newTable[K comparable, V any](buckets int) *table[K, V] {
	return &table[K, V]{buckets: make([]bucket[K, V], buckets)}
}

// bucketsFor returns how many buckets a table needs for n entries, the largest
// int included: six of them take a bucket, and the first has room for a seventh.
func bucketsFor(n int) int { return max(1, n/6+(n%6+4)/6) }

// limit returns how many entries the table takes. One slot in seven stays free,
// to keep searches short; a table of a single bucket has no search to shorten.
func (t *table[K, V]) limit() int { return 6*len(t.buckets) + 1 }

// home returns the index of the bucket at which the search for hash begins. It
// depends on the high bits of hash, the tag on the low ones. (Lemire, "Fast
// Random Integer Generation in an Interval", 2019.)
func (t *table[K, V]) home(hash uint32) int {
	return int(uint64(hash) * uint64(len(t.buckets)) >> 32)
}

// next returns the index of the bucket after i.
func (t *table[K, V]) next(i int) int {
	if i++; i < len(t.buckets) {
		return i
	}
	return 0
}

const (
	lowBits  = 0x0001_0101_0101_0101 // the lowest bit of each slot's byte
	highBits = 0x0080_8080_8080_8080 // the highest
	passed   = 56                    // the shift of the count of entries that passed by
)

// tagOf returns the tag of an entry with hash: never 0. It is generic, as matches is, so that the compiler
// puts it in place in a search; what is not generic it would call, from another package.
func tagOf[H ~uint32](hash H) uint64 { return max(1, uint64(hash&0xff)) }

// matches returns a word with the highest bit of byte i set if slot i has tag.
// Bits above a true match may be set wrongly: the caller must compare keys.
func matches[W ~uint64](meta, tag W) W {
	x := meta ^ tag*lowBits
	return (x - lowBits) &^ x & highBits
}

// search returns the entry of key and the slot in which it is, or nil. t may be nil.
func (t *table[K, V]) search(key K, hash uint32) (*Entry[K, V], *atomic.Pointer[Entry[K, V]]) {
	if t == nil {
		return nil, nil
	}
	i, tag := t.home(hash), tagOf(hash)
	for range t.buckets {
		b := &t.buckets[i]
		meta := b.meta.Load()
		for m := matches(meta, tag); m != 0; m &= m - 1 {
			slot := &b.slots[bits.TrailingZeros64(m)/8]
			// Nil if it has just been removed.
			if e := slot.Load(); e != nil && e.key == key {
				return e, slot
			}
		}
		if meta>>passed == 0 {
			break
		}
		i = t.next(i)
	}
	return nil, nil
}

// resized returns a table of that many buckets with the entries of t.
func (t *table[K, V]) resized(buckets int) *table[K, V] {
	other := newTable[K, V](buckets)
	for number := range t.slots() {
		if e := t.slot(number).Load(); e != nil {
			other.setWeight(other.insert(e), t.weight(number))
		}
	}
	return other
}

// bytes returns how much memory the table takes without its entries; t may be nil.
func (t *table[K, V]) bytes() int {
	if t == nil {
		return 0
	}
	bytes := int(unsafe.Sizeof(*t)) + len(t.buckets)*int(unsafe.Sizeof(bucket[K, V]{}))
	if t.weights != nil {
		bytes += t.slots() * int(unsafe.Sizeof(weight(0)))
	}
	return bytes
}

// number returns the number of a slot, which has an entry with hash.
func (t *table[K, V]) number(slot *atomic.Pointer[Entry[K, V]], hash uint32) int {
	for i := t.home(hash); ; i = t.next(i) {
		for s := range t.buckets[i].slots {
			if &t.buckets[i].slots[s] == slot {
				return i*slotsPerBucket + s
			}
		}
	}
}

// slot returns the slot with the given number.
func (t *table[K, V]) slot(number int) *atomic.Pointer[Entry[K, V]] {
	return &t.buckets[number/slotsPerBucket].slots[number%slotsPerBucket]
}

// slots returns how many slots there are, free ones included.
func (t *table[K, V]) slots() int { return len(t.buckets) * slotsPerBucket }

// insert puts e, whose key is not in the table, into a free slot and returns
// its number. There must be one.
func (t *table[K, V]) insert(e *Entry[K, V]) int {
	i := t.home(e.hash())
	for {
		b := &t.buckets[i]
		meta := b.meta.Load()
		if m := matches(meta, 0); m != 0 {
			s := bits.TrailingZeros64(m) / 8
			b.slots[s].Store(e)
			b.meta.Store(meta | tagOf(e.hash())<<(8*s))
			return i*slotsPerBucket + s
		}
		if count := meta >> passed; count < 0xff {
			b.meta.Store(meta + 1<<passed)
		}
		i = t.next(i)
	}
}

// remove empties the slot with the given number, which must be taken.
func (t *table[K, V]) remove(number int) {
	last, s := number/slotsPerBucket, number%slotsPerBucket
	b := &t.buckets[last]
	e := b.slots[s].Load()
	b.meta.Store(b.meta.Load() &^ (0xff << (8 * s)))
	b.slots[s].Store(nil)
	for i := t.home(e.hash()); i != last; i = t.next(i) {
		// A count that has reached its end is not known any more, and stays.
		meta := &t.buckets[i].meta
		if word := meta.Load(); word>>passed < 0xff {
			meta.Store(word - 1<<passed)
		}
	}
}
