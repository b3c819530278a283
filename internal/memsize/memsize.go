package memsize

import (
	"reflect"
	"sync"
	"time"
)

// A sizer returns how many bytes the value at v refers to, without the value itself.
type sizer func(v reflect.Value, w *walk) int

// A walk is the visit of one value. It ends early in a value that is large: what was not
// looked at counts like what was, where it is of one slice or map, and nothing where it is not.
type walk struct{ left int }

const (
	// mostVisits bounds what one estimate costs.
	mostVisits = 256

	// mostElements is how many elements of a slice or map are looked at: the others are like them.
	mostElements = 16
)

// Of returns a function that estimates how many bytes a T refers to, besides the T itself: the
// memory of its strings, slices, maps, and of what its pointers and interfaces lead to. The
// function is nil if that is nothing for every T. It takes time for what it looks at, at most some
// microseconds. It does not look into anything that has a lock in it, which may change.
func Of[T any]() func(*T) int {
	t := reflect.TypeFor[T]()
	if t.Kind() == reflect.String {
		return func(v *T) int { return Class(len(*any(v).(*string))) }
	}
	size := sizerOf(t)
	if size == nil {
		return nil
	}
	return func(v *T) int { return size(reflect.ValueOf(v).Elem(), &walk{mostVisits}) }
}

var (
	mu     sync.Mutex
	sizers = map[reflect.Type]*lazy{}
)

// lazy is a sizer that may not be there yet, as the type refers to itself.
type lazy struct {
	size sizer
	done bool
}

// sizerOf returns the sizer of t, nil if values of t refer to nothing.
func sizerOf(t reflect.Type) sizer {
	mu.Lock()
	defer mu.Unlock()
	return sizerLocked(t)
}

func sizerLocked(t reflect.Type) sizer {
	if l := sizers[t]; l != nil {
		if l.done {
			return l.size
		}
		return func(v reflect.Value, w *walk) int { return l.size(v, w) } // a type that refers to itself refers to something
	}
	l := &lazy{}
	sizers[t] = l
	l.size = newSizer(t)
	l.done = true
	return l.size
}

func newSizer(t reflect.Type) sizer {
	if mayChange(t) {
		return nil
	}
	switch t.Kind() {
	case reflect.String:
		return func(v reflect.Value, _ *walk) int { return Class(v.Len()) }
	case reflect.Slice:
		return sliceSizer(t)
	case reflect.Array:
		return arraySizer(t)
	case reflect.Struct:
		return structSizer(t)
	case reflect.Pointer:
		return pointerSizer(t)
	case reflect.Map:
		return mapSizer(t)
	case reflect.Interface:
		return sizeInterface
	}
	return nil // numbers refer to nothing; of channels and functions nothing is known
}

// mayChange reports whether what a t refers to may change while it is looked at: a type that
// has a lock or an atomic value in it guards what else it has.
func mayChange(t reflect.Type) bool {
	switch {
	case t.PkgPath() == "sync" || t.PkgPath() == "sync/atomic" || t.PkgPath() == "internal/sync":
		return true
	case t.Kind() == reflect.Array:
		return mayChange(t.Elem())
	case t.Kind() == reflect.Struct:
		for i := range t.NumField() {
			if mayChange(t.Field(i).Type) {
				return true
			}
		}
	}
	return false
}

func sliceSizer(t reflect.Type) sizer {
	each, element := sizerLocked(t.Elem()), int(t.Elem().Size())
	return func(v reflect.Value, w *walk) int {
		return Class(v.Cap()*element) + elements(v, each, w)
	}
}

func arraySizer(t reflect.Type) sizer {
	each := sizerLocked(t.Elem())
	if each == nil || t.Len() == 0 {
		return nil
	}
	return func(v reflect.Value, w *walk) int { return elements(v, each, w) }
}

// elements returns what the elements of a slice or an array refer to.
func elements(v reflect.Value, each sizer, w *walk) (bytes int) {
	n := v.Len()
	if each == nil || n == 0 {
		return 0
	}
	looked, step := 0, max(1, n/mostElements)
	for i := 0; i < n && w.visit(); i += step {
		bytes += each(v.Index(i), w)
		looked++
	}
	return extrapolated(bytes, looked, n)
}

// visit reports whether there is time for one more.
func (w *walk) visit() bool {
	w.left--
	return w.left >= 0
}

func extrapolated(bytes, looked, n int) int {
	if looked == 0 {
		return 0
	}
	return int(int64(bytes) * int64(n) / int64(looked))
}

func structSizer(t reflect.Type) sizer {
	type field struct {
		index int
		size  sizer
	}
	var fields []field
	for i := range t.NumField() {
		if size := sizerLocked(t.Field(i).Type); size != nil {
			fields = append(fields, field{i, size})
		}
	}
	if len(fields) == 0 {
		return nil
	}
	return func(v reflect.Value, w *walk) (bytes int) {
		for _, f := range fields {
			bytes += f.size(v.Field(f.index), w)
		}
		return bytes
	}
}

func pointerSizer(t reflect.Type) sizer {
	if t.Elem() == reflect.TypeFor[time.Location]() {
		return nil // all times share it
	}
	each, element := sizerLocked(t.Elem()), Class(int(t.Elem().Size()))
	return func(v reflect.Value, w *walk) int {
		if v.IsNil() || !w.visit() {
			return 0
		}
		if each == nil {
			return element
		}
		return element + each(v.Elem(), w)
	}
}

// mapSizer knows the maps of Go since 1.24: groups of eight slots with a word of control
// bytes each, of which seven eighths are taken at most, and half after the map has grown.
func mapSizer(t reflect.Type) sizer {
	key, value := sizerLocked(t.Key()), sizerLocked(t.Elem())
	slot := int(t.Key().Size() + t.Elem().Size())
	const header, group = 48, 8
	return func(v reflect.Value, w *walk) int {
		if v.IsNil() {
			return 0
		}
		n := v.Len()
		if n == 0 {
			return header
		}
		groups := 1
		for group*groups*7/8 < n && n > group {
			groups *= 2
		}
		bytes := header + Class(groups*(8+group*slot))
		if key == nil && value == nil {
			return bytes
		}
		inner, looked := 0, 0
		for each := v.MapRange(); looked < mostElements && each.Next() && w.visit(); looked++ {
			if key != nil {
				inner += key(each.Key(), w)
			}
			if value != nil {
				inner += value(each.Value(), w)
			}
		}
		return bytes + extrapolated(inner, looked, n)
	}
}

// sizeInterface is the sizer of what an interface holds. A pointer is in the interface itself,
// and so are small numbers.
func sizeInterface(v reflect.Value, w *walk) int {
	if v.IsNil() || !w.visit() {
		return 0
	}
	v = v.Elem()
	bytes := 0
	switch v.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Chan, reflect.Func, reflect.UnsafePointer, reflect.Bool, reflect.Int8, reflect.Uint8:
	default:
		bytes = Class(int(v.Type().Size()))
	}
	if size := sizerOf(v.Type()); size != nil {
		bytes += size(v, w)
	}
	return bytes
}
