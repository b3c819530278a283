package canon

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"math"
	"net/netip"
	"reflect"
	"slices"
	"sync"
	"time"
	"unsafe"
)

const (
	// maxDepth is how deeply a value may be nested, every pointer, interface,
	// element and field counted. It also ends the walk around a cycle.
	maxDepth = 200

	// maxFrozen is how many bytes the encoding of a value of a context may
	// take. It also ends the walk through pointers that share what they point
	// to, which takes exponential time.
	maxFrozen = 1 << 20
)

// An encoder writes values one after the other. Its methods return false, and
// the encoding is then of no use, if a value has no canonical form.
type encoder struct {
	buf   []byte
	depth int
	limit int // of len(buf); exceeded by a few bytes at most
}

func newEncoder() *encoder { return &encoder{limit: math.MaxInt} }

// encoders are those of contexts, which are made with every request.
var encoders = sync.Pool{New: func() any { return &encoder{buf: make([]byte, 0, 256)} }}

// borrowed returns an encoder, with that limit, which must be given back.
func borrowed(limit int) *encoder {
	e := encoders.Get().(*encoder)
	e.buf, e.depth, e.limit = e.buf[:0], 0, limit
	return e
}

func (e *encoder) giveBack() {
	if cap(e.buf) <= 4096 { // the odd large one is not kept
		encoders.Put(e)
	}
}

// typed writes the type of v, then v.
func (e *encoder) typed(v reflect.Value) bool {
	id, ok := typeID(v.Type())
	return ok && e.string(id) && e.value(v)
}

// value writes v. It must not have been read from an unexported field.
func (e *encoder) value(v reflect.Value) bool {
	if e.depth > maxDepth || len(e.buf) > e.limit {
		return false
	}
	e.depth++
	defer func() { e.depth-- }()

	switch v.Kind() {
	case reflect.Bool:
		e.bool(v.Bool())
		return true
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		e.uint64(uint64(v.Int()))
		return true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		e.uint64(v.Uint())
		return true
	case reflect.Float32, reflect.Float64:
		return e.float(v.Float())
	case reflect.Complex64, reflect.Complex128:
		return e.float(real(v.Complex())) && e.float(imag(v.Complex()))
	case reflect.String:
		return e.string(v.String())
	case reflect.Array:
		return e.elements(v)
	case reflect.Struct:
		return e.structure(v)
	case reflect.Slice:
		return !e.present(v) || e.length(v.Len()) && e.elements(v)
	case reflect.Map:
		return !e.present(v) || e.length(v.Len()) && e.entries(v)
	case reflect.Pointer:
		return !e.present(v) || e.value(v.Elem())
	case reflect.Interface:
		return !e.present(v) || e.typed(v.Elem())
	case reflect.Func, reflect.Chan, reflect.UnsafePointer:
		return !e.present(v)
	default: // uintptr
		return false
	}
}

// present writes and returns whether v is not nil.
func (e *encoder) present(v reflect.Value) bool {
	e.bool(!v.IsNil())
	return !v.IsNil()
}

func (e *encoder) bool(b bool) {
	if b {
		e.buf = append(e.buf, 1)
	} else {
		e.buf = append(e.buf, 0)
	}
}

func (e *encoder) uint64(u uint64) { e.buf = binary.BigEndian.AppendUint64(e.buf, u) }

func (e *encoder) float(f float64) bool {
	e.uint64(math.Float64bits(unsigned(f)))
	return !math.IsNaN(f)
}

func (e *encoder) length(n int) bool {
	e.buf = binary.AppendUvarint(e.buf, uint64(n))
	return true
}

func (e *encoder) string(s string) bool {
	if len(s) > e.limit-len(e.buf) {
		return false
	}
	e.length(len(s))
	e.buf = append(e.buf, s...)
	return true
}

// elements writes those of an array or slice, whose number is known.
func (e *encoder) elements(v reflect.Value) bool {
	if v.Type().Elem().Size() == 0 {
		return true // they cannot differ, however many there are
	}
	if v.Type().Elem().Kind() == reflect.Uint8 {
		if v.Len() > e.limit-len(e.buf) {
			return false
		}
		if v.Kind() == reflect.Slice || v.CanAddr() {
			e.buf = append(e.buf, v.Bytes()...)
			return true
		}
		for i := range v.Len() {
			e.buf = append(e.buf, byte(v.Index(i).Uint()))
		}
		return true
	}
	for i := range v.Len() {
		if !e.value(v.Index(i)) {
			return false
		}
	}
	return true
}

// entries writes those of a map, sorted by their encoded keys. These must be
// stable: two pointers, say, may be two keys and point to the same.
func (e *encoder) entries(v reflect.Value) bool {
	type entry struct{ start, key, end int }
	part := encoder{depth: e.depth, limit: e.limit - len(e.buf)}
	entries := make([]entry, 0, min(v.Len(), 64))
	for i := v.MapRange(); i.Next(); {
		start := len(part.buf)
		if !isStable(i.Key(), 0) || !part.value(i.Key()) {
			return false
		}
		key := len(part.buf)
		if !part.value(i.Value()) {
			return false
		}
		entries = append(entries, entry{start, key, len(part.buf)})
	}
	slices.SortFunc(entries, func(a, b entry) int {
		return bytes.Compare(part.buf[a.start:a.key], part.buf[b.start:b.key])
	})
	for _, x := range entries {
		e.buf = append(e.buf, part.buf[x.start:x.end]...)
	}
	return true
}

// structure writes the fields of v, unexported ones as well.
func (e *encoder) structure(v reflect.Value) bool {
	switch t := v.Type(); t {
	case timeType:
		return e.time(v.Interface().(time.Time))
	case locationType:
		return false // it has no name that is the same everywhere
	case addrType:
		return e.string(v.Interface().(netip.Addr).String())
	case addrPortType:
		a := v.Interface().(netip.AddrPort)
		e.uint64(uint64(a.Port()))
		return e.string(a.Addr().String())
	case prefixType:
		p := v.Interface().(netip.Prefix)
		e.uint64(uint64(p.Bits()))
		return e.string(p.Addr().String())
	}
	for _, f := range fieldsOf(v.Type()) {
		if !f.exported && !v.CanAddr() {
			// Only what has an address can be read as in the next step.
			c := reflect.New(v.Type()).Elem()
			c.Set(v)
			v = c
		}
		x := v.Field(f.index)
		if !f.exported {
			// Read as if it were exported: else neither Interface nor Set
			// would work on it and on all that it contains.
			x = reflect.NewAt(f.typ, unsafe.Pointer(x.UnsafeAddr())).Elem()
		}
		if !e.value(x) {
			return false
		}
	}
	return true
}

// time writes the instant of t and its location as it shows at that instant.
func (e *encoder) time(t time.Time) bool {
	zone, offset := t.Zone()
	e.uint64(uint64(t.Unix()))
	e.uint64(uint64(t.Nanosecond()))
	e.uint64(uint64(offset))
	return e.string(zone) && e.string(t.Location().String())
}

// digest returns the SHA-256 of b in unpadded base64url: 43 characters.
func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
