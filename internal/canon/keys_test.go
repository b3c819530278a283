package canon_test

import (
	"fmt"
	"math"
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/seed-dad15c92/txcache/internal/canon"
)

type (
	id      int64
	lang    string
	viewKey struct {
		Model string
		ID    int
		opts  [2]bool
		_     int
	}
	ruleKey  struct{ Model, Mode string }
	ruleKey2 struct{ Mode, Model string }
	boxed    struct{ v any }
	host     struct{ addr netip.Addr }
	blank    struct {
		A int8
		_ any
		_ *int
	}
)

func keysOf[K comparable](t testing.TB) *canon.Keys[K] {
	t.Helper()
	k, err := canon.NewKeys[K]()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func textOf[K comparable](t testing.TB, key K) string {
	t.Helper()
	k := keysOf[K](t)
	if !k.Stable(key) {
		t.Fatalf("%T %v is not stable", key, key)
	}
	text := k.Text(key)
	if !utf8.ValidString(text) || text == "" {
		t.Fatalf("%T %v has the text %q", key, key, text)
	}
	return text
}

// distinct are keys of which no two may meet.
func distinct(t testing.TB) map[string]string {
	long := strings.Repeat("a", 65)
	texts := map[string]string{}
	for _, key := range distinctKeys() {
		texts[fmt.Sprintf("any %T %#v", key, key)] = textOf(t, key)
	}
	for name, text := range map[string]string{
		"viewKey, last field": textOf(t, viewKey{Model: "a", opts: [2]bool{false, true}}),
		"long string":         textOf(t, long),
		"longer string":       textOf(t, long+"a"),
		"digest as string":    textOf(t, textOf(t, long)),
		"10 kB":               textOf(t, strings.Repeat(long, 160)),
	} {
		texts[name] = text
	}
	return texts
}

func distinctKeys() []any {
	return []any{
		nil, true, false,
		1, -1, 0, int8(1), int16(1), int32(1), int64(1), id(1),
		uint(1), uint8(1), uint16(1), uint32(1), uint64(1), uint64(math.MaxUint64), int64(math.MinInt64),
		1.0, float32(1), 0.0, 0.1, float32(0.1), math.Inf(1), math.Inf(-1), math.SmallestNonzeroFloat64,
		complex(1, 0), complex64(1), complex(0, 1), complex(1, -1),
		"", "1", "true", "1.0", "nil", "i.1", "s.1", "a", "k#a", "s#", "é", "e\u0301", "\xff", "\xfe", "\x00", "a\x00", lang("a"), lang("1"),
		[1]string{"a"}, [1]lang{"a"}, [1]any{"a"}, [1]any{lang("a")}, [1]any{}, [1][1]string{{"a"}},
		[2]string{"a", "bc"}, [2]string{"ab", "c"}, [2]string{"", "abc"}, [2]string{"abc", ""},
		[3]string{"a", "b", "c"}, [0]string{}, [0]int{}, [0]struct{}{}, struct{}{},
		[16]byte{15: 1}, [16]byte{14: 1}, [16]int8{15: 1}, [15]byte{14: 1},
		struct{ A, B string }{"a", "b"}, struct{ B, A string }{"a", "b"}, struct{ a, b string }{"a", "b"},
		struct {
			A string `x:"y"`
			B string
		}{"a", "b"},
		struct {
			A, B string
			C    struct{}
		}{"a", "b", struct{}{}},
		ruleKey{"a", "b"}, ruleKey{"b", "a"}, ruleKey2{"a", "b"}, ruleKey{"ab", ""},
		viewKey{}, viewKey{Model: "a"}, viewKey{ID: 1}, viewKey{opts: [2]bool{true, false}},
		boxed{}, boxed{1}, boxed{int64(1)}, boxed{boxed{}}, boxed{boxed{1}}, boxed{"1"}, boxed{id(1)}, boxed{[1]any{1}}, boxed{0.0},
		host{}, host{netip.MustParseAddr("1.2.3.4")}, boxed{netip.MustParseAddr("1.2.3.4")}, boxed{"1.2.3.4"},
		netip.Addr{}, netip.MustParseAddr("1.2.3.4"), netip.MustParseAddr("::ffff:1.2.3.4"),
		netip.MustParseAddr("fe80::1"), netip.MustParseAddr("fe80::1%eth0"), netip.MustParseAddr("fe80::1%" + strings.Repeat("z", 64)), netip.MustParseAddr("fe80::1%\xff"),
		"1.2.3.4", "ip.1.2.3.4",
		netip.AddrPort{}, netip.AddrPortFrom(netip.Addr{}, 80), netip.AddrPortFrom(netip.Addr{}, 81), netip.MustParseAddrPort("1.2.3.4:80"), netip.MustParseAddrPort("[fe80::1%x]:80"),
		netip.Prefix{}, netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/9"), netip.MustParsePrefix("::/0"),
		netip.PrefixFrom(netip.MustParseAddr("1.2.3.4"), 99), netip.PrefixFrom(netip.MustParseAddr("1.2.3.5"), 99),
		pair[int]{1}, pair[int64]{1}, pair[id]{1},
	}
}

type pair[T any] struct{ A T }

func TestDifferentKeysNeverMeet(t *testing.T) {
	owners := map[string]string{}
	for name, text := range distinct(t) {
		if other, ok := owners[text]; ok {
			t.Errorf("%s and %s both have the text %q", name, other, text)
		}
		owners[text] = name
	}
}

func TestKeysOfDifferentTypesNeverMeet(t *testing.T) {
	texts := map[string]string{
		"int":        textOf(t, 1),
		"int8":       textOf(t, int8(1)),
		"int16":      textOf(t, int16(1)),
		"int32":      textOf(t, int32(1)),
		"int64":      textOf(t, int64(1)),
		"uint":       textOf(t, uint(1)),
		"uint8":      textOf(t, uint8(1)),
		"uint16":     textOf(t, uint16(1)),
		"uint32":     textOf(t, uint32(1)),
		"uint64":     textOf(t, uint64(1)),
		"float32":    textOf(t, float32(1)),
		"float64":    textOf(t, 1.0),
		"complex64":  textOf(t, complex64(1)),
		"complex128": textOf(t, complex128(1)),
		"bool":       textOf(t, true),
		"string":     textOf(t, "1"),
		"string 2":   textOf(t, "true"),
		"string 3":   textOf(t, "1.0"),
		"array":      textOf(t, [1]string{"1"}),
		"array 2":    textOf(t, [1]int{1}),
		"array 3":    textOf(t, [1]any{1}),
		"struct":     textOf(t, struct{ A int }{1}),
		"struct 2":   textOf(t, struct{ B int }{1}),
		"struct 3":   textOf(t, pair[int]{1}),
		"nil":        textOf[any](t, nil),
		"named":      textOf[any](t, id(1)),
	}
	owners := map[string]string{}
	for name, text := range texts {
		if other, ok := owners[text]; ok {
			t.Errorf("%s and %s both have the text %q", name, other, text)
		}
		owners[text] = name
	}
}

// The texts are kept outside of the process: other ones mean that all values
// kept by an earlier release are lost.
func TestTextStaysTheSame(t *testing.T) {
	for _, test := range []struct{ got, want string }{
		{textOf(t, "en_US"), "s.en_US"},
		{textOf(t, lang("en_US")), "s.en_US"},
		{textOf(t, ""), "s."},
		{textOf(t, strings.Repeat("é", 32)), "s." + strings.Repeat("é", 32)},
		{textOf(t, strings.Repeat("a", 65)), "s#Y1NhxIu56rFBmOduqKt_GkFoXWrWKqkUbTAdTxfrCuA"},
		{textOf(t, "\xff"), "s#qBAK5qoZQNC2Y7sxzUZhQuu9vVGHExuS2TgYmHgy64k"},
		{textOf(t, 42), "i.42"},
		{textOf(t, -42), "i.-42"},
		{textOf(t, id(42)), "i64.42"},
		{textOf(t, int32(42)), "i32.42"},
		{textOf(t, int8(-128)), "i8.-128"},
		{textOf(t, uint64(math.MaxUint64)), "u64.18446744073709551615"},
		{textOf(t, uint32(42)), "u32.42"},
		{textOf(t, byte(7)), "u8.7"},
		{textOf(t, true), "b.true"},
		{textOf(t, 1.0), "f64.1"},
		{textOf(t, 1e100), "f64.1e+100"},
		{textOf(t, float32(0.1)), "f32.0.1"},
		{textOf(t, complex(1, -1)), "c128.(1-1i)"},
		{textOf(t, netip.MustParseAddr("fe80::1%eth0")), "ip.fe80::1%eth0"},
		{textOf(t, netip.MustParseAddrPort("1.2.3.4:80")), "ipport.1.2.3.4:80"},
		{textOf(t, netip.MustParsePrefix("10.0.0.0/8")), "ipnet.10.0.0.0/8"},
		{textOf[any](t, nil), "nil"},
		{textOf[any](t, 42), "i.42"},
		{textOf[any](t, "a"), "s.a"},
		{textOf[any](t, netip.MustParseAddr("1.2.3.4")), "ip.1.2.3.4"},
		{textOf(t, [16]byte{15: 1}), "k#CIICTHWvVMOPFPOh3lBUwaAV-QZhmK52U-yf37QxHS8"},
		{textOf(t, viewKey{"res.partner", 7, [2]bool{true, false}, 0}), "k#uz_gxotXVvlAqKA31G6h5F-e0e9litk0JvpXdDWIhtY"},
		{textOf[any](t, id(42)), "k#JdKPm4dZ1BEJ-cJaXL2oLf4IXX48fxWD5I0K0XtyBHk"},
		{textOf[any](t, boxed{ruleKey{"a", "b"}}), "k#M2rFxjpuJ7gcQJjWb0p0JASfh-gECuRJzQE1Q8YMgMg"},
		{textOf(t, host{netip.MustParseAddr("1.2.3.4")}), "k#cKo0yvAI_1J9iXBUKA6cY6jthFIjH0VGSlfU5NDVeL4"},
		{textOf(t, netip.Addr{}), "k#fdEdsxxsiwgjS12JRRGkVHAcN_tEZWTz4uT2nfY0QRM"},
	} {
		if test.got != test.want {
			t.Errorf("text is %s, want %s", test.got, test.want)
		}
	}
}

func TestEqualKeysHaveTheSameText(t *testing.T) {
	negative := math.Copysign(0, -1)
	one := 1
	for _, test := range []struct{ a, b any }{
		{0.0, negative},
		{float32(0), float32(negative)},
		{complex(0, 0), complex(negative, negative)},
		{boxed{0.0}, boxed{negative}},
		{[1]float64{0}, [1]float64{negative}},
		{viewKey{"a", 1, [2]bool{}, 0}, viewKey{"a", 1, [2]bool{}, 5}},
		{blank{A: 1}, blank{1, []int{1}, &one}},
		{boxed{blank{A: 1}}, boxed{blank{1, math.NaN(), &one}}},
		{netip.MustParseAddr("::1"), netip.MustParseAddr("0:0::1")},
	} {
		if test.a != test.b {
			t.Fatalf("%v and %v are not equal", test.a, test.b)
		}
		if a, b := textOf(t, test.a), textOf(t, test.b); a != b {
			t.Errorf("%v has the text %s, its equal %v has %s", test.a, a, test.b, b)
		}
	}
	if a, b := textOf(t, 0.0), textOf(t, negative); a != b {
		t.Errorf("0 has the text %s, -0 has %s", a, b)
	}
	if a, b := textOf(t, blank{A: 1}), textOf(t, blank{1, []int{1}, &one}); a != b {
		t.Errorf("blank fields make a difference: %s and %s", a, b)
	}
}

func TestEmbeddedAndLocalTypesAreToldApart(t *testing.T) {
	// Two types that reflection cannot tell apart by name or structure.
	first := func() any { type local struct{ A int }; return local{1} }()
	second := func() any { type local struct{ A int }; return local{1} }()
	keys := keysOf[any](t)
	if first == second {
		t.Fatal("the two types are one")
	}
	if keys.Stable(first) && keys.Stable(second) && keys.Text(first) == keys.Text(second) {
		t.Error("keys of two local types meet")
	}
	if !keys.Stable(first) {
		t.Error("the first of two local types is not stable")
	}
	// As key types of two caches both are good.
	a := func() string { type local struct{ B int }; return textOf(t, local{1}) + textOf(t, local{2}) }()
	b := func() string { type local struct{ B int }; return textOf(t, local{1}) + textOf(t, local{2}) }()
	if a != b || a[:len(a)/2] == a[len(a)/2:] {
		t.Errorf("texts of local types: %s and %s", a, b)
	}

	type embedded struct{ ruleKey }
	type named struct{ ruleKey ruleKey }
	if a, b := textOf(t, struct{ ruleKey }{}), textOf(t, struct{ ruleKey ruleKey }{}); a == b {
		t.Error("an embedded struct meets a named field")
	}
	if a, b := textOf(t, embedded{}), textOf(t, named{ruleKey: ruleKey{}}); a == b {
		t.Error("embedded and named meet")
	}
}

// Two keys have the same text exactly if they are equal.
func TestTextIsInjective(t *testing.T) {
	keys := keysOf[any](t)
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawKey(t, 3), drawKey(t, 3)
		if !keys.Stable(a) || !keys.Stable(b) {
			t.Fatalf("%#v or %#v is not stable", a, b)
		}
		if same := keys.Text(a) == keys.Text(b); same != (a == b) {
			t.Fatalf("%#v and %#v: == is %v, but their texts are %q and %q", a, b, a == b, keys.Text(a), keys.Text(b))
		}
	})
}

