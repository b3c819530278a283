// Package codec turns values into the bytes that a remote backend keeps, and
// back, as if they had never left the process.
//
// # Form
//
// An envelope is two bytes of format, eight bytes of expiry, eight bytes of fill, the life of
// a value that has one of its own, and one MessagePack object (https://github.com/msgpack/msgpack/blob/master/spec.md):
//
//   - bool, integers, floats and strings as such; a complex number as an array
//     of its two parts
//   - []byte and [N]byte as bin; other slices and arrays as an array; a struct as an array of
//     its fields in their order, guarded by [Codec.Schema]; a map as a map sorted by encoded key
//   - a nil slice, map, pointer or interface as nil; a pointer as what it
//     points to, within an array of one where that could itself be nil
//   - [time.Time] in UTC as the timestamp extension, elsewhere as one of our own
//   - an interface as an array of two, the tag of a type and a value of it
//   - what a type's own methods make as bin (binary) or str (text), within an array of one
//     for gob and JSON
//   - what has no size, such as struct{}, as an empty array
//
// # What is kept
//
// Values come back deeply equal, with these limits: a time comes back without its
// monotonic reading, and in a location of that name where the process knows one that says
// the same of that instant, else in a fixed zone; a pointer that
// is found twice comes back as two; a NaN stays NaN, in a float32 not always the same one.
//
// An interface keeps the dynamic types bool, string, every number, time.Time,
// time.Duration, and for each of these E, and for any, []byte and struct{}: []E,
// [][]E, map[string]E, map[int]E, map[int64]E, map[any]E, map[string][]E,
// []map[string]E and map[string]map[string]E. Another type cannot be encoded.
//
// # Methods
//
// A type is encoded by its kind and its exported fields, whatever methods it has:
// methods such as String are made for readers, and may leave fields out. Only a type
// that would lose something by this, as it has unexported fields, is encoded by its own methods:
// those for binary, gob, text or JSON, the first of them from which the value comes back as it was.
// Each value is decoded again to see that, but for some numbers and addresses of the
// standard library, whose methods are known.
//
// # What cannot be encoded
//
// Channels, functions and unsafe pointers; structs with unexported fields and
// no such methods, or with a lock or an atomic value in them; values that do not come back from any of their
// methods; map keys with pointers in them, and such as are times outside of UTC, as they would not be found; values that
// nest deeper than 1000 levels, as cyclic ones do, or that encode to more than 512 MiB.
// A field tagged `msgpack:"-"` is left out and comes back as zero. Blank fields
// and fields without size hold nothing and are left out too.
package codec

import (
	"bytes"
	"encoding/binary"
	"math"
	"reflect"
	"time"
)

// format is what an envelope begins with. The first byte begins neither a MessagePack
// object nor UTF-8 text, so those are never taken for an envelope. The second is that of
// this form: the first form, without a fill, had an expiry there, which never began
// with it. Another form of the envelope takes another byte; one of what is in it,
// another schema.
const format = "\xc1\x82"

// HeaderSize is the format, the expiry, which is nanoseconds since 1970 as a big-endian
// two's complement number, 0 for never, and the fill, a big-endian number.
const HeaderSize = len(format) + 8 + 8

// SetFill makes fill the fill of an envelope that Append or its siblings have made. It
// is 0 until then.
func SetFill(envelope []byte, fill uint64) {
	binary.BigEndian.PutUint64(envelope[HeaderSize-8:HeaderSize], fill)
}

// Fill returns the fill of an envelope, and 0 if data is none.
func Fill(data []byte) uint64 {
	if len(data) < HeaderSize || string(data[:len(format)]) != format {
		return 0
	}
	return binary.BigEndian.Uint64(data[HeaderSize-8 : HeaderSize])
}

// appendHeader appends the header of an envelope without a fill.
func appendHeader(dst []byte, expires time.Time) []byte {
	dst = append(dst, format...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(expiryNanos(expires)))
	return binary.BigEndian.AppendUint64(dst, 0)
}

// A Codec encodes and decodes values of type V. It is safe for concurrent use.
type Codec[V any] struct {
	plan   *plan
	schema string
	err    error
}

// New returns the codec for V. It inspects V once and never fails: where V
// cannot be encoded, every Append, and Decode of a value, returns the same [ErrUnsupported],
// which names the part of V that is the reason.
func New[V any]() *Codec[V] { return NewVersion[V](0) }

