package codec_test

import (
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"net/url"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seed-dad15c92/txcache/internal/codec"
)

func FuzzRandomTypes(f *testing.F) { f.Fuzz(rapid.MakeFuzz(randomType)) }

func TestRandomValuesOfRandomTypesComeBackOrAreRefused(t *testing.T) { rapid.Check(t, randomType) }

// randomType makes a type, and values of it. What is not refused comes back
// deeply equal, and alike to every codec of that type.
func randomType(t *rapid.T) {
	typ := drawType(t, 4)
	c, err := codec.ForType(typ)
	if err != nil {
		if !errors.Is(err, codec.ErrUnsupported) {
			t.Fatalf("%s: %v", typ, err)
		}
		return
	}
	for range 4 {
		v := reflect.New(typ).Elem()
		drawValue(t, v, 5)
		data, err := c.Encode(v)
		if errors.Is(err, codec.ErrUnsupported) {
			continue
		}
		if err != nil {
			t.Fatalf("%s: %#v: %v", typ, v, err)
		}
		got, err := c.Decode(data)
		if err != nil {
			t.Fatalf("%s: %#v: %v", typ, v, err)
		}
		if !reflect.DeepEqual(got.Interface(), v.Interface()) {
			t.Fatalf("%s: %#v came back as %#v", typ, v, got)
		}
	}
}

// leaves are the types that others are made of: plain ones, such as have methods
// that lose something, and such as cannot be encoded. Left out is amount, which
// comes back equal, but not deeply so.
var leaves = []reflect.Type{
	reflect.TypeFor[bool](), reflect.TypeFor[int](), reflect.TypeFor[int8](), reflect.TypeFor[uint64](), reflect.TypeFor[float64](), reflect.TypeFor[complex64](),
	reflect.TypeFor[string](), reflect.TypeFor[byte](), reflect.TypeFor[any](), reflect.TypeFor[struct{}](), reflect.TypeFor[time.Time](), reflect.TypeFor[time.Duration](),
	reflect.TypeFor[enum](), reflect.TypeFor[nullable](), reflect.TypeFor[day](), reflect.TypeFor[version](), reflect.TypeFor[set](), reflect.TypeFor[secret](), reflect.TypeFor[stamp](),
	reflect.TypeFor[celsius](), reflect.TypeFor[sealed](), reflect.TypeFor[lossy](), reflect.TypeFor[ownText](), reflect.TypeFor[channel](), reflect.TypeFor[knot](), reflect.TypeFor[tangle](),
	reflect.TypeFor[both](), reflect.TypeFor[weather](), reflect.TypeFor[point](), reflect.TypeFor[node](), reflect.TypeFor[stamped](),
	reflect.TypeFor[*big.Int](), reflect.TypeFor[big.Rat](), reflect.TypeFor[*big.Float](), reflect.TypeFor[netip.Prefix](), reflect.TypeFor[netip.Addr](), reflect.TypeFor[url.URL](),
	reflect.TypeFor[chan int](), reflect.TypeFor[func()](), reflect.TypeFor[unexported](), reflect.TypeFor[locked](),
}

func drawType(t *rapid.T, depth int) reflect.Type {
	shape := rapid.IntRange(0, 8).Draw(t, "shape")
	if depth == 0 || shape < 3 {
		return rapid.SampledFrom(leaves).Draw(t, "leaf")
	}
	switch shape {
	case 3:
		return reflect.PointerTo(drawType(t, depth-1))
	case 4:
		return reflect.SliceOf(drawType(t, depth-1))
	case 5:
		return reflect.ArrayOf(rapid.IntRange(0, 3).Draw(t, "len"), drawType(t, depth-1))
	case 6:
		key := drawType(t, depth-2+depth%2)
		if !key.Comparable() {
			key = reflect.TypeFor[string]()
		}
		return reflect.MapOf(key, drawType(t, depth-1))
	}
	var fields []reflect.StructField
	for i := range rapid.IntRange(0, 4).Draw(t, "fields") {
		fields = append(fields, reflect.StructField{Name: fmt.Sprint("F", i), Type: drawType(t, depth-1)})
	}
	return reflect.StructOf(fields)
}

