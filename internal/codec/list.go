package codec

import (
	"math"
	"reflect"
)

// A sliceCoder takes slices of anything but bytes.
type sliceCoder struct {
	typ  reflect.Type
	elem *plan
}

func (c *compiler) compileSlice(p *plan, t reflect.Type) {
	p.nilable = true
	c.describe("[]")
	elem := c.compileAt("[]", planKey{typ: t.Elem()})
	if elem.isByte(t.Elem()) {
		p.coder = bytesCoder{}
	} else {
		p.coder = &sliceCoder{t, elem}
	}
}

func (c *sliceCoder) encode(e *encoder, v reflect.Value) error {
	if v.IsNil() {
		return e.pack.EncodeNil()
	}
	if err := e.enter(); err != nil {
		return err
	}
	defer e.leave()
	return encodeElems(e, v, c.elem)
}

func (c *sliceCoder) decode(d *decoder, v reflect.Value) error {
	if null, err := d.null(); null || err != nil {
		return err
	}
	if err := d.enter(); err != nil {
		return err
	}
	defer d.leave()
	n, err := d.arrayLen()
	if err != nil {
		return err
	}
	if err := d.reserve(n, c.elem.min); err != nil {
		return err
	}
	v.Set(reflect.MakeSlice(c.typ, n, n))
	return decodeElems(d, v, c.elem)
}

// An arrayCoder takes arrays of anything but bytes.
type arrayCoder struct{ elem *plan }

func (c *compiler) compileArray(p *plan, t reflect.Type) {
	c.describe("[%d]", t.Len())
	elem := c.compileAt("[]", planKey{typ: t.Elem()})
	if t.Len() > (math.MaxInt32-5)/elem.min {
		c.fail("%s is too long", t)
		return
	}
	if elem.isByte(t.Elem()) {
		p.coder, p.min = byteArrayCoder{}, 2+t.Len()
	} else {
		p.coder, p.min = &arrayCoder{elem}, 1+t.Len()*elem.min
	}
}

func (c *arrayCoder) encode(e *encoder, v reflect.Value) error { return encodeElems(e, v, c.elem) }

func (c *arrayCoder) decode(d *decoder, v reflect.Value) error {
	if err := d.arrayOf(v.Len()); err != nil {
		return err
	}
	if err := d.reserve(v.Len(), c.elem.min); err != nil {
		return err
	}
	return decodeElems(d, v, c.elem)
}

func encodeElems(e *encoder, v reflect.Value, elem *plan) error {
	n := v.Len()
	if err := e.pack.EncodeArrayLen(n); err != nil {
		return err
	}
	for i := range n {
		if err := elem.encode(e, v.Index(i)); err != nil {
			return err
		}
	}
	return nil
}

// decodeElems decodes all elements of v, for which bytes have been reserved.
func decodeElems(d *decoder, v reflect.Value, elem *plan) error {
	for i := range v.Len() {
		d.unreserve(elem.min)
		if err := elem.decode(d, v.Index(i)); err != nil {
			return err
		}
	}
	return nil
}
