package codec_test

import (
	"errors"
	"math/big"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/internal/codec"
)

// header begins an envelope without an expiry.
const header = "\xc1\x82\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// allocated returns how many bytes f allocates.
func allocated(f func()) int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int(after.TotalAlloc - before.TotalAlloc)
}

// mayAllocate bounds what decoding n bytes allocates. The factor is that of the
// value that is largest for its bytes, a map with one entry in three bytes.
func mayAllocate(n int) int { return 8<<10 + 256*n }

// rejects checks that data is malformed for a V, and found to be so at no cost.
func rejects[V any](name, data, reason string) check {
	return check{name, func(t *testing.T) {
		c := codec.New[V]()
		var err error
		n := allocated(func() { _, _, err = c.Decode([]byte(data)) })
		if !errors.Is(err, codec.ErrMalformed) || !strings.HasPrefix(err.Error(), "txcache: ") || !strings.Contains(err.Error(), reason) {
			t.Errorf("%v, want %q", err, reason)
		}
		if n > mayAllocate(len(data)) {
			t.Errorf("%d bytes allocated for %d", n, len(data))
		}
	}}
}

func body[V any](name, data, reason string) check { return rejects[V](name, header+data, reason) }

func TestHostileDataIsMalformed(t *testing.T) {
	const (
		shorter = "shorter than its lengths"
		soon    = "ends too soon"
		rng     = "out of range"
		array32 = "\xdd\xff\xff\xff\xff"
		map32   = "\xdf\xff\xff\xff\xff"
		bin32   = "\xc6\xff\xff\xff\xff"
		str32   = "\xdb\xff\xff\xff\xff"
		zoned   = "\xc7\x13Z\x00\x00\x00\x00\x65\x53\xf1\x00\x00\x00\x00\x05\x00\x00\x0e\x10\x00\x01X"
	)
	same[any](t, 1) // makes the table of types, once in a process
	nestedArrays := strings.Repeat("\x91", 100000)
	nestedAny := strings.Repeat("\x92\x35\x91", 100000)
	many := strings.Repeat("\xdd\x00\x00\x10\x00", 900) + strings.Repeat("\xc0", 5000)
	for _, c := range []check{
		rejects[int]("empty", "", "too few"),
		rejects[int]("only a header", header, soon),
		rejects[int]("short header", header[:8], "too few"),
		rejects[int]("another format", "\x01"+header[1:]+"\x01", "unknown format 0x01"),
		rejects[string]("bare msgpack", "\xaahello, you", "unknown format"),
		rejects[string]("JSON", `{"name":"value"}`, "unknown format"),
		body[int]("two objects", "\x01\x01", "1 bytes too many"),
		body[string]("trailing bytes", "\xa1abc", "2 bytes too many"),

		body[string]("string of 4 GiB", str32, shorter),
		body[[]byte]("bytes of 4 GiB", bin32, shorter),
		body[[4]byte]("array of 4 GiB", bin32, shorter),
		body[big.Int]("number of 4 GiB", "\x91"+bin32, shorter),
		body[celsius]("text of 4 GiB", str32, shorter),
		body[trouble]("binary of 4 GiB", bin32, shorter),
		body[[]int]("4 billion elements", array32, shorter),
		body[[]struct{}]("4 billion times nothing", array32, shorter),
		body[map[int]int]("4 billion entries", map32, shorter),
		body[any]("4 billion in an interface", "\x92\x35"+array32, shorter),
		body[time.Time]("time of 4 GiB", "\xc9\xff\xff\xff\xff\xff", soon),
		body[[]string]("more elements than bytes", "\x92\xa0", shorter),
		body[[][8]int]("more elements than they need", "\x93"+strings.Repeat("\x00", 20), shorter),
		body[map[string]float64]("more entries than they need", "\x82\xa0\xcb\x00\x00\x00\x00\x00\x00\x00\x00\xa0", shorter),
		body[struct {
			A []int
			B [8]bool
		}]("a list that takes the bytes of a field", "\x92\x99\x01\x01\x01\x01\x01\x01\x01\x01\x01", shorter),
		body[*[1 << 20]int64]("a large array behind a pointer", "\xdd\x00\x10\x00\x00\x01", soon),
		body[[]*[1 << 20]int64]("large arrays", "\x92\xc0\xdd\x00\x10\x00\x00\x01", soon),
		body[nested]("lists that promise the same bytes", many, shorter),
		body[nested]("deep lists", nestedArrays, "deeper"),
		body[deep]("deep pointers", nestedArrays, "deeper"),
		body[any]("deep interfaces", nestedAny, "deeper"),
		body[*node]("deep structs", strings.Repeat("\x94\xa0", 100000), "deeper"),
		body[map[any]any]("deep keys", strings.Repeat("\x81\x92\xcc\xb5", 3000), "deeper"),

		body[int8]("300 as int8", "\xcd\x01\x2c", rng),
		body[int8]("-129 as int8", "\xd1\xff\x7f", rng),
		body[int32]("2^31 as int32", "\xce\x80\x00\x00\x00", rng),
		body[int64]("2^63 as int64", "\xcf\x80\x00\x00\x00\x00\x00\x00\x00", rng),
		body[uint8]("256 as uint8", "\xcd\x01\x00", rng),
		body[uint]("-1 as uint", "\xff", "unsigned"),
		body[uint64]("-1 as uint64, long", "\xd3\xff\xff\xff\xff\xff\xff\xff\xff", "unsigned"),
		body[complex64]("complex128 as complex64", "\x92\xcb\x7f\xef\xff\xff\xff\xff\xff\xff\xcb\x00\x00\x00\x00\x00\x00\x00\x00", rng),

		body[int]("nil as int", "\xc0", "an integer"),
		body[uint]("nil as uint", "\xc0", "unsigned"),
		body[bool]("nil as bool", "\xc0", "a bool"),
		body[bool]("1 as bool", "\x01", "a bool"),
		body[string]("nil as string", "\xc0", "a string"),
		body[string]("bytes as string", "\xc4\x01a", "a string"),
		body[[]byte]("string as bytes", "\xa1a", "bytes"),
		body[[2]byte]("nil as array", "\xc0", "bytes"),
		body[[2]byte]("too few bytes", "\xc4\x01a", "1 bytes where 2"),
		body[float64]("int as float64", "\x01", "a float64"),
		body[float64]("float32 as float64", "\xca\x00\x00\x00\x00", "a float64"),
		body[float32]("float64 as float32", "\xcb\x00\x00\x00\x00\x00\x00\x00\x00", "a float32"),
		body[int]("float as int", "\xcb\x00\x00\x00\x00\x00\x00\x00\x00", "an integer"),
		body[[2]int]("array of another length", "\x91\x01", "array of 1 where one of 2"),
		body[point]("struct of another length", "\x93\x01\x01\x01", "array of 3 where one of 2"),
		body[point]("nil as struct", "\xc0", "an array"),
		body[point]("map as struct", "\x82\xa1X\x01\xa1Y\x01", "an array"),
		body[struct{}]("something as nothing", "\x91\x01", "array of 1 where one of 0"),
		body[**int]("pointer without its array", "\x01", "an array"),
		body[**int]("pointer with two", "\x92\x01\x01", "array of 2 where one of 1"),
		body[map[int]int]("array as map", "\x92\x01\x01", "a map"),
		body[map[int]int]("extension as map", "\xd4\x00\x80", "a map"),
		body[[]int]("map as array", "\x81\x01\x01", "an array"),
		body[time.Time]("text as time", "\xb42024-01-02T03:04:05Z", "a time"),
		body[time.Time]("array as time", "\x92\x01\x01", "a time"),
		body[time.Time]("another extension", "\xd6\x0d\x00\x00\x00\x00", "extension 13"),
		body[time.Time]("time of another length", "\xd5\xff\x00\x00", "extension -1 of 2"),
		body[time.Time]("time cut off", "\xd7\xff\x00\x00", soon),
		body[celsius]("bytes as text", "\xc4\x011", "what a method has made"),
		body[celsius]("text in an array", "\x91\xa11", "what a method has made"),
		body[sealed]("text that is not in an array", "\xa11", "what a method has made"),
		body[sealed]("nothing in an array", "\x91", soon),
		body[big.Int]("text as a number", "\xa11", "what a method has made"),
		body[big.Int]("not a number", "\x91\xc4\x01\xff", "a method of big.Int failed"),
		body[url.Userinfo]("a password that is not set", "\x93\xa1a\xa1b\xc2", "a password"),
		body[time.Time]("a zoned time cut off", zoned[:len(zoned)-2], soon),
		body[time.Time]("a zoned time that is too short", "\xc7\x11Z"+zoned[3:20], "that is none"),
		body[time.Time]("a zone longer than its time", strings.Replace(zoned, "\x00\x01X", "\x00\x02X", 1), "that is none"),
		body[time.Time]("too many nanoseconds", strings.Replace(zoned, "\x00\x00\x00\x05", "\x3b\x9a\xca\x00", 1), "that is none"),
		body[string]("never used code", "\xc1", "0xc1"),

		body[map[string]int]("a key twice", "\x82\xa1a\x01\xa1a\x02", "twice"),
		body[map[int]int]("a key twice in two forms", "\x82\x01\x01\xcc\x01\x02", "twice"),
		body[map[float64]int]("0 and -0", "\x82\xcb\x00\x00\x00\x00\x00\x00\x00\x00\x01\xcb\x80\x00\x00\x00\x00\x00\x00\x00\x02", "twice"),
		body[map[any]any]("a list as key", "\x81\x92\x35\x90\xc0", "cannot be one"),
		body[map[any]any]("a map as key", "\x81\x92\x11\xc4\x00\xc0", "cannot be one"),
		body[map[[1]struct{ A any }]int]("a list in a key", "\x81\x91\x91\x92\x11\xc0\x01", "cannot be one"),
		body[map[sly]int]("a list in a key, by its own doing", "\x81\xa0\x01", "cannot be one"),
		body[any]("unknown type", "\x92\xcd\xff\xff\x01", "type 65535"),
		body[any]("a type that was left out", "\x92\x15\xc0", "type 21"),
		body[any]("bare value", "\x01", "an array"),
		body[any]("no value", "\x92\x01", soon),
		body[any]("text as tag", "\x92\xa1a\x01", "unsigned"),
		body[error]("a type without the methods", "\x92\x01\x01", "type 1 in a error"),
	} {
		t.Run(c.name, c.run)
	}
}

