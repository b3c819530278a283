package codec

import (
	"reflect"
	"sync"
	"time"
)

// A dynamicCoder takes interfaces: nil, or the tag of a type and a value of it.
type dynamicCoder struct{ typ reflect.Type }

func (c *compiler) compileInterface(p *plan, t reflect.Type) {
	p.nilable = true
	c.describe("interface %s", t)
	p.coder = &dynamicCoder{t}
}

func (c *dynamicCoder) encode(e *encoder, v reflect.Value) error {
	if v.IsNil() {
		return e.pack.EncodeNil()
	}
	if err := e.enter(); err != nil {
		return err
	}
	defer e.leave()
	v = v.Elem()
	k, ok := dynamicTypes().byType[v.Type()]
	if !ok {
		return unsupported("%s in an interface", v.Type())
	}
	if err := e.pack.EncodeArrayLen(2); err != nil {
		return err
	}
	if err := e.pack.EncodeUint(k.tag); err != nil {
		return err
	}
	return k.plan.encode(e, v)
}

func (c *dynamicCoder) decode(d *decoder, v reflect.Value) error {
	if null, err := d.null(); null || err != nil {
		return err
	}
	if err := d.enter(); err != nil {
		return err
	}
	defer d.leave()
	if err := d.arrayOf(2); err != nil {
		return err
	}
	tag, err := d.uint()
	if err != nil {
		return err
	}
	k, ok := dynamicTypes().byTag[tag]
	if !ok || !k.typ.AssignableTo(c.typ) {
		return malformed("type %d in a %s", tag, c.typ)
	}
	content := reflect.New(k.typ).Elem()
	if err := k.plan.decode(d, content); err != nil {
		return err
	}
	v.Set(content)
	return nil
}

// A dynamicType is a type that an interface may hold. None of them is, or has
// within it, an array, a pointer or a struct with fields.
type dynamicType struct {
	tag  uint64
	typ  reflect.Type
	plan *plan
}

type dynamicTable struct {
	byType map[reflect.Type]*dynamicType
	byTag  map[uint64]*dynamicType
}

// dynamicTypes returns the types that an interface may hold. Their tags are
// part of the format: a type may be added at the end of elems or shapes, but
// none may move or go. The tag of a shape of an element is 32 times the place
// of the shape plus the place of the element.
var dynamicTypes = sync.OnceValue(func() *dynamicTable {
	elems := []reflect.Type{
		reflect.TypeFor[bool](),
		reflect.TypeFor[int](), reflect.TypeFor[int8](), reflect.TypeFor[int16](), reflect.TypeFor[int32](), reflect.TypeFor[int64](),
		reflect.TypeFor[uint](), reflect.TypeFor[uint8](), reflect.TypeFor[uint16](), reflect.TypeFor[uint32](), reflect.TypeFor[uint64](),
		reflect.TypeFor[uintptr](),
		reflect.TypeFor[float32](), reflect.TypeFor[float64](),
		reflect.TypeFor[complex64](), reflect.TypeFor[complex128](),
		reflect.TypeFor[string](), reflect.TypeFor[[]byte](),
		timeType, reflect.TypeFor[time.Duration](),
		reflect.TypeFor[struct{}](), reflect.TypeFor[any](),
	}
	mapOf := func(key reflect.Type) func(reflect.Type) reflect.Type {
		return func(elem reflect.Type) reflect.Type { return reflect.MapOf(key, elem) }
	}
	ofString := mapOf(reflect.TypeFor[string]())
	shapes := []func(elem reflect.Type) reflect.Type{
		func(e reflect.Type) reflect.Type { return e },
		reflect.SliceOf,
		ofString,
		mapOf(reflect.TypeFor[int]()),
		mapOf(reflect.TypeFor[int64]()),
		mapOf(reflect.TypeFor[any]()),
		func(e reflect.Type) reflect.Type { return reflect.SliceOf(reflect.SliceOf(e)) },
		func(e reflect.Type) reflect.Type { return ofString(reflect.SliceOf(e)) },
		func(e reflect.Type) reflect.Type { return reflect.SliceOf(ofString(e)) },
		func(e reflect.Type) reflect.Type { return ofString(ofString(e)) },
	}
	var c compiler
	table := &dynamicTable{map[reflect.Type]*dynamicType{}, map[uint64]*dynamicType{}}
	for i, shape := range shapes {
		for j, elem := range elems {
			t := shape(elem)
			// An interface does not hold an interface, and some shapes of
			// uint8 are shapes of []byte already.
			if _, ok := table.byType[t]; ok || t.Kind() == reflect.Interface {
				continue
			}
			k := &dynamicType{tag: uint64(32*i + j), typ: t, plan: c.compile(t)}
			table.byType[t], table.byTag[k.tag] = k, k
		}
	}
	return table
})
