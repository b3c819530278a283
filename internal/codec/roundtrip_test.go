package codec_test

import (
	"encoding/json"
	"math"
	"math/big"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/internal/codec"
)

type (
	status   uint8
	cents    int64
	label    string
	flags    []bool
	blob     []byte
	letter   byte
	word     []letter
	registry map[status]label
	pointer  *int
	stamp    time.Time
	deep     *deep
	nested   []nested
)

type point struct{ X, Y int16 }

type base struct {
	ID   int
	Note *string
}

type Audited struct {
	By string
	At time.Time
}

type node struct {
	Value       string
	Left, Right *node
	Children    map[point][]*node
}

type record struct {
	base
	*Audited
	Status  status
	Price   cents
	Tags    []label
	Grid    [2][3]float32
	Hash    [4]byte
	Raw     []byte
	Index   map[string]map[int]point
	Any     any
	Amount  big.Int
	Ref     *big.Rat
	Addr    netip.Addr
	Wait    time.Duration
	Skipped chan int `msgpack:"-"`
	_       int
	none    struct{}
}

// stamped inherits the marshalers of time.Time, which know nothing of Place.
type stamped struct {
	time.Time
	Place string
}

// celsius has a text form of its own.
type celsius struct{ degrees int }

func (c celsius) MarshalText() ([]byte, error) { return []byte(strings.Repeat("°", c.degrees)), nil }
func (c *celsius) UnmarshalText(b []byte) error {
	c.degrees = strings.Count(string(b), "°")
	return nil
}

// fahrenheit has a text form that its holder, whose it becomes, cannot reach.
type fahrenheit struct{ Degrees int }

func (f fahrenheit) MarshalText() ([]byte, error) {
	return []byte(strings.Repeat("°", f.Degrees)), nil
}
func (f *fahrenheit) UnmarshalText(b []byte) error {
	f.Degrees = strings.Count(string(b), "°")
	return nil
}

type weather struct {
	fahrenheit
	Place string
}

// both has two forms, of which the binary one counts.
type both struct{ form string }

func (b *both) MarshalBinary() ([]byte, error)  { return nil, nil }
func (b *both) UnmarshalBinary(d []byte) error  { b.form = "binary" + string(d); return nil }
func (b *both) MarshalText() ([]byte, error)    { return []byte("x"), nil }
func (b *both) UnmarshalText(text []byte) error { b.form = "text"; return nil }

// sealed has nothing but JSON.
type sealed struct{ n int }

func (s sealed) MarshalJSON() ([]byte, error)     { return json.Marshal(s.n) }
func (s *sealed) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, &s.n) }

// sly is made by its marshaler into what cannot be a key.
type sly struct{ any }

func (sly) MarshalText() ([]byte, error)  { return nil, nil }
func (s *sly) UnmarshalText([]byte) error { s.any = []int{}; return nil }

// oneWay can be marshalled but not back, so its field counts.
type oneWay struct{ N int }

func (oneWay) MarshalText() ([]byte, error) { return []byte("lost"), nil }

// trip sends v there and back.
func trip[V any](t interface {
	Helper()
	Fatalf(format string, args ...any)
}, v V) V {
	t.Helper()
	c := codec.New[V]()
	data, err := c.Append([]byte("kept"), v, time.Time{})
	if err != nil {
		t.Fatalf("%#v: %v", v, err)
	}
	if string(data[:4]) != "kept" {
		t.Fatalf("%#v: the prefix became %q", v, data[:4])
	}
	data = data[4:]
	got, expires, err := c.Decode(data)
	if err != nil || !expires.IsZero() {
		t.Fatalf("%#v: expires %v, error %v", v, expires, err)
	}
	for i := range data {
		data[i] = 0xff
	}
	return got
}

type check struct {
	name string
	run  func(t *testing.T)
}

