package command

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/vmihailenco/msgpack/v5"
	"github.com/vmihailenco/msgpack/v5/msgpcode"

	"github.com/seed-dad15c92/txcache/internal/codec"
)

// deepest is how deep values may be nested, as for package codec.
const deepest = 1000

// dynamic reads envelopes of caches of any.
var dynamic = codec.New[any]()

// The states of what is kept under a key.
const (
	isValue   = "value"
	isAbsent  = "absent"
	isLoading = "loading"
	isBroken  = "malformed"
)

// decode reads an envelope that was kept under schema. What is broken is a state
// like any other: services take it for a miss.
func decode(schema string, data []byte) (state string, value any, expires time.Time, err error) {
	value, expires, err = dynamic.Decode(data)
	switch {
	case errors.Is(err, codec.ErrAbsent):
		return isAbsent, nil, expires, nil
	case errors.Is(err, codec.ErrLease):
		return isLoading, nil, time.Time{}, nil
	case schema == dynamic.Schema():
		if err != nil {
			return isBroken, nil, time.Time{}, err
		}
		return isValue, value, expires, nil
	}
	if len(data) < codec.HeaderSize {
		return isBroken, nil, time.Time{}, err
	}
	// The header is read by package codec, with a mark in place of the value.
	mark := dynamic.AppendAbsent(nil, time.Time{})[codec.HeaderSize:]
	_, expires, err = dynamic.Decode(append(bytes.Clone(data[:codec.HeaderSize]), mark...))
	if !errors.Is(err, codec.ErrAbsent) {
		return isBroken, nil, time.Time{}, err
	}
	if value, err = generic(codec.Body(data)); err != nil {
		return isBroken, nil, expires, err
	}
	return isValue, value, expires, nil
}

// A dictionary is a map in the order in which it is encoded. Its keys can be of
// any type.
type dictionary []entry

type entry struct{ key, value any }

// An extension is an extension object of MessagePack that is no time.
type extension struct {
	kind int8
	data []byte
}

// generic decodes one MessagePack object whose type is not known. Structs are
// arrays of their fields, and an any within them is an array of two, the tag of
// its type and its value. It costs time and memory in proportion to data.
func generic(data []byte) (any, error) {
	g := &genericDecoder{from: bytes.NewReader(data)}
	g.unpack = msgpack.NewDecoder(g.from)
	v, err := g.value(0)
	if err == nil && g.from.Len() > 0 {
		err = fmt.Errorf("%d bytes too many", g.from.Len())
	}
	return v, err
}

// A genericDecoder looks at each length before unpack does, which allocates
// whatever a length promises. As unpack reads from a ByteScanner, it takes no
// byte ahead.
type genericDecoder struct {
	from   *bytes.Reader
	unpack *msgpack.Decoder
}

var errShort = errors.New("shorter than its lengths")

func (g *genericDecoder) value(depth int) (any, error) {
	if depth > deepest {
		return nil, fmt.Errorf("nested deeper than %d levels", deepest)
	}
	c, err := g.unpack.PeekCode()
	if err != nil {
		return nil, errShort
	}
	switch {
	case c == msgpcode.Nil:
		return nil, g.unpack.DecodeNil()
	case c == msgpcode.False, c == msgpcode.True:
		return g.unpack.DecodeBool()
	case c == msgpcode.Float:
		return g.unpack.DecodeFloat32()
	case c == msgpcode.Double:
		return g.unpack.DecodeFloat64()
	case c >= msgpcode.Uint8 && c <= msgpcode.Uint64:
		return g.unpack.DecodeUint64()
	case msgpcode.IsFixedNum(c), c >= msgpcode.Int8 && c <= msgpcode.Int64:
		return g.unpack.DecodeInt64()
	case msgpcode.IsString(c):
		b, err := g.content()
		return string(b), err
	case msgpcode.IsBin(c):
		return g.content()
	case msgpcode.IsFixedArray(c), c == msgpcode.Array16, c == msgpcode.Array32:
		return g.array(depth)
	case msgpcode.IsFixedMap(c), c == msgpcode.Map16, c == msgpcode.Map32:
		return g.dictionary(depth)
	case msgpcode.IsExt(c):
		return g.extension()
	}
	return nil, fmt.Errorf("found code 0x%02x, which begins no object", c)
}

// length checks that n elements of so many bytes at least may follow.
func (g *genericDecoder) length(n, size int, err error) error {
	if err != nil || n < 0 || n > g.from.Len()/size {
		return errShort
	}
	return nil
}

func (g *genericDecoder) content() ([]byte, error) {
	n, err := g.unpack.DecodeBytesLen()
	if err := g.length(n, 1, err); err != nil {
		return nil, err
	}
	return g.take(n)
}

func (g *genericDecoder) take(n int) ([]byte, error) {
	b := make([]byte, n)
	_, err := io.ReadFull(g.from, b)
	return b, err
}

func (g *genericDecoder) array(depth int) (any, error) {
	n, err := g.unpack.DecodeArrayLen()
	if err := g.length(n, 1, err); err != nil {
		return nil, err
	}
	list := []any{} // grows with what is there: nested lengths may promise the same bytes
	for range n {
		v, err := g.value(depth + 1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

func (g *genericDecoder) dictionary(depth int) (any, error) {
	n, err := g.unpack.DecodeMapLen()
	if err := g.length(n, 2, err); err != nil {
		return nil, err
	}
	entries := dictionary{}
	for range n {
		var e entry
		if e.key, err = g.value(depth + 1); err != nil {
			return nil, err
		}
		if e.value, err = g.value(depth + 1); err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// timestamp is the extension type that MessagePack has for instants.
const timestamp = -1

func (g *genericDecoder) extension() (any, error) {
	before := g.from.Len()
	kind, n, err := g.unpack.DecodeExtHeader()
	if err := g.length(n, 1, err); err != nil {
		return nil, err
	}
	if kind != timestamp || n != 4 && n != 8 && n != 12 {
		data, err := g.take(n)
		if t, ok := codec.ZonedTime(kind, data); ok {
			return t, err
		}
		return extension{kind, data}, err
	}
	if _, err := g.from.Seek(g.from.Size()-int64(before), 0); err != nil {
		return nil, err
	}
	t, err := g.unpack.DecodeTime()
	if err != nil {
		return nil, errShort
	}
	return t.UTC(), nil
}