// NewVersion is New with a version, which is part of the schema.
func NewVersion[V any](version int) *Codec[V] {
	var c compiler
	p := c.compile(reflect.TypeFor[V]())
	if version != 0 {
		c.describe(" version %d", version)
	}
	return &Codec[V]{plan: p, schema: c.fingerprint(), err: c.err}
}

// Err returns the [ErrUnsupported] with which every Append fails, and nil if
// that depends on the value.
func (c *Codec[V]) Err() error { return c.err }

// Schema returns a fingerprint of the shape of V: ten digits and lower-case
// letters, the same in every process. It depends on kinds and element types; the
// names, msgpack tags and order of the fields that are encoded; the import path and name
// of defined types other than structs, so that seconds do not come back as dollars;
// for types that their own methods encode, on everything within, unexported fields
// too; and on the version. Renaming or moving another struct type changes nothing.
func (c *Codec[V]) Schema() string { return c.schema }

// Append appends the envelope of value to dst and returns the extended slice.
// The value expires at the given time, to the nanosecond; times after the year
// 2262 are brought forward to it. The zero time means never.
//
// The error is [ErrUnsupported], wrapped, and the result then dst as it was. The
// value must not be changed while Append runs.
func (c *Codec[V]) Append(dst []byte, value V, expires time.Time) ([]byte, error) {
	return c.append(dst, value, expires, false)
}

// Alike reports whether two values can be encoded, and are encoded alike, as if
// every time were in UTC.
func (c *Codec[V]) Alike(a, b V) bool {
	one, err := c.append(nil, a, time.Time{}, true)
	if err != nil {
		return false
	}
	other, err := c.append(nil, b, time.Time{}, true)
	return err == nil && bytes.Equal(one, other)
}

func (c *Codec[V]) append(dst []byte, value V, expires time.Time, instants bool) ([]byte, error) {
	if c.err != nil {
		return dst, c.err
	}
	e := newEncoder(dst)
	defer e.release()
	if dst == nil {
		e.out = e.buffer[:0]
	}
	e.instants = instants
	e.out = appendHeader(e.out, expires)
	done, err := encodeDirect(e, &value)
	if !done {
		err = c.encode(e, value)
	}
	switch {
	case err != nil:
		return dst, err
	case dst == nil: // what is returned is no longer than it must be
		e.buffer = e.out
		return bytes.Clone(e.out), nil
	}
	return e.out, nil
}

// Decode returns the value and the expiry, in UTC, of an envelope that Append
// made for a codec of the same schema; the expiry is zero if there is none. It
// does not look at the clock.
//
// Data may come from anywhere. What is not such an envelope to the last byte is
// [ErrMalformed], wrapped, found without a panic and at a cost in proportion
// to the data and the size of V, as long as V's own unmarshalers hold to that.
// The value does not refer to data.
//
// For an envelope that has a placeholder instead of a value, the error is [ErrAbsent] or
// [ErrLease], as it is.
func (c *Codec[V]) Decode(data []byte) (value V, expires time.Time, err error) {
	if start := data[:min(len(data), len(format))]; string(start) != format[:len(start)] {
		return value, time.Time{}, malformed("unknown format 0x%x", start)
	}
	if len(data) < HeaderSize {
		return value, time.Time{}, malformed("%d bytes are too few", len(data))
	}
	if n := int64(binary.BigEndian.Uint64(data[len(format):])); n != 0 {
		expires = time.Unix(0, n).UTC()
	}
	_, body := cutLife(data[HeaderSize:])
	if err := placeholderError(body); err != nil {
		return value, expires, err
	}
	if c.err != nil {
		return value, time.Time{}, c.err
	}
	d := newDecoder(body)
	defer d.release()
	done, err := decodeDirect(d, &value)
	if !done {
		value, err = c.decode(d)
	}
	if err == nil && d.rest() != 0 {
		err = malformed("%d bytes too many", d.rest())
	}
	if err != nil {
		var zero V
		return zero, time.Time{}, err
	}
	return value, expires, nil
}

// expiryNanos returns t for the header. It never rounds up, and never to 0,
// which would mean never.
func expiryNanos(t time.Time) int64 {
	switch {
	case t.IsZero():
		return 0
	case t.After(time.Unix(0, math.MaxInt64)):
		return math.MaxInt64
	case t.Before(time.Unix(0, math.MinInt64)):
		return math.MinInt64
	case t.UnixNano() == 0:
		return -1
	}
	return t.UnixNano()
}
