package codec

import (
	"io"
	"math"
	"sync"

	"github.com/vmihailenco/msgpack/v5"
	"github.com/vmihailenco/msgpack/v5/msgpcode"
)

// A decoder is the state of one Decode. It is the reader of its own unpack,
// which gets to read a kind or a length only after a look at what is there:
// by itself it takes one kind for another and allocates whatever a length promises.
type decoder struct {
	unpack *msgpack.Decoder
	data   []byte
	off    int
	depth  int

	// reserved is how many of the bytes to come are needed, at the least, by
	// elements whose turn has not come. A length must be covered by bytes that are
	// not: so nested lengths cannot promise the same bytes again and
	// again, and what is allocated stays in proportion to the data.
	reserved int
}

var decoders = sync.Pool{New: func() any {
	d := new(decoder)
	d.unpack = msgpack.NewDecoder(d)
	return d
}}

func newDecoder(data []byte) *decoder {
	d := decoders.Get().(*decoder)
	d.data, d.off, d.depth, d.reserved = data, 0, 0, 0
	return d
}

func (d *decoder) release() {
	d.data = nil
	decoders.Put(d)
}

// Read implements io.Reader for unpack.
func (d *decoder) Read(b []byte) (int, error) {
	if d.off == len(d.data) {
		return 0, io.EOF
	}
	n := copy(b, d.data[d.off:])
	d.off += n
	return n, nil
}

// ReadByte implements io.ByteReader for unpack.
func (d *decoder) ReadByte() (byte, error) {
	if d.off == len(d.data) {
		return 0, io.EOF
	}
	d.off++
	return d.data[d.off-1], nil
}

// UnreadByte completes io.ByteScanner, without which unpack would buffer what it reads.
func (d *decoder) UnreadByte() error {
	d.off--
	return nil
}

// rest returns how many bytes are there that are not reserved.
func (d *decoder) rest() int { return len(d.data) - d.off - d.reserved }

// reserve reserves n times size bytes, for n elements of a positive size. The
// share of an element is to be released just before it is decoded.
func (d *decoder) reserve(n, size int) error {
	if n < 0 || n > d.rest()/size {
		return malformed("shorter than its lengths")
	}
	d.reserved += n * size
	return nil
}

func (d *decoder) unreserve(size int) { d.reserved -= size }

func (d *decoder) enter() error {
	if d.depth++; d.depth > maxDepth {
		return malformed("nested deeper than %d levels", maxDepth)
	}
	return nil
}

func (d *decoder) leave() { d.depth-- }

// peek returns the code of the next object.
func (d *decoder) peek() (byte, error) {
	if d.off == len(d.data) {
		return 0, malformed("ends too soon")
	}
	return d.data[d.off], nil
}

// null reports whether the next object is nil, and if so goes past it.
func (d *decoder) null() (bool, error) {
	c, err := d.peek()
	if err != nil || c != msgpcode.Nil {
		return false, err
	}
	d.off++
	return true, nil
}

func (d *decoder) bool() (bool, error) {
	c, err := d.peek()
	if err != nil {
		return false, err
	}
	if c != msgpcode.False && c != msgpcode.True {
		return false, found(c, "a bool")
	}
	return whole(d.unpack.DecodeBool())
}

func (d *decoder) int() (int64, error) {
	c, err := d.peek()
	if err != nil {
		return 0, err
	}
	switch {
	case c == msgpcode.Uint64:
		n, err := d.uint()
		if n > math.MaxInt64 {
			return 0, malformed("integer out of range")
		}
		return int64(n), err
	case msgpcode.IsFixedNum(c), c >= msgpcode.Uint8 && c <= msgpcode.Int64:
		return whole(d.unpack.DecodeInt64())
	}
	return 0, found(c, "an integer")
}

func (d *decoder) uint() (uint64, error) {
	c, err := d.peek()
	if err != nil {
		return 0, err
	}
	if c > msgpcode.PosFixedNumHigh && (c < msgpcode.Uint8 || c > msgpcode.Uint64) {
		return 0, found(c, "an unsigned integer")
	}
	return whole(d.unpack.DecodeUint64())
}

func (d *decoder) float32() (float32, error) {
	if c, err := d.peek(); err != nil {
		return 0, err
	} else if c != msgpcode.Float {
		return 0, found(c, "a float32")
	}
	return whole(d.unpack.DecodeFloat32())
}

func (d *decoder) float64() (float64, error) {
	if c, err := d.peek(); err != nil {
		return 0, err
	} else if c != msgpcode.Double {
		return 0, found(c, "a float64")
	}
	return whole(d.unpack.DecodeFloat64())
}

// str returns the content of the next string. It is part of the data.
func (d *decoder) str() ([]byte, error) {
	if c, err := d.peek(); err != nil {
		return nil, err
	} else if !msgpcode.IsString(c) {
		return nil, found(c, "a string")
	}
	return d.content()
}

// bin returns the content of the next bin. It is part of the data.
func (d *decoder) bin() ([]byte, error) {
	if c, err := d.peek(); err != nil {
		return nil, err
	} else if !msgpcode.IsBin(c) {
		return nil, found(c, "bytes")
	}
	return d.content()
}

func (d *decoder) content() ([]byte, error) {
	n, err := whole(d.unpack.DecodeBytesLen())
	if err != nil {
		return nil, err
	}
	if n < 0 || n > d.rest() {
		return nil, malformed("shorter than its lengths")
	}
	end := d.off + n
	b := d.data[d.off:end:end]
	d.off = end
	return b, nil
}

// arrayLen returns the length of the next array, which may be negative where
// an int has 32 bits.
func (d *decoder) arrayLen() (int, error) {
	c, err := d.peek()
	if err != nil {
		return 0, err
	}
	if (c < msgpcode.FixedArrayLow || c > msgpcode.FixedArrayHigh) && c != msgpcode.Array16 && c != msgpcode.Array32 {
		return 0, found(c, "an array")
	}
	return whole(d.unpack.DecodeArrayLen())
}

// arrayOf goes past the header of the next array, which must be of length n.
func (d *decoder) arrayOf(n int) error {
	got, err := d.arrayLen()
	if err == nil && got != n {
		err = malformed("found an array of %d where one of %d should be", got, n)
	}
	return err
}

// mapLen returns the length of the next map, which may be negative where an
// int has 32 bits.
func (d *decoder) mapLen() (int, error) {
	c, err := d.peek()
	if err != nil {
		return 0, err
	}
	if !msgpcode.IsFixedMap(c) && c != msgpcode.Map16 && c != msgpcode.Map32 {
		return 0, found(c, "a map")
	}
	return whole(d.unpack.DecodeMapLen())
}

// whole makes the one error that is left to unpack, running out of data, ours.
func whole[T any](v T, err error) (T, error) {
	if err != nil {
		return v, malformed("ends too soon")
	}
	return v, nil
}

func found(code byte, want string) error {
	return malformed("found code 0x%02x where %s should be", code, want)
}