// drawValue fills v, unexported fields too.
func drawValue(t *rapid.T, v reflect.Value, depth int) {
	if v.Kind() != reflect.Struct && rapid.IntRange(0, 9).Draw(t, "zero") == 0 {
		return
	}
	switch p := v.Addr().Interface().(type) {
	case *time.Time:
		*p = drawTime(t)
		return
	case *day:
		*p = day(drawTime(t))
		return
	case *stamp:
		*p = stamp(drawTime(t))
		return
	case *celsius:
		p.degrees = rapid.IntRange(-1, 9).Draw(t, "degrees") // its text has so many letters; -1 panics
		return
	case *big.Int:
		p.SetInt64(rapid.Int64Min(1).Draw(t, "int")) // 0 has several forms
		return
	case *big.Rat:
		p.SetFrac64(rapid.Int64Min(1).Draw(t, "num"), rapid.Int64Min(1).Draw(t, "denom"))
		return
	case *big.Float:
		p.SetPrec(rapid.UintRange(1, 300).Draw(t, "prec")).SetMode(rapid.SampledFrom([]big.RoundingMode{big.ToZero, big.ToPositiveInf}).Draw(t, "mode"))
		p.Quo(big.NewFloat(rapid.Float64Range(1, 1e300).Draw(t, "float")), big.NewFloat(3))
		return
	case *netip.Addr:
		*p = netip.AddrFrom4([4]byte{rapid.Byte().Draw(t, "addr")})
		return
	case *netip.Prefix:
		*p = netip.PrefixFrom(netip.AddrFrom4([4]byte{rapid.Byte().Draw(t, "addr")}), rapid.IntRange(-1, 40).Draw(t, "bits"))
		return
	case **url.Userinfo:
		*p = url.UserPassword(genText.Draw(t, "user"), genText.Draw(t, "password"))
		return
	case *any:
		*p = genAny(2).Draw(t, "any")
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(rapid.Int64().Draw(t, "int") >> (64 - v.Type().Bits()))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(rapid.Uint64().Draw(t, "uint") >> (64 - v.Type().Bits()))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(float64(rapid.Float32().Draw(t, "float")))
	case reflect.Complex64, reflect.Complex128:
		v.SetComplex(complex(float64(rapid.Float32().Draw(t, "re")), 1))
	case reflect.String:
		v.SetString(genText.Draw(t, "text"))
	case reflect.Func:
		v.Set(reflect.MakeFunc(v.Type(), func([]reflect.Value) []reflect.Value { return nil }))
	case reflect.Chan:
		v.Set(reflect.MakeChan(v.Type(), 0))
	case reflect.Pointer:
		if depth > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			drawValue(t, v.Elem(), depth-1)
		}
	case reflect.Slice:
		n := rapid.IntRange(0, min(3, max(0, depth))).Draw(t, "len")
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			drawValue(t, v.Index(i), depth-1)
		}
	case reflect.Array:
		for i := range v.Len() {
			drawValue(t, v.Index(i), depth-1)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range rapid.IntRange(0, min(3, max(0, depth))).Draw(t, "len") {
			key, elem := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			drawValue(t, key, depth-1)
			drawValue(t, elem, depth-1)
			if key.Comparable() {
				v.SetMapIndex(key, elem)
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			drawValue(t, codec.FieldOf(v, i), depth-1)
		}
	}
}

func drawTime(t *rapid.T) time.Time {
	v := genTime.Draw(t, "time")
	switch rapid.IntRange(0, 3).Draw(t, "zone") {
	case 0:
		return v.Local()
	case 1:
		return v.In(time.FixedZone(rapid.StringN(0, 4, 8).Draw(t, "name"), rapid.IntRange(-50000, 50000).Draw(t, "offset")))
	}
	return v
}
