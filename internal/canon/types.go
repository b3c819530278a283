package canon

import (
	"crypto/sha256"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Types that count as something other than the sum of their fields.
var (
	timeType     = reflect.TypeFor[time.Time]()
	locationType = reflect.TypeFor[time.Location]()
	addrType     = reflect.TypeFor[netip.Addr]()
	addrPortType = reflect.TypeFor[netip.AddrPort]()
	prefixType   = reflect.TypeFor[netip.Prefix]()
)

func isAddress(t reflect.Type) bool {
	return t == addrType || t == addrPortType || t == prefixType
}

// A field is a field of a struct that == looks at.
type field struct {
	index    int
	name     string
	typ      reflect.Type
	exported bool
}

var fieldCache sync.Map // reflect.Type to []field

// fieldsOf returns the fields of the struct type t, without the blank ones.
func fieldsOf(t reflect.Type) []field {
	if fields, ok := fieldCache.Load(t); ok {
		return fields.([]field)
	}
	fields := []field{}
	for i := range t.NumField() {
		if f := t.Field(i); f.Name != "_" {
			fields = append(fields, field{i, f.Name, f.Type, f.IsExported()})
		}
	}
	cached, _ := fieldCache.LoadOrStore(t, fields)
	return cached.([]field)
}

type identifier struct {
	text string
	ok   bool
}

var (
	typeIDs   sync.Map // reflect.Type to identifier
	typeOfIDs sync.Map // the text of an identifier to the reflect.Type that has it
)

// describe returns what stands for t in an encoding: its description, or a
// digest of that if it is long.
func describe(t reflect.Type) string {
	if t.PkgPath() == "" && isScalar(t.Kind()) {
		return t.Kind().String()
	}
	var d description
	d.add(t)
	text := d.text.String()
	if len(text) > sha256.Size {
		sum := sha256.Sum256([]byte(text))
		text = "#" + string(sum[:])
	}
	return text
}

// typeID returns describe(t), from memory if it can. It returns false if there
// was another type with that description before.
func typeID(t reflect.Type) (string, bool) {
	if t.PkgPath() == "" && isScalar(t.Kind()) {
		return t.Kind().String(), true
	}
	if id, ok := typeIDs.Load(t); ok {
		id := id.(identifier)
		return id.text, id.ok
	}
	text := describe(t)
	first, _ := typeOfIDs.LoadOrStore(text, t)
	id := identifier{text, first == t}
	typeIDs.Store(t, id)
	return id.text, id.ok
}

func isScalar(k reflect.Kind) bool {
	return k >= reflect.Bool && k <= reflect.Complex128 && k != reflect.Uintptr || k == reflect.String
}

// A description is a type in words. A named type is spelt out where it first
// comes up, so recursive types come to an end.
type description struct {
	text strings.Builder
	seen []reflect.Type
}

func (d *description) add(t reflect.Type) {
	if t.PkgPath() != "" {
		d.words(strconv.Quote(t.PkgPath()), ".", strconv.Quote(t.Name()))
		// What the library's types consist of may differ between Go releases.
		if isAddress(t) || t == timeType || t == locationType || slices.Contains(d.seen, t) {
			return
		}
		d.seen = append(d.seen, t)
		d.words("=")
	}
	switch t.Kind() {
	case reflect.Pointer:
		d.words("*")
		d.add(t.Elem())
	case reflect.Slice:
		d.words("[]")
		d.add(t.Elem())
	case reflect.Array:
		d.words("[", strconv.Itoa(t.Len()), "]")
		d.add(t.Elem())
	case reflect.Map:
		d.words("map[")
		d.add(t.Key())
		d.words("]")
		d.add(t.Elem())
	case reflect.Struct:
		d.addFields(t)
	case reflect.Interface, reflect.Func, reflect.Chan, reflect.UnsafePointer:
		d.words(strconv.Quote(t.String()))
	default:
		d.words(t.Kind().String())
	}
}

// addFields adds all that makes two struct types different ones.
func (d *description) addFields(t reflect.Type) {
	d.words("struct{")
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			d.words("!")
		}
		d.words(strconv.Quote(f.PkgPath), f.Name, " ")
		d.add(f.Type)
		d.words(strconv.Quote(string(f.Tag)), ";")
	}
	d.words("}")
}

func (d *description) words(words ...string) {
	for _, w := range words {
		d.text.WriteString(w)
	}
}
