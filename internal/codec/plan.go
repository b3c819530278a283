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

// time reports whether the values are instants.
func (k planKey) time() bool {
	if k.typ == timeType {
		return !k.fieldwise
	}
	_, marshals := k.marshaling()
	return k.typ.Kind() == reflect.Struct && k.typ.ConvertibleTo(timeType) && !k.fieldwise && !marshals
}

// marshaling returns how the values encode themselves, if they do.
func (k planKey) marshaling() (marshaling, bool) {
	if k.fieldwise {
		return marshaling{}, false
	}
	return marshalingOf(k.typ)
}

// pointsOut reports whether a value is, or has in its fields or elements, a
// pointer that is encoded as what it points to.
func (k planKey) pointsOut() bool {
	if _, marshals := k.marshaling(); k.empty() || k.time() || marshals {
		return false
	}
	switch k.typ.Kind() {
	case reflect.Pointer:
		return true
	case reflect.Array:
		return planKey{typ: k.typ.Elem()}.pointsOut()
	case reflect.Struct:
		for i := range k.typ.NumField() {
			f := k.typ.Field(i)
			if encoded(f) && fieldKey(f).pointsOut() {
				return true
			}
		}
	}
	return false
}
