package canon

import (
	"math"
	"reflect"
)

// Convert returns key, whose type the caller does not know, as a K. It returns false if
// it is in doubt which K is meant. It is not if key is a K; if both are integers, and K
// has that number; and if their types differ in nothing but the name. An interface in K leaves
// it in doubt, as the keys 7 of two types are two keys.
func (k *Keys[K]) Convert(key any) (K, bool) {
	var converted K
	to := reflect.ValueOf(&converted).Elem()
	if hasInterface(to.Type()) {
		return converted, false
	}
	if same, ok := key.(K); ok {
		return same, true
	}
	v := reflect.ValueOf(key)
	switch {
	case v.CanInt() && to.CanInt() && !to.OverflowInt(v.Int()):
		to.SetInt(v.Int())
	case v.CanInt() && to.CanUint() && v.Int() >= 0 && !to.OverflowUint(uint64(v.Int())):
		to.SetUint(uint64(v.Int()))
	case v.CanUint() && to.CanUint() && !to.OverflowUint(v.Uint()):
		to.SetUint(v.Uint())
	case v.CanUint() && to.CanInt() && v.Uint() <= math.MaxInt64 && !to.OverflowInt(int64(v.Uint())):
		to.SetInt(int64(v.Uint()))
	case v.Kind() == to.Kind() && !v.CanInt() && !v.CanUint() && v.CanConvert(to.Type()):
		to.Set(v.Convert(to.Type()))
	default:
		return converted, false
	}
	return converted, true
}

// hasInterface reports whether a type of keys is an interface or contains one.
func hasInterface(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Interface:
		return true
	case reflect.Array:
		return hasInterface(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if hasInterface(t.Field(i).Type) {
				return true
			}
		}
	}
	return false
}
