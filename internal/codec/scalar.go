package codec

import "reflect"

type boolCoder struct{}

func (boolCoder) encode(e *encoder, v reflect.Value) error { return e.pack.EncodeBool(v.Bool()) }

func (boolCoder) decode(d *decoder, v reflect.Value) error {
	b, err := d.bool()
	if err == nil {
		v.SetBool(b)
	}
	return err
}

type intCoder struct{}

func (intCoder) encode(e *encoder, v reflect.Value) error { return e.pack.EncodeInt(v.Int()) }

func (intCoder) decode(d *decoder, v reflect.Value) error {
	n, err := d.int()
	if err != nil {
		return err
	}
	if v.OverflowInt(n) {
		return malformed("integer out of range")
	}
	v.SetInt(n)
	return nil
}

type uintCoder struct{}

func (uintCoder) encode(e *encoder, v reflect.Value) error { return e.pack.EncodeUint(v.Uint()) }

func (uintCoder) decode(d *decoder, v reflect.Value) error {
	n, err := d.uint()
	if err != nil {
		return err
	}
	if v.OverflowUint(n) {
		return malformed("integer out of range")
	}
	v.SetUint(n)
	return nil
}

type float32Coder struct{}

func (float32Coder) encode(e *encoder, v reflect.Value) error {
	return e.pack.EncodeFloat32(float32(v.Float()))
}

func (float32Coder) decode(d *decoder, v reflect.Value) error {
	f, err := d.float32()
	if err == nil {
		v.SetFloat(float64(f))
	}
	return err
}

type float64Coder struct{}

func (float64Coder) encode(e *encoder, v reflect.Value) error { return e.pack.EncodeFloat64(v.Float()) }

func (float64Coder) decode(d *decoder, v reflect.Value) error {
	f, err := d.float64()
	if err == nil {
		v.SetFloat(f)
	}
	return err
}

// A complexCoder takes both sizes, with float64 parts. Going to complex64 and
// back loses nothing of a complex64; what would lose is refused.
type complexCoder struct{}

func (complexCoder) encode(e *encoder, v reflect.Value) error {
	c := v.Complex()
	if err := e.pack.EncodeArrayLen(2); err != nil {
		return err
	}
	if err := e.pack.EncodeFloat64(real(c)); err != nil {
		return err
	}
	return e.pack.EncodeFloat64(imag(c))
}

func (complexCoder) decode(d *decoder, v reflect.Value) error {
	if err := d.arrayOf(2); err != nil {
		return err
	}
	re, err := d.float64()
	if err != nil {
		return err
	}
	im, err := d.float64()
	if err != nil {
		return err
	}
	if v.OverflowComplex(complex(re, im)) {
		return malformed("complex number out of range")
	}
	v.SetComplex(complex(re, im))
	return nil
}

type stringCoder struct{}

func (stringCoder) encode(e *encoder, v reflect.Value) error { return e.pack.EncodeString(v.String()) }

func (stringCoder) decode(d *decoder, v reflect.Value) error {
	b, err := d.str()
	if err == nil {
		v.SetString(string(b))
	}
	return err
}
