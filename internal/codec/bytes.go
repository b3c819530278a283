package codec

import (
	"bytes"
	"reflect"
)

// isByte reports whether p, the plan of t, takes single bytes as such.
func (p *plan) isByte(t reflect.Type) bool {
	_, plain := p.coder.(uintCoder)
	return plain && t.Kind() == reflect.Uint8
}

// A bytesCoder takes slices whose elements are bytes.
type bytesCoder struct{}

func (bytesCoder) encode(e *encoder, v reflect.Value) error { return e.pack.EncodeBytes(v.Bytes()) }

func (bytesCoder) decode(d *decoder, v reflect.Value) error {
	if null, err := d.null(); null || err != nil {
		return err
	}
	b, err := d.bin()
	if err == nil {
		v.SetBytes(bytes.Clone(b))
	}
	return err
}

// A byteArrayCoder takes arrays whose elements are bytes.
type byteArrayCoder struct{}

func (byteArrayCoder) encode(e *encoder, v reflect.Value) error {
	return e.pack.EncodeBytes(v.Bytes())
}

func (byteArrayCoder) decode(d *decoder, v reflect.Value) error {
	b, err := d.bin()
	if err != nil {
		return err
	}
	if len(b) != v.Len() {
		return malformed("found %d bytes where %d should be", len(b), v.Len())
	}
	copy(v.Bytes(), b)
	return nil
}