func drawKey(t *rapid.T, depth int) any {
	kinds := 8
	if depth > 0 {
		kinds = 13
	}
	short := rapid.StringN(0, 2, -1)
	small := rapid.IntRange(0, 2)
	switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
	case 0:
		return nil
	case 1:
		return small.Draw(t, "int")
	case 2:
		return id(small.Draw(t, "id"))
	case 3:
		return short.Draw(t, "string")
	case 4:
		return lang(short.Draw(t, "lang"))
	case 5:
		return rapid.SampledFrom([]float64{0, math.Copysign(0, -1), 1, math.Inf(1)}).Draw(t, "float")
	case 6:
		return rapid.Bool().Draw(t, "bool")
	case 7:
		return rapid.SampledFrom([]netip.Addr{{}, netip.MustParseAddr("::1"), netip.MustParseAddr("::1%a")}).Draw(t, "addr")
	case 8:
		return boxed{drawKey(t, depth-1)}
	case 9:
		return [1]any{drawKey(t, depth-1)}
	case 10:
		return [2]any{drawKey(t, depth-1), drawKey(t, depth-1)}
	case 11:
		return ruleKey{short.Draw(t, "model"), short.Draw(t, "mode")}
	default:
		return [2]string{short.Draw(t, "a"), short.Draw(t, "b")}
	}
}

