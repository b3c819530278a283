package codec

import (
	"bytes"
	"reflect"
)

// encodeDirect encodes *p without reflection, and so without p going to the
// heap, if it is of one of the commonest types. It writes what the plan would.
func encodeDirect(e *encoder, p any) (done bool, err error) {
	switch p := p.(type) {
	case *string:
		return true, e.pack.EncodeString(*p)
	case *[]byte:
		return true, e.pack.EncodeBytes(*p)
	case *bool:
		return true, e.pack.EncodeBool(*p)
	case *int:
		return true, e.pack.EncodeInt(int64(*p))
	case *int64:
		return true, e.pack.EncodeInt(*p)
	}
	return false, nil
}

// decodeDirect is the counterpart of encodeDirect.
func decodeDirect(d *decoder, p any) (done bool, err error) {
	switch p := p.(type) {
	case *string:
		b, err := d.str()
		*p = string(b)
		return true, err
	case *[]byte:
		if null, err := d.null(); null || err != nil {
			return true, err
		}
		b, err := d.bin()
		*p = bytes.Clone(b)
		return true, err
	case *bool:
		*p, err = d.bool()
		return true, err
	case *int:
		n, err := d.int()
		if *p = int(n); int64(*p) != n {
			return true, malformed("integer out of range")
		}
		return true, err
	case *int64:
		*p, err = d.int()
		return true, err
	}
	return false, nil
}

func (c *Codec[V]) encode(e *encoder, value V) error {
	return c.plan.encode(e, reflect.ValueOf(&value).Elem())
}

func (c *Codec[V]) decode(d *decoder) (value V, err error) {
	err = c.plan.decode(d, reflect.ValueOf(&value).Elem())
	return value, err
}
