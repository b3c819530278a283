package codec

import (
	"bytes"
	"slices"
	"sync"

	"github.com/vmihailenco/msgpack/v5"
)

const (
	// maxDepth bounds how deep values nest: far above what is meant to be
	// nested, far below what a stack holds.
	maxDepth = 1000

	// keptCapacity is the largest buffer that an idle encoder holds on to.
	keptCapacity = 64 << 10
)

// maxSize bounds an encoded value to what Redis takes. Without a bound, a value
// that reaches itself along many paths would be encoded for ever. It also keeps every
// length within the 32 bits that MessagePack has for it.
var maxSize = 512 << 20

// An encoder is the state of one Append. It is the writer of its own pack.
type encoder struct {
	pack    *msgpack.Encoder
	out     []byte
	limit   int // of len(out)
	depth   int
	keys    int        // how many keys of maps, one in another, are being encoded
	entries []mapEntry // of the maps being encoded, the innermost last
	scratch []byte
	buffer  []byte // for an output that is copied

	instants bool // times are instants, wherever they are
}

// A mapEntry is where a map's key and value are in the output.
type mapEntry struct{ key, value, end int }

var encoders = sync.Pool{New: func() any {
	e := new(encoder)
	e.pack = msgpack.NewEncoder(e)
	return e
}}

func newEncoder(dst []byte) *encoder {
	e := encoders.Get().(*encoder)
	e.out, e.limit, e.depth, e.keys, e.instants = dst, len(dst)+maxSize, 0, 0, false
	return e
}

func (e *encoder) release() {
	e.out = nil
	e.entries = e.entries[:0]
	if cap(e.scratch) > keptCapacity {
		e.scratch = nil
	}
	if cap(e.buffer) > keptCapacity {
		e.buffer = nil
	}
	if cap(e.entries) > keptCapacity/32 {
		e.entries = nil
	}
	encoders.Put(e)
}

// Write implements io.Writer for pack.
func (e *encoder) Write(b []byte) (int, error) {
	if len(b) > e.limit-len(e.out) {
		return 0, unsupported("more than %d bytes", maxSize)
	}
	e.out = append(e.out, b...)
	return len(b), nil
}

// WriteString is Write for a string.
func (e *encoder) WriteString(s string) (int, error) {
	if len(s) > e.limit-len(e.out) {
		return 0, unsupported("more than %d bytes", maxSize)
	}
	e.out = append(e.out, s...)
	return len(s), nil
}

// WriteByte implements io.ByteWriter for pack.
func (e *encoder) WriteByte(b byte) error {
	if len(e.out) >= e.limit {
		return unsupported("more than %d bytes", maxSize)
	}
	e.out = append(e.out, b)
	return nil
}

func (e *encoder) enter() error {
	if e.depth++; e.depth > maxDepth {
		return unsupported("nested deeper than %d levels, or cyclic", maxDepth)
	}
	return nil
}

func (e *encoder) leave() { e.depth-- }

// sortEntries brings the entries from base on, which are the tail of the
// output, in the order of their keys. It reports whether no key is there twice.
func (e *encoder) sortEntries(base int) bool {
	entries := e.entries[base:]
	if len(entries) < 2 {
		return true
	}
	compare := func(a, b mapEntry) int {
		return bytes.Compare(e.out[a.key:a.value], e.out[b.key:b.value])
	}
	start := entries[0].key
	if !slices.IsSortedFunc(entries, compare) {
		slices.SortFunc(entries, compare)
		e.scratch = append(e.scratch[:0], e.out[start:]...)
		out := e.out[:start]
		for i, n := range entries {
			shift := len(out) - n.key
			out = append(out, e.scratch[n.key-start:n.end-start]...)
			entries[i] = mapEntry{n.key + shift, n.value + shift, n.end + shift}
		}
	}
	for i := range entries[1:] {
		if compare(entries[i], entries[i+1]) == 0 {
			return false
		}
	}
	return true
}
