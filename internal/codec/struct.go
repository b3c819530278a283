package codec

import (
	"math"
	"reflect"
	"strings"
)

// A structCoder takes structs field by field.
type structCoder struct {
	fields []field
	min    int // of all the fields
}

type field struct {
	*plan
	index int
}

func (c *compiler) compileStruct(p *plan, t reflect.Type) {
	coder := new(structCoder)
	p.coder = coder
	c.describe("struct{")
	for i := range t.NumField() {
		f := t.Field(i)
		if !encoded(f) {
			continue
		}
		if k := fieldKey(f); !f.IsExported() && !(k.fieldwise && f.Type.Kind() == reflect.Struct) {
			c.fail("field %s is not exported and would be lost", f.Name)
			continue
		}
		c.describe("%s %q ", f.Name, f.Tag.Get("msgpack"))
		coder.fields = append(coder.fields, field{c.compileAt("."+f.Name, fieldKey(f)), i})
		c.describe(";")
	}
	c.describe("}")
	for _, f := range coder.fields {
		if f.min > math.MaxInt32-1-coder.min {
			c.fail("%s is too large", t)
			return
		}
		coder.min += f.min
	}
	p.min = 1 + coder.min
}

// encoded reports whether the field f is part of the encoded form. One without
// size has no content, a blank one none that can be seen.
func encoded(f reflect.StructField) bool {
	name, _, _ := strings.Cut(f.Tag.Get("msgpack"), ",")
	return name != "-" && f.Name != "_" && f.Type.Size() > 0
}

func fieldKey(f reflect.StructField) planKey {
	return planKey{typ: f.Type, fieldwise: f.Anonymous && !f.IsExported()}
}

func (c *structCoder) encode(e *encoder, v reflect.Value) error {
	if err := e.pack.EncodeArrayLen(len(c.fields)); err != nil {
		return err
	}
	for _, f := range c.fields {
		if err := f.encode(e, v.Field(f.index)); err != nil {
			return err
		}
	}
	return nil
}

func (c *structCoder) decode(d *decoder, v reflect.Value) error {
	if err := d.arrayOf(len(c.fields)); err != nil {
		return err
	}
	if len(c.fields) == 0 {
		return nil
	}
	if err := d.reserve(1, c.min); err != nil {
		return err
	}
	for _, f := range c.fields {
		d.unreserve(f.min)
		if err := f.decode(d, v.Field(f.index)); err != nil {
			return err
		}
	}
	return nil
}

// An emptyCoder takes what has no size, and so no content.
type emptyCoder struct{}

func (emptyCoder) encode(e *encoder, v reflect.Value) error { return e.pack.EncodeArrayLen(0) }

func (emptyCoder) decode(d *decoder, v reflect.Value) error { return d.arrayOf(0) }
