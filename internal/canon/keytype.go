package canon

import (
	"fmt"
	"math"
	"reflect"
)

// checkKeyType returns an error if no value of t, or only some by chance, is a
// stable key, and else whether there are values of t that are not.
func checkKeyType(t reflect.Type) (checked bool, err error) {
	checked, part, advice := walkKeyType(t)
	if advice == "" {
		return checked, nil
	}
	if part == "" {
		return false, fmt.Errorf("txcache: key type %s: %s", t, advice)
	}
	return false, fmt.Errorf("txcache: key type %s: part %s: %s", t, part, advice)
}

// walkKeyType returns advice where t cannot be a key, with the path to the part
// of t that it is about.
func walkKeyType(t reflect.Type) (checked bool, part, advice string) {
	switch t {
	case addrType, addrPortType, prefixType:
		return false, "", ""
	case timeType:
		return false, "", "time.Time holds a pointer to its location, so equal instants may differ; use UnixNano or a string"
	}
	switch t.Kind() {
	case reflect.Interface, reflect.Float32, reflect.Float64, reflect.Complex64, reflect.Complex128:
		return true, "", ""
	case reflect.Pointer:
		return false, "", fmt.Sprintf("%s is a pointer, which means nothing in another process; use what it points to, or an identifier", t)
	case reflect.Chan, reflect.Func:
		return false, "", fmt.Sprintf("%s means nothing in another process; use an identifier", t)
	case reflect.UnsafePointer, reflect.Uintptr:
		return false, "", fmt.Sprintf("%s is an address, which means nothing in another process; use a uint64 or an identifier", t)
	case reflect.Array:
		checked, part, advice = walkKeyType(t.Elem())
		return checked, "[]" + part, advice
	case reflect.Struct:
		for _, f := range fieldsOf(t) {
			fieldChecked, part, advice := walkKeyType(f.typ)
			if advice != "" {
				return false, "." + f.name + part, advice
			}
			checked = checked || fieldChecked
		}
		return checked, "", ""
	default:
		return false, "", ""
	}
}

// isStable reports whether v, a value of a type that can be compared, is a
// stable key. It goes through v as the encoder does, so that what is stable can
// be encoded.
func isStable(v reflect.Value, depth int) bool {
	if depth > maxDepth {
		return false
	}
	switch v.Kind() {
	case reflect.Float32, reflect.Float64:
		return !math.IsNaN(v.Float())
	case reflect.Complex64, reflect.Complex128:
		return !math.IsNaN(real(v.Complex())) && !math.IsNaN(imag(v.Complex()))
	case reflect.Interface:
		if v.IsNil() {
			return true
		}
		v = v.Elem()
		if !v.Type().Comparable() {
			return false
		}
		if _, ok := typeID(v.Type()); !ok {
			return false
		}
		return isStable(v, depth+1)
	case reflect.Array:
		if v.Type().Size() == 0 {
			return true // however many elements there are
		}
		for i := range v.Len() {
			if !isStable(v.Index(i), depth+1) {
				return false
			}
		}
		return true
	case reflect.Struct:
		if isAddress(v.Type()) {
			return true
		}
		for _, f := range fieldsOf(v.Type()) {
			if !isStable(v.Field(f.index), depth+1) {
				return false
			}
		}
		return true
	case reflect.Pointer, reflect.Chan, reflect.Func, reflect.UnsafePointer, reflect.Uintptr:
		return false
	default:
		return true
	}
}
