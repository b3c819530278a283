package codec

import (
	"encoding"
	"fmt"
	"math/big"
	"net/netip"
	"reflect"
	"slices"

	"github.com/vmihailenco/msgpack/v5/msgpcode"
)

// A marshalerCoder takes types that encode themselves.
type marshalerCoder struct {
	typ     reflect.Type
	methods []*marshaling // in the order in which they are tried
	exact   bool          // the methods are known to lose nothing
}

// A marshaling is a pair of methods by which a type encodes itself.
type marshaling struct {
	name        string
	marshaler   reflect.Type
	unmarshaler reflect.Type
	marshal     func(v any) ([]byte, error)
	unmarshal   func(v any, data []byte) error

	text  bool // encoded as a string, not as bytes
	boxed bool // within an array of one
}

type (
	gobMarshaler    interface{ GobEncode() ([]byte, error) }
	gobUnmarshaler  interface{ GobDecode([]byte) error }
	jsonMarshaler   interface{ MarshalJSON() ([]byte, error) }
	jsonUnmarshaler interface{ UnmarshalJSON([]byte) error }
)

// marshalings are the pairs in the order in which they are tried. No two are
// encoded alike, so that what is encoded says which it is.
var marshalings = []*marshaling{{
	name:        "binary",
	marshaler:   reflect.TypeFor[encoding.BinaryMarshaler](),
	unmarshaler: reflect.TypeFor[encoding.BinaryUnmarshaler](),
	marshal:     func(v any) ([]byte, error) { return v.(encoding.BinaryMarshaler).MarshalBinary() },
	unmarshal:   func(v any, data []byte) error { return v.(encoding.BinaryUnmarshaler).UnmarshalBinary(data) },
}, {
	name:        "gob",
	marshaler:   reflect.TypeFor[gobMarshaler](),
	unmarshaler: reflect.TypeFor[gobUnmarshaler](),
	marshal:     func(v any) ([]byte, error) { return v.(gobMarshaler).GobEncode() },
	unmarshal:   func(v any, data []byte) error { return v.(gobUnmarshaler).GobDecode(data) },
	boxed:       true,
}, {
	name:        "text",
	marshaler:   reflect.TypeFor[encoding.TextMarshaler](),
	unmarshaler: reflect.TypeFor[encoding.TextUnmarshaler](),
	marshal:     func(v any) ([]byte, error) { return v.(encoding.TextMarshaler).MarshalText() },
	unmarshal:   func(v any, data []byte) error { return v.(encoding.TextUnmarshaler).UnmarshalText(data) },
	text:        true,
}, {
	name:        "json",
	marshaler:   reflect.TypeFor[jsonMarshaler](),
	unmarshaler: reflect.TypeFor[jsonUnmarshaler](),
	marshal:     func(v any) ([]byte, error) { return v.(jsonMarshaler).MarshalJSON() },
	unmarshal:   func(v any, data []byte) error { return v.(jsonUnmarshaler).UnmarshalJSON(data) },
	text:        true,
	boxed:       true,
}}

// exactTypes are types of the standard library whose first methods lose nothing,
// so that nobody need check it.
var exactTypes = map[reflect.Type]bool{
	reflect.TypeFor[big.Int](): true, reflect.TypeFor[big.Rat](): true, reflect.TypeFor[big.Float](): true,
	reflect.TypeFor[netip.Addr](): true, reflect.TypeFor[netip.AddrPort](): true, reflect.TypeFor[netip.Prefix](): true,
}

// methodsOf returns the ways in which the values encode themselves.
func (k planKey) methodsOf() (methods []*marshaling) {
	if k.fieldwise {
		return nil
	}
	p := reflect.PointerTo(k.typ)
	for _, m := range marshalings {
		if p.Implements(m.marshaler) && p.Implements(m.unmarshaler) {
			methods = append(methods, m)
		}
	}
	return methods
}

// encode encodes v by the first methods from which it comes back as it was. Methods
// may leave out what they think does not matter, as one does that was inherited
// from an embedded field, so each value is decoded again.
func (c *marshalerCoder) encode(e *encoder, v reflect.Value) error {
	var failed error
	for _, m := range c.methods {
		data, err := guard(func() ([]byte, error) { return m.marshal(v.Addr().Interface()) })
		if err == nil && !c.exact {
			back := reflect.New(c.typ).Elem()
			if err = m.decode(back, data); err == nil && !e.keeps(v, back) {
				continue
			}
		}
		if err == nil {
			return m.append(e, data)
		}
		failed = &methodError{ErrUnsupported, c.typ, err}
	}
	if failed != nil {
		return failed
	}
	return unsupported("a %s does not come back from its own methods as it was", c.typ)
}

// keeps reports whether back is as good as v.
func (e *encoder) keeps(v, back reflect.Value) bool {
	// A key with a pointer in it would not be found.
	return same(v, back) && (e.keys == 0 || v.Comparable() && v.Equal(back))
}

func (m *marshaling) append(e *encoder, data []byte) error {
	if m.boxed {
		if err := e.pack.EncodeArrayLen(1); err != nil {
			return err
		}
	}
	if m.text {
		return e.pack.EncodeString(string(data))
	}
	if err := e.pack.EncodeBytesLen(len(data)); err != nil {
		return err
	}
	_, err := e.Write(data)
	return err
}

func (c *marshalerCoder) decode(d *decoder, v reflect.Value) error {
	code, err := d.peek()
	if err != nil {
		return err
	}
	boxed := code == msgpcode.FixedArrayLow|1
	if boxed {
		d.off++
		if code, err = d.peek(); err != nil {
			return err
		}
	}
	for _, m := range c.methods {
		if m.boxed != boxed || m.text != msgpcode.IsString(code) {
			continue
		}
		content := d.bin
		if m.text {
			content = d.str
		}
		data, err := content()
		if err != nil {
			return err
		}
		if err := m.decode(v, data); err != nil {
			return &methodError{ErrMalformed, c.typ, err}
		}
		return nil
	}
	return found(code, "what a method has made")
}

func (m *marshaling) decode(v reflect.Value, data []byte) error {
	_, err := guard(func() ([]byte, error) { return nil, m.unmarshal(v.Addr().Interface(), slices.Clip(data)) })
	return err
}

// guard calls a user's method and makes its panic an error.
func guard(call func() ([]byte, error)) (data []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			data, err = nil, panicked(fmt.Sprint(r))
		}
	}()
	return call()
}
