package codec

import (
	"math/big"
	"reflect"
	"time"
	"unsafe"
)

// same reports whether two values of one type, both addressable, are the same to
// the last unexported field: as [reflect.DeepEqual] does, but
//
//   - a time is the same at the same instant, offset and name of its location
//   - a number of package math/big is the same if nothing but its representation differs
//   - a NaN is the same as any, and 0 is not -0
//   - where a type has a method Equal, or else Cmp, by which the two are equal, a
//     nil pointer within it is the same as one to a zero value, and a nil slice or map as an empty one
//
// The last is for types such as decimals, whose zero value is nothing but a
// nil pointer. What Equal says beyond that is not asked, as it may be equality for some purpose only.
func same(a, b reflect.Value) (same bool) {
	defer func() {
		if recover() != nil { // a method Equal that cannot take what it got
			same = false
		}
	}()
	return (&comparison{}).same(a, b)
}

// A comparison is the state of one call of same.
type comparison struct {
	depth int
	loose bool // nil is the same as zero
	met   map[met]bool
}

// met is a pair of references that is being compared, or was found to be the same.
type met struct {
	a, b unsafe.Pointer
	len  int
	typ  reflect.Type
}

var locationType = reflect.TypeFor[time.Location]()

func (c *comparison) same(a, b reflect.Value) bool {
	if c.depth++; c.depth > maxDepth {
		return false
	}
	defer func() { c.depth-- }()
	switch p, q := a.Addr().Interface(), b.Addr().Interface(); p := p.(type) {
	case *time.Time:
		return sameTime(*p, *q.(*time.Time))
	case *big.Int:
		return p.Cmp(q.(*big.Int)) == 0
	case *big.Rat:
		return p.Cmp(q.(*big.Rat)) == 0
	case *big.Float:
		q := q.(*big.Float)
		return p.Cmp(q) == 0 && p.Signbit() == q.Signbit() && p.Prec() == q.Prec() && p.Mode() == q.Mode()
	}
	switch a.Kind() {
	case reflect.Struct:
		return c.sameStruct(a, b)
	case reflect.Array:
		return c.sameElems(a, b)
	case reflect.Slice:
		if a.Len() != b.Len() || a.IsNil() != b.IsNil() && !c.loose {
			return false
		}
		return c.meets(a, b, a.Len()) || c.sameElems(a, b)
	case reflect.Map:
		if a.Len() != b.Len() || a.IsNil() != b.IsNil() && !c.loose {
			return false
		}
		return c.meets(a, b, a.Len()) || c.sameEntries(a, b)
	case reflect.Pointer:
		switch {
		case a.IsNil() && b.IsNil():
			return true
		case a.IsNil() || b.IsNil():
			if !c.loose {
				return false
			}
			return c.same(targetOf(a), targetOf(b))
		case a.Type().Elem() == locationType: // which the library may be filling in
			return a.UnsafePointer() == b.UnsafePointer()
		}
		return c.meets(a, b, 1) || c.same(a.Elem(), b.Elem())
	case reflect.Interface:
		if a.IsNil() || b.IsNil() {
			return a.IsNil() && b.IsNil()
		}
		return a.Elem().Type() == b.Elem().Type() && c.same(addressable(a.Elem()), addressable(b.Elem()))
	case reflect.Func:
		return a.IsNil() && b.IsNil()
	case reflect.Float32, reflect.Float64:
		return sameFloat(a.Float(), b.Float())
	case reflect.Complex64, reflect.Complex128:
		x, y := a.Complex(), b.Complex()
		return sameFloat(real(x), real(y)) && sameFloat(imag(x), imag(y))
	}
	return a.Equal(b)
}

func (c *comparison) sameStruct(a, b reflect.Value) bool {
	if synchronised(a.Type()) { // within an interface, as the compiler sees the others
		return false
	}
	for i := range a.NumField() {
		if !c.same(fieldOf(a, i), fieldOf(b, i)) {
			return !c.loose && agree(a, b) && (&comparison{depth: c.depth, loose: true}).sameStruct(a, b)
		}
	}
	return true
}

func (c *comparison) sameElems(a, b reflect.Value) bool {
	for i := range a.Len() {
		if !c.same(a.Index(i), b.Index(i)) {
			return false
		}
	}
	return true
}

func (c *comparison) sameEntries(a, b reflect.Value) bool {
	for entry := a.MapRange(); entry.Next(); {
		other := b.MapIndex(entry.Key())
		if !other.IsValid() || !c.same(addressable(entry.Value()), addressable(other)) {
			return false
		}
	}
	return true
}

// meets reports whether a and b are one, or have been met: what is being compared
// is the same if nothing else says that it is not.
func (c *comparison) meets(a, b reflect.Value, n int) bool {
	m := met{a.UnsafePointer(), b.UnsafePointer(), n, a.Type()}
	if m.a == m.b || c.met[m] {
		return true
	}
	if c.met == nil {
		c.met = map[met]bool{}
	}
	c.met[m] = true
	return false
}

// agree reports whether a and b are equal by a method of their type.
func agree(a, b reflect.Value) bool {
	equal := a.Addr().MethodByName("Equal")
	if !equal.IsValid() {
		equal = a.Addr().MethodByName("Cmp")
	}
	if !equal.IsValid() || equal.Type().NumIn() != 1 || equal.Type().NumOut() != 1 {
		return false
	}
	switch equal.Type().In(0) {
	case b.Type():
	case reflect.PointerTo(b.Type()):
		b = b.Addr()
	default:
		return false
	}
	switch result := equal.Call([]reflect.Value{b})[0]; result.Kind() {
	case reflect.Bool:
		return result.Bool()
	case reflect.Int:
		return result.Int() == 0
	}
	return false
}

func sameTime(a, b time.Time) bool {
	name, offset := a.Zone()
	otherName, otherOffset := b.Zone()
	return a.Equal(b) && offset == otherOffset && name == otherName && a.Location().String() == b.Location().String()
}

func sameFloat(a, b float64) bool {
	return a == b && (a != 0 || 1/a == 1/b) || a != a && b != b
}

// fieldOf returns a field of a struct, which is addressable, as if it were exported.
func fieldOf(v reflect.Value, i int) reflect.Value {
	f := v.Field(i)
	if !f.CanInterface() {
		f = reflect.NewAt(f.Type(), f.Addr().UnsafePointer()).Elem()
	}
	return f
}

// targetOf returns what a pointer points to, which is zero if it is nil.
func targetOf(p reflect.Value) reflect.Value {
	if p.IsNil() {
		return reflect.New(p.Type().Elem()).Elem()
	}
	return p.Elem()
}

// addressable returns a copy of v that is.
func addressable(v reflect.Value) reflect.Value {
	copied := reflect.New(v.Type()).Elem()
	copied.Set(v)
	return copied
}
