package codec

import "reflect"

// SetMaxSize sets the limit of an encoded value and returns what it was.
func SetMaxSize(n int) (old int) {
	old, maxSize = maxSize, n
	return old
}

// Remembered returns how many locations are remembered.
func Remembered() int {
	n := 0
	if all := locations.all.Load(); all != nil {
		n += len(*all)
	}
	if all := zones.all.Load(); all != nil {
		n += len(*all)
	}
	return n
}

// A TypeCodec is a codec for a type that is not known when the test is compiled.
type TypeCodec struct {
	typ  reflect.Type
	plan *plan
}

func ForType(t reflect.Type) (TypeCodec, error) {
	var c compiler
	return TypeCodec{t, c.compile(t)}, c.err
}

func (c TypeCodec) Encode(v reflect.Value) ([]byte, error) {
	e := newEncoder(nil)
	defer e.release()
	err := c.plan.encode(e, v)
	return e.out, err
}

func (c TypeCodec) Decode(data []byte) (reflect.Value, error) {
	d := newDecoder(data)
	defer d.release()
	v := reflect.New(c.typ).Elem()
	return v, c.plan.decode(d, v)
}

// FieldOf returns a field that can be set although it is not exported.
func FieldOf(v reflect.Value, i int) reflect.Value { return fieldOf(v, i) }