// keeps checks that the values come back deeply equal, also from within pointers,
// lists, maps and structs.
func keeps[V any](values ...V) check {
	type within struct {
		Field, Another V
		Pointer, None  *V
		Array          [2]V
		Map            map[string]V
		Pointers       map[status]*V
		List           []V
		Empty, Nil     []V
	}
	return check{reflect.TypeFor[V]().String(), func(t *testing.T) {
		for _, v := range values {
			same(t, v)
			same(t, within{
				Field: v, Another: v, Pointer: &v, Array: [2]V{v, v}, Map: map[string]V{"": v, "b": v},
				Pointers: map[status]*V{1: &v, 2: nil}, List: values, Empty: []V{},
			})
		}
	}}
}

func same[V any](t *testing.T, v V) {
	t.Helper()
	if got := trip(t, v); !reflect.DeepEqual(got, v) {
		t.Errorf("%#v came back as %#v", v, got)
	}
}

var refBig = big.NewInt(1)

func ptr[T any](v T) *T { return &v }

func TestValuesComeBackAsTheyWere(t *testing.T) {
	instant := time.Date(2024, 2, 29, 23, 59, 59, 123456789, time.UTC)
	checks := []check{
		keeps(false, true),
		keeps(0, 1, -1, 31, -32, -33, 127, 128, -128, -129, math.MaxInt, math.MinInt),
		keeps[int8](0, math.MaxInt8, math.MinInt8),
		keeps[int16](0, math.MaxInt16, math.MinInt16),
		keeps[int32](0, math.MaxInt32, math.MinInt32),
		keeps[int64](0, math.MaxInt64, math.MinInt64, math.MaxUint32, math.MaxUint32+1, math.MinInt32-1),
		keeps[uint](0, 127, 128, 255, 256, 65535, 65536, math.MaxUint),
		keeps[uint8](0, math.MaxUint8),
		keeps[uint16](0, math.MaxUint16),
		keeps[uint32](0, math.MaxUint32),
		keeps[uint64](0, math.MaxInt64, math.MaxUint64),
		keeps[uintptr](0, math.MaxUint32),
		keeps[float32](0, -1.5, math.MaxFloat32, math.SmallestNonzeroFloat32, float32(math.Inf(1))),
		keeps(0, 0.1, math.MaxFloat64, math.SmallestNonzeroFloat64, math.Inf(-1)),
		keeps[complex64](0, 1+2i, complex(math.MaxFloat32, float32(math.Inf(-1)))),
		keeps[complex128](0, 0.1-2i),
		keeps("", "é", "\xff\x00 not UTF-8", strings.Repeat("x", 31), strings.Repeat("x", 32), strings.Repeat("x", 256), strings.Repeat("x", 65536)),
		keeps[[]byte](nil, []byte{}, []byte("a\x00\xff"), make([]byte, 256), make([]byte, 65536)),
		keeps(time.Time{}, instant, instant.Truncate(time.Second), time.Unix(0, 0).UTC(), time.Unix(1<<33, 1).UTC(), time.Unix(1<<34, 1).UTC(),
			time.Unix(-1, 999999999).UTC(), time.Date(-5000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(50000, 1, 1, 0, 0, 0, 1, time.UTC)),
		keeps(stamp(instant), stamp{}),
		keeps[time.Duration](0, time.Nanosecond, math.MinInt64),
		keeps[status](0, 255), keeps[cents](-5), keeps[label]("", "a"),
		keeps(flags(nil), flags{}, flags{true}), keeps(blob(nil), blob{}, blob("x")), keeps(word(nil), word{}, word("xy")),
		keeps(registry(nil), registry{}, registry{1: "a", 2: ""}),
		keeps[pointer](nil, ptr(0), ptr(7)),
		keeps(nested(nil), nested{}, nested{nil, {}, {{}, nil}}),
		keeps[deep](nil, ptr(deep(nil)), ptr(deep(ptr(deep(nil))))),
		keeps([]int(nil), []int{}, []int{1, -300}, make([]int, 16), make([]int, 65536)),
		keeps([][]string{nil, {}, {""}, {"a", "b"}}),
		keeps([3]int{1, 2, 3}), keeps([0]int{}), keeps([2]struct{}{}), keeps(struct{}{}), keeps([5]byte{1, 2}), keeps([2]letter{7}), keeps([300]uint16{299: 1}),
		keeps(point{-1, 2}, point{}),
		keeps(ptr((*int)(nil)), ptr(ptr(1)), nil),
		keeps(ptr([]int(nil)), ptr([]int{})), keeps(ptr(map[int]int(nil)), ptr(map[int]int{})), keeps(ptr(any(nil)), ptr(any(1))),
		keeps(map[string]int(nil), map[string]int{}, map[string]int{"": 0, "a": 1, "b": 2}),
		keeps(map[bool]int{true: 1, false: 0}), keeps(map[int8]int{-1: 1, 2: 0, 3: 3}), keeps(map[uint64]int{math.MaxUint64: 1, 0: 0}),
		keeps(map[float64]int{0.5: 1, math.Inf(1): 2}), keeps(map[complex64]int{1i: 1}), keeps(map[point]int{{1, 2}: 1, {2, 1}: 2}),
		keeps(map[[2]string]int{{"a", "bc"}: 1, {"ab", "c"}: 2}), keeps(map[time.Time]int{instant: 1}), keeps(map[netip.Addr]int{netip.MustParseAddr("::1%eth0"): 1}),
		keeps(map[struct {
			A any
			B [1]any
		}]int{{}: 1, {A: 1}: 2, {A: "1", B: [1]any{1.5}}: 3}),
		keeps(map[any]any{1: "int", int8(1): "int8", "1": 1, 1.0: nil, true: []any{}, instant: map[any]any{}, struct{}{}: nil}),
		keeps(big.NewInt(-5), new(big.Int).Exp(big.NewInt(10), big.NewInt(100), nil), nil),
		keeps(big.NewRat(1, 3)),
		keeps(netip.Addr{}, netip.MustParseAddr("10.0.0.1")), keeps(netip.MustParsePrefix("10.0.0.0/8")),
		keeps(url.URL{}, url.URL{Scheme: "https", User: url.UserPassword("a", "b"), Host: "c", Path: "/d", RawQuery: "e=f"}),
		keeps(celsius{}, celsius{3}), keeps(map[celsius]celsius{{1}: {2}, {2}: {1}}),
		keeps(fahrenheit{3}), keeps(weather{fahrenheit{3}, "here"}),
		keeps(both{"binary"}), keeps(oneWay{7}),
		keeps(stamped{}, stamped{instant, "here"}),
		keeps(struct{ *big.Int }{}, struct{ *big.Int }{big.NewInt(1)}),
		keeps(&node{"a", &node{Value: "b"}, nil, map[point][]*node{{1, 2}: {nil, {Value: "c"}}, {}: nil}}),
		keeps(record{}, record{
			base: base{1, ptr("note")}, Audited: &Audited{"me", instant}, Status: 2, Price: -3, Tags: []label{"x"},
			Grid: [2][3]float32{{1}, {0, 0, 2.5}}, Hash: [4]byte{1, 2, 3, 4}, Raw: []byte{}, Index: map[string]map[int]point{"a": nil, "b": {}, "c": {1: {1, 1}}},
			Any: []any{1, map[string]any{"k": nil}}, Amount: *big.NewInt(99), Ref: big.NewRat(22, 7), Addr: netip.MustParseAddr("::1"), Wait: time.Hour,
		}),
	}
	for _, c := range checks {
		t.Run(c.name, c.run)
	}
}

func TestInterfacesKeepTheDynamicType(t *testing.T) {
	instant := time.Unix(1700000000, 1).UTC()
	values := []any{
		nil, true, 1, int8(1), int16(1), int32(1), int64(1), uint(1), uint8(1), uint16(1), uint32(1), uint64(1), uintptr(1),
		float32(1), 1.0, complex64(1), complex128(1), "1", []byte("1"), []byte{}, []byte(nil), instant, time.Time{}, time.Duration(1), struct{}{},
		[]any{1, int8(1), nil, []any(nil), []any{}}, []any(nil), map[string]any{"a": uint16(1), "b": nil}, map[string]any(nil), map[any]any{1: "a", "1": 1.5},
		[]string{"a"}, []string{}, []string(nil), []int{1}, []int64{1}, []bool{true}, []float64{math.Inf(1)}, [][]byte{nil, {}}, []time.Time{instant}, []time.Duration{1},
		[][]string{{"a"}, nil}, [][]any{{1}}, map[string]string{"a": "b"}, map[string]int{"a": 1}, map[string]bool{"a": true}, map[string]struct{}{"a": {}},
		map[int]string{1: "a"}, map[int64]any{1: "a"}, map[int]struct{}{1: {}}, map[string][]string{"a": {"b"}}, []map[string]any{{"a": 1}, nil},
		map[string]map[string]any{"a": {"b": 1}}, map[any]struct{}{"a": {}, 1: {}},
	}
	for _, v := range values {
		same(t, v)
		same(t, map[string]any{"k": v})
		same(t, []any{v, v})
		same(t, struct{ A any }{v})
		same(t, &v)
	}
	type stringer interface{ String() string }
	same[stringer](t, time.Second)
	same[stringer](t, instant)
	same[error](t, nil)
}

func TestSpecialFloatsKeepTheirBits(t *testing.T) {
	for _, f := range []float64{math.NaN(), math.Float64frombits(0x7ff8000000000123), math.Copysign(0, -1), math.Inf(-1)} {
		if got := trip(t, f); math.Float64bits(got) != math.Float64bits(f) {
			t.Errorf("%x came back as %x", math.Float64bits(f), math.Float64bits(got))
		}
		if got := trip[any](t, f).(float64); math.Float64bits(got) != math.Float64bits(f) {
			t.Errorf("%x in an interface came back as %x", math.Float64bits(f), math.Float64bits(got))
		}
		if got := trip(t, float32(f)); math.Float32bits(got) != math.Float32bits(float32(f)) {
			t.Errorf("float32 %x came back as %x", math.Float32bits(float32(f)), math.Float32bits(got))
		}
		if got := trip(t, complex(f, -f)); math.Float64bits(imag(got)) != math.Float64bits(-f) {
			t.Errorf("complex %v came back as %v", complex(f, -f), got)
		}
	}
	if got := trip(t, map[float64]int{math.NaN(): 1}); len(got) != 1 {
		t.Errorf("a NaN key came back as %v", got)
	}
}

func TestALeftOutFieldComesBackZero(t *testing.T) {
	got := trip(t, record{Skipped: make(chan int), none: struct{}{}, base: base{ID: 3}})
	if got.Skipped != nil || got.ID != 3 {
		t.Errorf("came back as %+v", got)
	}
	type onlySkipped struct {
		A int `msgpack:"-,omitempty"`
	}
	if got := trip(t, []onlySkipped{{1}, {2}}); !reflect.DeepEqual(got, make([]onlySkipped, 2)) {
		t.Errorf("came back as %+v", got)
	}
}

func TestAPointerThatIsThereTwiceComesBackAsTwo(t *testing.T) {
	n := 5
	if got := trip(t, []*int{&n, &n}); got[0] == got[1] || *got[0] != 5 || *got[1] != 5 {
		t.Errorf("came back as %v", got)
	}
}

func TestLargeAndDeepValues(t *testing.T) {
	same(t, strings.Repeat("x", 10<<20))
	same(t, map[string]any{"a": make([]byte, 10<<20)})
	var deepest *node
	for range 1000 {
		deepest = &node{Left: deepest}
	}
	same(t, deepest)
	var list nested
	for range 999 {
		list = nested{list}
	}
	same(t, list)
}

func TestEqualMapsAreEncodedAlike(t *testing.T) {
	c := codec.New[map[any]map[string]int]()
	fill := func(from, to, step int) map[any]map[string]int {
		m := map[any]map[string]int{}
		for i := from; i != to; i += step {
			m[i] = map[string]int{strings.Repeat("a", i): i, "z": 1, "": 2}
		}
		return m
	}
	want, err := c.Append(nil, fill(0, 50, 1), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if got, _ := c.Append(nil, fill(49, -1, -1), time.Time{}); string(got) != string(want) {
			t.Fatalf("encoded as\n%x and as\n%x", got, want)
		}
	}
}
