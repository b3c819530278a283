package codec

import (
	"encoding"
	"fmt"
	"reflect"
)

// A marshalerCoder takes types that encode themselves.
type marshalerCoder struct {
	typ reflect.Type
	marshaling
}

// A marshaling is a pair of methods by which a type encodes itself.
type marshaling struct {
	name        string
	min         int // the least number of bytes that a value takes
	marshaler   reflect.Type
	unmarshaler reflect.Type

	marshal   func(v any) ([]byte, error)
	unmarshal func(v any, data []byte) error
	append    func(e *encoder, data []byte) error
	content   func(d *decoder) ([]byte, error)
}

// marshalings are the pairs in the order in which they are tried.
var marshalings = []marshaling{{
	name:        "binary",
	min:         2,
	marshaler:   reflect.TypeFor[encoding.BinaryMarshaler](),
	unmarshaler: reflect.TypeFor[encoding.BinaryUnmarshaler](),
	marshal:     func(v any) ([]byte, error) { return v.(encoding.BinaryMarshaler).MarshalBinary() },
	unmarshal:   func(v any, data []byte) error { return v.(encoding.BinaryUnmarshaler).UnmarshalBinary(data) },
	append: func(e *encoder, data []byte) error {
		if err := e.pack.EncodeBytesLen(len(data)); err != nil {
			return err
		}
		_, err := e.Write(data)
		return err
	},
	content: (*decoder).bin,
}, {
	name:        "text",
	min:         1,
	marshaler:   reflect.TypeFor[encoding.TextMarshaler](),
	unmarshaler: reflect.TypeFor[encoding.TextUnmarshaler](),
	marshal:     func(v any) ([]byte, error) { return v.(encoding.TextMarshaler).MarshalText() },
	unmarshal:   func(v any, data []byte) error { return v.(encoding.TextUnmarshaler).UnmarshalText(data) },
	append:      func(e *encoder, data []byte) error { return e.pack.EncodeString(string(data)) },
	content:     (*decoder).str,
}}

// marshalingOf returns how t encodes itself, if it does.
func marshalingOf(t reflect.Type) (marshaling, bool) {
	for _, m := range marshalings {
		p := reflect.PointerTo(t)
		if p.Implements(m.marshaler) && p.Implements(m.unmarshaler) && !m.inherited(t) {
			return m, true
		}
	}
	return marshaling{}, false
}

// inherited reports whether t may have the methods from an embedded field. Such
// methods know nothing of the other fields. Reflection cannot tell them
// from methods that t has for itself and that hide those of the field.
func (m marshaling) inherited(t reflect.Type) bool {
	if t.Kind() != reflect.Struct {
		return false
	}
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.Anonymous {
			continue
		}
		for _, method := range []reflect.Type{m.marshaler, m.unmarshaler} {
			if f.Type.Implements(method) || reflect.PointerTo(f.Type).Implements(method) {
				return true
			}
		}
	}
	return false
}

func (c *marshalerCoder) encode(e *encoder, v reflect.Value) error {
	data, err := guard(func() ([]byte, error) { return c.marshal(v.Addr().Interface()) })
	if err != nil {
		return &methodError{ErrUnsupported, c.typ, err}
	}
	return c.append(e, data)
}

func (c *marshalerCoder) decode(d *decoder, v reflect.Value) error {
	data, err := c.content(d)
	if err != nil {
		return err
	}
	_, err = guard(func() ([]byte, error) { return nil, c.unmarshal(v.Addr().Interface(), data) })
	if err != nil {
		return &methodError{ErrMalformed, c.typ, err}
	}
	return nil
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