func FuzzText(f *testing.F) {
	f.Add("a", "b", "ab", "")
	f.Add("a", "b", "a", "b")
	f.Add("s.a", "s#a", "k#a", "\xff")
	f.Add(strings.Repeat("a", 64), strings.Repeat("a", 65), "", "nil")
	keys, pairs, anys := keysOf[string](f), keysOf[[2]string](f), keysOf[any](f)
	f.Fuzz(func(t *testing.T, a, b, c, d string) {
		if (keys.Text(a) == keys.Text(c)) != (a == c) {
			t.Errorf("strings %q and %q: %s, %s", a, c, keys.Text(a), keys.Text(c))
		}
		x, y := [2]string{a, b}, [2]string{c, d}
		if (pairs.Text(x) == pairs.Text(y)) != (x == y) {
			t.Errorf("arrays %q and %q: %s, %s", x, y, pairs.Text(x), pairs.Text(y))
		}
		if anys.Text(x) == anys.Text(a) || anys.Text(lang(a)) == anys.Text(a) {
			t.Errorf("%q meets another type", a)
		}
		for _, text := range []string{keys.Text(a), pairs.Text(x), anys.Text(x)} {
			if !utf8.ValidString(text) || len(text) > 66 {
				t.Errorf("text %q is too long, or not valid UTF-8", text)
			}
		}
	})
}

// A hash is that of the text, which others can tell, and costs no allocation for the
// usual keys.
func TestHashIsOfTheText(t *testing.T) {
	hashed(t, true, "", "a", "é", strings.Repeat("x", 64))
	hashed(t, false, strings.Repeat("x", 65), "\xff")
	hashed(t, true, 0, -1, math.MaxInt)
	hashed(t, true, int64(math.MinInt64), 7)
	hashed(t, true, int32(math.MinInt32), 7)
	hashed(t, true, uint64(math.MaxUint64), 7)
	hashed(t, true, uint32(math.MaxUint32), 7)
	hashed(t, false, true, false)
	hashed(t, false, [2]int{1, 2})
	hashed[any](t, false, nil, "a", 1, int8(1))
}

func hashed[K comparable](t *testing.T, free bool, keys ...K) {
	t.Helper()
	k, err := canon.NewKeys[K]()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		if got, want := k.Hash(key), canon.Hash(k.Text(key)); got != want {
			t.Errorf("Hash(%#v) = %x; want that of its text, %x", key, got, want)
		}
		if n := testing.AllocsPerRun(10, func() { k.Hash(key) }); free && n > 0 {
			t.Errorf("Hash(%#v) allocates %v times", key, n)
		}
	}
}
