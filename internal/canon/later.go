package canon

import (
	"reflect"
	"sync"
)

// A later value is frozen when it is first asked for, as caches hardly ever ask for
// it. The caller that gave it must not change it before.
type later struct {
	once  sync.Once
	given any // nil once it is frozen
	frozen
}

// freeze returns the value as it was when it was first asked for.
func (l *later) freeze() frozen {
	l.once.Do(func() {
		l.frozen = freeze(l.given)
		l.given = nil
	})
	return l.frozen
}

// isShared reports whether v leads to memory that others may be changing. The
// elements of a slice do not count where they are plain: they are copied quickly,
// before the caller goes on.
func isShared(v any) bool { return v != nil && isSharedType(reflect.TypeOf(v)) }

// isSharedType comes to an end, as a struct contains itself only by way of what
// it does not look into.
func isSharedType(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Slice:
		return !isPlain(t.Elem())
	case reflect.Array:
		return isSharedType(t.Elem())
	case reflect.Struct:
		if isPlain(t) {
			return false
		}
		for _, f := range fieldsOf(t) {
			if isSharedType(f.typ) {
				return true
			}
		}
		return false
	}
	return !isPlain(t)
}

// isPlain reports whether values of t are booleans, numbers, texts, times or
// addresses, whose own pointers lead to what does not change, or arrays of such.
func isPlain(t reflect.Type) bool {
	if t.Kind() == reflect.Array {
		return isPlain(t.Elem())
	}
	return isScalar(t.Kind()) || t == timeType || isAddress(t)
}
