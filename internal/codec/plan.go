package codec

import "reflect"

// A plan says how the values of one type are encoded. It does not change once
// its compiler is done.
type plan struct {
	coder
	id      int  // its place among the plans of its compiler
	min     int  // the least number of bytes that a value takes, at least 1
	nilable bool // a value may be encoded as nil
}

// A coder encodes and decodes the values of a type.
type coder interface {
	// encode encodes v, which is addressable unless it is what an interface holds.
	encode(e *encoder, v reflect.Value) error

	// decode sets v, which is settable and zero.
	decode(d *decoder, v reflect.Value) error
}

// A planKey says what a plan is for.
type planKey struct {
	typ reflect.Type

	// fieldwise says that typ is the type of an unexported embedded field:
	// only its fields can be reached, not its methods nor the value as a whole.
	fieldwise bool
}

// empty reports whether the values have no content.
func (k planKey) empty() bool { return k.typ.Size() == 0 }

// time reports whether the values are times, whatever methods they have.
func (k planKey) time() bool {
	return !k.fieldwise && k.typ.Kind() == reflect.Struct && k.typ.ConvertibleTo(timeType)
}

// pointsOut reports whether a value of k, whose plan is made or being made, is, or
// has in its fields or elements, a pointer that is encoded as what it points to.
func (c *compiler) pointsOut(k planKey) bool {
	if p := c.plans[k]; p != nil {
		if _, own := p.coder.(*marshalerCoder); own {
			return false // each value is looked at
		}
	}
	if k.empty() || k.time() {
		return false
	}
	switch k.typ.Kind() {
	case reflect.Pointer:
		return true
	case reflect.Array:
		return c.pointsOut(planKey{typ: k.typ.Elem()})
	case reflect.Struct:
		for i := range k.typ.NumField() {
			f := k.typ.Field(i)
			if encoded(f) && c.pointsOut(fieldKey(f)) {
				return true
			}
		}
	}
	return false
}
