package txcachetest

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// A snapshot describes a value in depth, as it is at one moment. It is a graph
// like the value itself: what pointers, slices and maps refer to is described
// once, so cycles end and the order in which a map is walked makes no difference.
//
// The usual libraries do not fit. github.com/google/go-cmp compares with a copy,
// which cannot be made of unexported fields; github.com/davecgh/go-spew writes a
// text, without paths; hashes do not tell what has changed.
type snapshot struct {
	root     node
	referred map[reference]node
	open     []reflect.Value // pointers, slices and maps that were met and not yet followed
}

// A node is one part of a value.
type node struct {
	typ     reflect.Type    // nil: an interface that holds nothing
	scalar  any             // of what has no parts, and the bytes of a slice; comparable
	ref     reference       // of a pointer, slice or map that is not nil
	parts   []node          // of a struct or an array; what an interface holds or a pointer points to
	entries map[string]node // of a map
	size    int             // of a map, those entries included that are left out
}

// A reference is what a pointer, slice or map refers to; the zero one is none.
type reference struct {
	typ     reflect.Type
	address uintptr
	len     int // of a slice
}

// An identity is the address of something that is not looked into.
type identity uintptr

// A number is the text of a float or a complex number, of which NaN is equal to
// itself.
type number string

func takeSnapshot(value any) *snapshot {
	s := &snapshot{referred: map[reference]node{}}
	v := reflect.ValueOf(value)
	if v.Kind() == reflect.Pointer && !v.IsNil() && !isSync(v.Type().Elem()) {
		s.root = s.refer(v) // although it may guard itself
	} else {
		s.root = s.describe(v, 0)
	}
	for len(s.open) > 0 {
		v := s.open[0]
		s.open = s.open[1:]
		s.follow(v)
	}
	return s
}

// sameAs reports whether both are of values that refer to the same things, so
// that what changes in one changes in the other.
func (s *snapshot) sameAs(o *snapshot) bool {
	for ref := range s.referred {
		if _, ok := o.referred[ref]; !ok {
			return false
		}
	}
	return len(s.referred) == len(o.referred)
}

// deepest is how deep interfaces may hold values that hold interfaces.
const deepest = 1000

// describe returns the node of v. It calls no method of a value and needs no
// exported field, so that it works for any type.
func (s *snapshot) describe(v reflect.Value, depth int) node {
	if !v.IsValid() {
		return node{}
	}
	n := node{typ: v.Type()}
	if isSync(n.typ) || depth > deepest {
		return n
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		switch {
		case v.IsNil():
		case v.Kind() == reflect.Pointer && guardsItself(n.typ.Elem()):
			n.scalar = identity(v.Pointer())
		default:
			return s.refer(v)
		}
	case reflect.Interface:
		n.parts = []node{s.describe(v.Elem(), depth+1)}
	case reflect.Struct:
		for i := range v.NumField() {
			n.parts = append(n.parts, s.describe(v.Field(i), depth))
		}
	case reflect.Array:
		n.parts = s.elements(v, depth)
	default:
		n.scalar = scalar(v)
	}
	return n
}

// refer returns the node of a pointer, slice or map that is not nil.
func (s *snapshot) refer(v reflect.Value) node {
	ref := referenceOf(v)
	if _, met := s.referred[ref]; !met {
		s.referred[ref] = node{}
		s.open = append(s.open, v)
	}
	return node{typ: v.Type(), ref: ref}
}

// follow describes what v refers to.
func (s *snapshot) follow(v reflect.Value) {
	n := node{typ: v.Type()}
	switch v.Kind() {
	case reflect.Pointer:
		n.parts = []node{s.describe(v.Elem(), 0)}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			n.scalar = string(v.Bytes()) // there are large ones
		} else {
			n.parts = s.elements(v, 0)
		}
	case reflect.Map:
		n.size = v.Len()
		n.entries = make(map[string]node, v.Len())
		for i := v.MapRange(); i.Next(); {
			if i.Key().Equal(i.Key()) {
				n.entries[keyText(i.Key())] = s.describe(i.Value(), 0)
			}
		}
	}
	s.referred[referenceOf(v)] = n
}

func (s *snapshot) elements(v reflect.Value, depth int) []node {
	parts := make([]node, v.Len())
	for i := range parts {
		parts[i] = s.describe(v.Index(i), depth)
	}
	return parts
}

func referenceOf(v reflect.Value) reference {
	ref := reference{typ: v.Type(), address: v.Pointer()}
	if v.Kind() == reflect.Slice {
		ref.len = v.Len()
	}
	return ref
}

// scalar returns what tells v, which has no parts, from others of its type.
func scalar(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Bool:
		return v.Bool()
	case reflect.Float32, reflect.Float64:
		return number(fmt.Sprint(v.Float()))
	case reflect.Complex64, reflect.Complex128:
		return number(fmt.Sprint(v.Complex()))
	case reflect.String:
		return strings.Clone(v.String()) // its bytes may be those of a buffer
	case reflect.Func, reflect.Chan, reflect.Pointer, reflect.UnsafePointer:
		return identity(v.Pointer())
	}
	if v.CanInt() {
		return v.Int()
	}
	return v.Uint()
}

// keyText returns a text that no other key of the same map has.
func keyText(k reflect.Value) string {
	var parts []string
	switch k.Kind() {
	case reflect.Interface:
		if k.IsNil() {
			return "nil"
		}
		return k.Elem().Type().String() + "(" + keyText(k.Elem()) + ")"
	case reflect.Struct:
		for i := range k.NumField() {
			parts = append(parts, keyText(k.Field(i)))
		}
	case reflect.Array:
		for i := range k.Len() {
			parts = append(parts, keyText(k.Index(i)))
		}
	default:
		return scalarText(scalar(k))
	}
	return "{" + strings.Join(parts, " ") + "}"
}

func scalarText(scalar any) string {
	switch s := scalar.(type) {
	case nil:
		return "nil"
	case string:
		return fmt.Sprintf("%q", s)
	case identity:
		if s == 0 {
			return "nil"
		}
		return fmt.Sprintf("%#x", uintptr(s))
	}
	return fmt.Sprint(scalar)
}

// isSync reports whether t is of package sync or sync/atomic.
func isSync(t reflect.Type) bool {
	return t.PkgPath() == "sync" || t.PkgPath() == "sync/atomic"
}

// guardsItself reports whether only the identity of a t counts that a pointer
// points to: it has a lock or an atomic of its own, or is a *time.Location,
// which package time fills in.
func guardsItself(t reflect.Type) bool {
	if isSync(t) || t == reflect.TypeFor[time.Location]() {
		return true
	}
	if t.Kind() != reflect.Struct {
		return false
	}
	for i := range t.NumField() {
		f := t.Field(i).Type
		if f.Kind() == reflect.Pointer && isSync(f.Elem()) || f.Kind() != reflect.Pointer && guardsItself(f) {
			return true
		}
	}
	return false
}
