package canon

import (
	"math"
	"net/netip"
	"reflect"
	"strconv"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"
)

// maxReadable is the length in bytes up to which a text stands for itself.
const maxReadable = 64

// Keys handles the keys of one cache. It is immutable and safe for concurrent
// use. It is made by NewKeys.
type Keys[K comparable] struct {
	checked     bool
	description string // of K
}

// NewKeys returns the Keys of type K. It fails where values of K mean nothing
// outside of this process, or where == tells values apart that are the same:
// pointers, channels, uintptr, time.Time, and whatever contains them. The error
// names the part of K that is in the way, and what to use instead.
//
// Interface types are allowed; their values are checked one by one, by Stable.
// So are the types of package net/netip, whose == is sound.
func NewKeys[K comparable]() (*Keys[K], error) {
	t := reflect.TypeFor[K]()
	checked, err := checkKeyType(t)
	if err != nil {
		return nil, err
	}
	return &Keys[K]{checked, describe(t)}, nil
}

// Checked reports whether some values of K are no stable keys, because K
// contains a float or an interface. Stable must then be asked before a key is
// hashed or compared.
func (k *Keys[K]) Checked() bool { return k.checked }

// Stable reports whether key can be compared, equals itself, and means the same
// in another process. NaN does not, nor does an interface that holds a value of
// a type that NewKeys would reject or that cannot be compared. A nil interface
// is a stable key. Stable never panics.
func (k *Keys[K]) Stable(key K) bool {
	if !k.checked {
		return true
	}
	switch x := any(key).(type) {
	case nil, string, bool, int, int64, int32, uint64, uint32:
		return true
	case float64:
		return !math.IsNaN(x)
	}
	return isStable(reflect.ValueOf(&key).Elem(), 0)
}

// Text returns the canonical text of key, which must be stable. Two keys have
// the same text if, and only if, they are equal; also keys of two types K never
// meet, except that a named type of numbers or strings counts as its kind, and
// an interface as what it holds.
//
// The text is valid UTF-8: a tag and the value where that is a number, a
// boolean, an address or a string of no more than 64 bytes, else a tag and a
// digest. It is not escaped in any way.
func (k *Keys[K]) Text(key K) string {
	switch x := any(key).(type) {
	case string:
		return stringText(x)
	case int:
		return intText(reflect.Int, int64(x))
	case int64:
		return intText(reflect.Int64, x)
	case int32:
		return intText(reflect.Int32, int64(x))
	case uint64:
		return uintText(reflect.Uint64, x)
	case uint32:
		return uintText(reflect.Uint32, uint64(x))
	}
	if text, ok := scalarText(reflect.ValueOf(&key).Elem()); ok {
		return text
	}
	return k.reflectText(key)
}

// Hash returns a hash of the text of key, which must be stable. It is the same in
// every process.
func (k *Keys[K]) Hash(key K) uint64 {
	var b [maxReadable + 8]byte // room for the usual keys, of which no text is allocated
	switch x := any(key).(type) {
	case string:
		if isReadable(x) {
			return xxhash.Sum64(append(append(b[:0], tag(reflect.String)...), x...))
		}
	case int:
		return xxhash.Sum64(appendInt(b[:0], reflect.Int, int64(x)))
	case int64:
		return xxhash.Sum64(appendInt(b[:0], reflect.Int64, x))
	case int32:
		return xxhash.Sum64(appendInt(b[:0], reflect.Int32, int64(x)))
	case uint64:
		return xxhash.Sum64(appendUint(b[:0], reflect.Uint64, x))
	case uint32:
		return xxhash.Sum64(appendUint(b[:0], reflect.Uint32, uint64(x)))
	}
	return Hash(k.Text(key))
}

// Hash returns a hash of text, which is the same in every process.
func Hash(text string) uint64 { return xxhash.Sum64String(text) }

// reflectText is apart from Text because key must be allocated here.
func (k *Keys[K]) reflectText(key K) string {
	v := reflect.ValueOf(&key).Elem()
	if v.Kind() == reflect.Interface {
		return dynamicText(v)
	}
	return structureText(v, k.description)
}

