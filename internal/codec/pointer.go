package codec

import "reflect"

type pointerCoder struct {
	typ  reflect.Type
	elem *plan
}

func (c *compiler) compilePointer(p *plan, t reflect.Type) {
	p.nilable = true
	c.describe("*")
	p.coder = &pointerCoder{t, c.compileAt("", planKey{typ: t.Elem()})}
}

func (c *pointerCoder) encode(e *encoder, v reflect.Value) error {
	if v.IsNil() {
		return e.pack.EncodeNil()
	}
	if err := e.enter(); err != nil {
		return err
	}
	defer e.leave()
	if c.elem.nilable {
		if err := e.pack.EncodeArrayLen(1); err != nil {
			return err
		}
	}
	return c.elem.encode(e, v.Elem())
}

func (c *pointerCoder) decode(d *decoder, v reflect.Value) error {
	if null, err := d.null(); null || err != nil {
		return err
	}
	if err := d.enter(); err != nil {
		return err
	}
	defer d.leave()
	if c.elem.nilable {
		if err := d.arrayOf(1); err != nil {
			return err
		}
	}
	if d.rest() < c.elem.min {
		return malformed("ends too soon")
	}
	p := reflect.New(c.typ.Elem())
	v.Set(p)
	return c.elem.decode(d, p.Elem())
}