func TestACutValueIsMalformed(t *testing.T) {
	for _, s := range samples(t) {
		for n := range s.data {
			if err := s.decode(t, s.data[:n]); !errors.Is(err, codec.ErrMalformed) {
				t.Errorf("%s cut at %d of %d: %v", s.name, n, len(s.data), err)
			}
		}
	}
}

func TestAChangedByteDoesNoHarm(t *testing.T) {
	for _, s := range samples(t) {
		for i := range s.data {
			data := []byte(s.data)
			n := allocated(func() {
				for b := range 256 {
					data[i] = byte(b)
					s.decode(t, data)
				}
			})
			if limit := 256 * mayAllocate(len(data)); n > limit {
				t.Errorf("%s with byte %d changed: %d bytes allocated, more than %d", s.name, i, n, limit)
			}
		}
	}
}

// A sample is a value of some type, encoded.
type sample struct {
	name string
	data []byte

	// decode decodes data as that type. What it takes must be as good as any.
	decode func(t *testing.T, data []byte) error
}

func sampleOf[V any](t testing.TB, name string, v V) sample {
	c := codec.New[V]()
	data, err := c.Append(nil, v, time.Unix(1800000000, 0))
	if err != nil {
		t.Fatal(err)
	}
	return sample{name, data, func(t *testing.T, data []byte) error {
		v, expires, err := c.Decode(data)
		if err != nil {
			return err
		}
		first, err := c.Append(nil, v, expires)
		if err != nil {
			if strings.Contains(err.Error(), "alike") { // two NaN keys
				return nil
			}
			t.Fatalf("%x was decoded as %#v, which cannot be encoded: %v", data, v, err)
		}
		v, expires, err = c.Decode(first)
		if err != nil {
			t.Fatalf("%x was decoded as %#v, which cannot be decoded again: %v", data, v, err)
		}
		if second, err := c.Append(nil, v, expires); string(second) != string(first) {
			t.Fatalf("%x came back as %x (%v)", first, second, err)
		}
		return nil
	}}
}