// dynamicText returns the text of what the interface v holds.
func dynamicText(v reflect.Value) string {
	if v.IsNil() {
		return "nil"
	}
	v = v.Elem()
	if v.Type().PkgPath() == "" {
		if text, ok := scalarText(v); ok {
			return text
		}
	}
	description, _ := typeID(v.Type())
	return structureText(v, description)
}

// scalarText returns the text of a boolean, a number or a string.
func scalarText(v reflect.Value) (text string, ok bool) {
	switch kind := v.Kind(); kind {
	case reflect.Bool:
		return tag(kind) + strconv.FormatBool(v.Bool()), true
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return intText(kind, v.Int()), true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return uintText(kind, v.Uint()), true
	case reflect.Float32, reflect.Float64:
		return tag(kind) + strconv.FormatFloat(unsigned(v.Float()), 'g', -1, v.Type().Bits()), true
	case reflect.Complex64, reflect.Complex128:
		c := complex(unsigned(real(v.Complex())), unsigned(imag(v.Complex())))
		return tag(kind) + strconv.FormatComplex(c, 'g', -1, v.Type().Bits()), true
	case reflect.String:
		return stringText(v.String()), true
	default:
		return "", false
	}
}

func intText(kind reflect.Kind, i int64) string {
	var b [32]byte
	return string(appendInt(b[:0], kind, i))
}

func appendInt(dst []byte, kind reflect.Kind, i int64) []byte {
	return strconv.AppendInt(append(dst, tag(kind)...), i, 10)
}

func uintText(kind reflect.Kind, u uint64) string {
	var b [32]byte
	return string(appendUint(b[:0], kind, u))
}

func appendUint(dst []byte, kind reflect.Kind, u uint64) []byte {
	return strconv.AppendUint(append(dst, tag(kind)...), u, 10)
}

func stringText(s string) string {
	if isReadable(s) {
		return tag(reflect.String) + s
	}
	return "s#" + digest([]byte(s))
}

// addressText returns the text of a valid address; the String methods of
// package netip give all invalid ones the same.
func addressText(v reflect.Value) (text string, ok bool) {
	switch v.Type() {
	case addrType:
		a := v.Interface().(netip.Addr)
		text, ok = "ip."+a.String(), a.IsValid()
	case addrPortType:
		a := v.Interface().(netip.AddrPort)
		text, ok = "ipport."+a.String(), a.IsValid()
	case prefixType:
		p := v.Interface().(netip.Prefix)
		text, ok = "ipnet."+p.String(), p.IsValid()
	}
	return text, ok && isReadable(text)
}

// structureText returns the text of a value that is no scalar, or one whose
// type counts. The description of that is part of what the digest is made of.
func structureText(v reflect.Value, description string) string {
	if text, ok := addressText(v); ok {
		return text
	}
	e := newEncoder()
	e.string(description)
	if !e.value(v) {
		return "" // not a stable key
	}
	return "k#" + digest(e.buf)
}

func isReadable(s string) bool { return len(s) <= maxReadable && utf8.ValidString(s) }

// unsigned makes the two zeros, which are equal, one.
func unsigned(f float64) float64 {
	if f == 0 {
		return 0
	}
	return f
}

// tag returns what stands before the readable text of a scalar.
func tag(kind reflect.Kind) string {
	return tags[kind]
}

var tags = [...]string{
	reflect.Bool:       "b.",
	reflect.Int:        "i.",
	reflect.Int8:       "i8.",
	reflect.Int16:      "i16.",
	reflect.Int32:      "i32.",
	reflect.Int64:      "i64.",
	reflect.Uint:       "u.",
	reflect.Uint8:      "u8.",
	reflect.Uint16:     "u16.",
	reflect.Uint32:     "u32.",
	reflect.Uint64:     "u64.",
	reflect.Float32:    "f32.",
	reflect.Float64:    "f64.",
	reflect.Complex64:  "c64.",
	reflect.Complex128: "c128.",
	reflect.String:     "s.",
}
