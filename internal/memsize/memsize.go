package memsize

import (
	"reflect"
	"slices"
	"sync"
	"time"
)

// A sizer returns how many bytes the value at v refers to, without the value itself.
type sizer func(v reflect.Value, w *walk) int

// A walk is the visit of one value. It ends early in a value that is large: what was not
// looked at counts like what was, where it is of one slice or map, and nothing where it is not.
type walk struct {
	left int
	seen []uintptr // what was met that may refer to something

	// again says that something was met twice. Then there may be a cycle, in which each turn would
	// multiply the estimate: where the walk ends early nothing is added for what was not looked at.
	again bool
}

const (
	// mostVisits bounds what one estimate costs.
	mostVisits = 256

	// mostElements is how many elements of a slice or map are looked at: the others are like them.
	mostElements = 16

	// mostBytes is the highest estimate.
	mostBytes = 1 << 40
)

// Of returns a function that estimates how many bytes a T refers to, besides the T itself: the
// memory of its strings, slices, maps, and of what its pointers and interfaces lead to. The
// function is nil if that is nothing for every T. It takes time for what it looks at, at most some
// microseconds. It does not look into anything that has a lock in it, which may change.
func Of[T any]() func(*T) int {
	t := reflect.TypeFor[T]()
	if t.Kind() == reflect.String {
		if _, ok := any((*T)(nil)).(*string); ok { // a type of another name is sized as others are
			return func(v *T) int { return Class(len(*any(v).(*string))) }
		}
	}
	size := sizerOf(t)
	if size == nil {
		return nil
	}
	return func(v *T) int {
		w := walks.Get().(*walk)
		w.left, w.seen, w.again = mostVisits, w.seen[:0], false
		bytes := size(reflect.ValueOf(v).Elem(), w)
		walks.Put(w)
		return bytes
	}
}

var walks = sync.Pool{New: func() any { return new(walk) }}

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
		return func(v reflect.Value, w *walk) int { return l.of(v, w) }
	}
	l := &lazy{}
	sizers[t] = l
	l.size = newSizer(t)
	l.done = true
	return l.size
}

// of is the sizer once the type is known in whole: it may refer to itself by an array of no length alone.
func (l *lazy) of(v reflect.Value, w *walk) int {
	if l.size == nil {
		return 0
	}
	return l.size(v, w)
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
// has a lock or an atomic value in it, or a pointer to one, guards what else it has.
func mayChange(t reflect.Type) bool {
	switch {
	case guards(t) || t.Kind() == reflect.Pointer && guards(t.Elem()):
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

func guards(t reflect.Type) bool {
	return t.PkgPath() == "sync" || t.PkgPath() == "sync/atomic" || t.PkgPath() == "internal/sync"
}

func sliceSizer(t reflect.Type) sizer {
	each, element := sizerLocked(t.Elem()), int(t.Elem().Size())
	return func(v reflect.Value, w *walk) int {
		if each != nil && v.Len() > 0 && w.met(v.Pointer()) {
			return 0
		}
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
	return w.extrapolated(bytes, looked, n)
}

// met reports whether the walk has been at p, and takes note of it.
func (w *walk) met(p uintptr) bool {
	if slices.Contains(w.seen, p) {
		w.again = true
		return true
	}
	w.seen = append(w.seen, p)
	return false
}

// visit reports whether there is time for one more.
func (w *walk) visit() bool {
	w.left--
	return w.left >= 0
}

// extrapolated returns what n elements refer to if those that were looked at refer to so many bytes.
func (w *walk) extrapolated(bytes, looked, n int) int {
	if looked == 0 || w.again && w.left < 0 {
		return bytes
	}
	return int(min(float64(bytes)*float64(n)/float64(looked), mostBytes))
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
		switch {
		case each == nil:
			return element
		case w.met(v.Pointer()):
			return 0
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
		if w.met(v.Pointer()) {
			return 0
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
		return bytes + w.extrapolated(inner, looked, n)
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
