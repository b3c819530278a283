package codec

import "reflect"

// describeWhole describes a type that its own methods encode, down to the last
// unexported field: what methods write depends on them, and they change as the program
// does. Seen are the types that are described already, or being so.
func (c *compiler) describeWhole(t reflect.Type, seen map[reflect.Type]int) {
	if id, ok := seen[t]; ok {
		c.describe("#%d", id)
		return
	}
	seen[t] = len(seen)
	if t.PkgPath() != "" {
		c.describe("%s.%s=", t.PkgPath(), t.Name())
	}
	if t == timeType || t == locationType || exactTypes[t] {
		return
	}
	if synchronised(t) {
		c.fail("it has methods for that, but holds a %s, so what comes back from them cannot be compared with it", t)
		return
	}
	c.describe("%s ", t.Kind())
	switch t.Kind() {
	case reflect.Array:
		c.describe("%d ", t.Len())
		c.describeWhole(t.Elem(), seen)
	case reflect.Slice, reflect.Pointer:
		c.describeWhole(t.Elem(), seen)
	case reflect.Map:
		c.describeWhole(t.Key(), seen)
		c.describeWhole(t.Elem(), seen)
	case reflect.Struct:
		c.describe("{")
		for i := range t.NumField() {
			f := t.Field(i)
			c.describe("%s ", f.Name)
			c.describeWhole(f.Type, seen)
			c.describe(";")
		}
		c.describe("}")
	case reflect.Chan, reflect.Func, reflect.Interface:
		c.describe("%s", t)
	}
}

// synchronised reports whether values of t are changed by several goroutines at
// once.
func synchronised(t reflect.Type) bool {
	return t.PkgPath() == "sync" || t.PkgPath() == "sync/atomic"
}