func samples(t testing.TB) []sample {
	instant := time.Unix(1700000000, 5).UTC()
	rec := record{
		base: base{1, ptr("note")}, Audited: &Audited{"me", instant}, Tags: []label{"x", "yz"}, Raw: []byte("raw"),
		Index: map[string]map[int]point{"a": nil, "b": {300: {1, -300}}}, Any: []any{1, map[string]any{"k": instant}}, Ref: big.NewRat(22, 7),
	}
	return []sample{
		sampleOf(t, "int8", int8(-100)),
		sampleOf(t, "uint64", uint64(1)<<63),
		sampleOf(t, "string", strings.Repeat("long ", 60)),
		sampleOf(t, "bytes", []byte("some bytes")),
		sampleOf(t, "complex", 1.5+2i),
		sampleOf(t, "strings", []string{"a", "", "c"}),
		sampleOf(t, "nested", nested{{}, nil, {{}, {nil}}}),
		sampleOf(t, "pointers", ptr(deep(ptr(deep(nil))))),
		sampleOf(t, "map", map[point][]byte{{1, 2}: nil, {2, 1}: []byte("x")}),
		sampleOf(t, "keys", map[any]any{1: int8(1), "1": []string{"x"}, 1.5: nil, instant: map[any]any{}, int64(5): map[string][]int{"a": {1}}}),
		sampleOf[any](t, "any", []any{map[string]any{"a": []int{1, -2}, "b": "c"}, uint16(7), complex64(1)}),
		sampleOf(t, "node", &node{"a", &node{Value: "b"}, nil, map[point][]*node{{1, 2}: {nil, {Value: "c"}}}}),
		sampleOf(t, "record", rec),
		sampleOf(t, "time", []time.Time{instant.In(time.FixedZone("X", 3600)), instant.In(berlin(t)), instant.Local()}),
		sampleOf(t, "sealed", []sealed{{1}, {-2}}), sampleOf(t, "celsius", map[celsius]celsius{{1}: {2}}),
		sampleOf(t, "numbers", struct {
			I *big.Int
			F big.Float
			R []big.Rat
		}{refBig, *big.NewFloat(1.5), []big.Rat{*big.NewRat(1, 3)}}),
		sampleOf(t, "url", &url.URL{Scheme: "a", User: url.UserPassword("b", "c"), Path: "/d e"}),
	}
}
