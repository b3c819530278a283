package command

import (
	"encoding/hex"
	"encoding/json"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/canon"
	"github.com/seed-dad15c92/txcache/internal/codec"
	"github.com/seed-dad15c92/txcache/internal/inspect"
)

// decoded checks how a value is shown that a cache of V keeps.
func decoded[V any](t *testing.T, value V, want string) {
	t.Helper()
	c := codec.New[V]()
	at := time.Unix(1700000000, 5).UTC()
	data, err := c.Append(nil, value, at)
	if err != nil {
		t.Fatal(err)
	}
	state, v, expires, err := decode(c.Schema(), data)
	if err != nil || state != isValue || !expires.Equal(at) {
		t.Fatalf("%T: state %q, expires %v, error %v", value, state, expires, err)
	}
	got, err := json.Marshal(document{v})
	if err != nil || string(got) != want {
		t.Errorf("%#v is shown as %s, error %v; expected %s", value, got, err, want)
	}
}

func TestValuesAreShown(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	decoded(t, true, `true`)
	decoded(t, int64(math.MinInt64), `-9223372036854775808`)
	decoded(t, uint64(math.MaxUint64), `18446744073709551615`)
	decoded(t, 1e300, `1e+300`)
	decoded(t, float32(0.1), `0.1`)
	decoded(t, math.Inf(-1), `"-Inf"`)
	decoded(t, math.NaN(), `"NaN"`)
	decoded(t, "line\n\x1b[31m", `"line\n\u001b[31m"`)
	decoded(t, "\xff", `"base64:/w=="`)
	decoded(t, []byte{1}, `"base64:AQ=="`)
	decoded(t, []byte(nil), `null`)
	decoded(t, at, `"2026-01-02T03:04:05.000000006Z"`)
	decoded(t, at.In(time.FixedZone("CET", 3600)), `"2026-01-02T04:04:05.000000006+01:00"`)
	decoded[any](t, at.In(time.FixedZone("CET", 3600)), `"2026-01-02T04:04:05.000000006+01:00"`)
	decoded(t, map[int]string{1: "one", 2: "two"}, `{"1":"one","2":"two"}`)
	decoded(t, (*user)(nil), `null`)
	decoded(t, []address{{"Street", 1}}, `[["Street",1]]`)
	decoded(t, struct{ V any }{"x"}, `[[16,"x"]]`)
	decoded[any](t, nil, `null`)
	decoded[any](t, time.Minute, `"1m0s"`)
	decoded[any](t, complex(1, 2), `"(1+2i)"`)
	decoded[any](t, struct{}{}, `{}`)
	decoded[any](t, [][]byte{nil, {1}}, `[null,"base64:AQ=="]`)
	decoded[any](t, map[any]any{1: at, "b": nil, true: []any{}}, `{"1":"2026-01-02T03:04:05.000000006Z","b":null,"true":[]}`)
	decoded[any](t, map[string]map[string]any(nil), `null`)
}

func TestMarksAreTold(t *testing.T) {
	c := codec.New[user]()
	at := time.Unix(1700000000, 0).UTC()
	if state, _, expires, err := decode(c.Schema(), c.AppendAbsent(nil, at)); state != isAbsent || !expires.Equal(at) || err != nil {
		t.Errorf("absent: %q, %v, %v", state, expires, err)
	}
	if state, _, _, err := decode(c.Schema(), c.AppendLease(nil, "owner")); state != isLoading || err != nil {
		t.Errorf("loading: %q, %v", state, err)
	}
}

func TestHostilePayloads(t *testing.T) {
	header := "c10000000000000000"
	for name, data := range map[string]string{
		"nothing":               "",
		"another format":        "c20000000000000000" + "01",
		"no value":              header,
		"four billion elements": header + "ddffffffff",
		"four billion entries":  header + "dfffffffff01",
		"four billion bytes":    header + "c6ffffffff00",
		"a long extension":      header + "c9ffffffff0100",
		"a time that is short":  header + "d7ff0000",
		"too much":              header + "0101",
		"a code of nothing":     header + "c1",
		"too deep":              header + strings.Repeat("91", 2*deepest) + "01",
		"lengths in lengths":    header + strings.Repeat("dc00ff", 100),
	} {
		b, err := hex.DecodeString(data)
		if err != nil {
			t.Fatal(err)
		}
		for _, schema := range []string{"other", dynamic.Schema()} {
			if state, v, _, err := decode(schema, b); state != isBroken || err == nil {
				t.Errorf("%s: %q, %v, %v", name, state, v, err)
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, v := range []any{nil, 1, "x", []any{1, "x", time.Unix(1, 2)}, map[any]any{1: map[string]any{"a": []byte{1}}}} {
		data, err := dynamic.Append(nil, v, time.Unix(1, 2))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, true)
		f.Add(data, false)
	}
	f.Fuzz(func(t *testing.T, data []byte, any bool) {
		schema := "other"
		if any {
			schema = dynamic.Schema()
		}
		state, v, _, err := decode(schema, data)
		if (state == isBroken) != (err != nil) {
			t.Errorf("state %q with error %v", state, err)
		}
		if text, err := json.Marshal(document{v}); err != nil || !json.Valid(text) {
			t.Errorf("shown as %s, error %v", text, err)
		}
	})
}

func textOf[K comparable](t *testing.T, key K) string {
	t.Helper()
	keys, err := canon.NewKeys[K]()
	if err != nil {
		t.Fatal(err)
	}
	return keys.Text(key)
}

func TestWordsStandForEveryKindOfKey(t *testing.T) {
	long := strings.Repeat("long", 30)
	for _, c := range []struct{ word, kind, text string }{
		{"42", "string", textOf(t, "42")}, {"42", "int", textOf(t, 42)}, {"42", "int64", textOf(t, int64(42))},
		{"42", "uint8", textOf(t, uint8(42))}, {"42", "float64", textOf(t, 42.0)}, {"42", canonical, "42"},
		{"-1", "int32", textOf(t, int32(-1))}, {"0.1", "float32", textOf(t, float32(0.1))},
		{"true", "bool", textOf(t, true)}, {"i64.42", canonical, textOf(t, int64(42))},
		{"10.0.0.1", "netip.Addr", textOf(t, netip.MustParseAddr("10.0.0.1"))},
		{"10.0.0.0/8", "netip.Prefix", textOf(t, netip.MustParsePrefix("10.0.0.0/8"))},
		{"[::1]:80", "netip.AddrPort", textOf(t, netip.MustParseAddrPort("[::1]:80"))},
		{long, "string", textOf(t, long)}, {"", "string", textOf(t, "")},
	} {
		found := false
		for _, got := range candidates(c.word) {
			found = found || got == candidate{c.kind, c.text}
		}
		if !found {
			t.Errorf("%q does not stand for the %s %q: %q", c.word, c.kind, c.text, candidates(c.word))
		}
	}
	for _, word := range []string{"300", "-1", "x", "NaN"} {
		for _, got := range candidates(word) {
			if got.kind == "uint8" || strings.HasPrefix(got.kind, "float") && word == "NaN" {
				t.Errorf("%q stands for %q", word, got)
			}
		}
	}
}

// Neither a key nor a user can be taken for another.
func TestVariants(t *testing.T) {
	digest := strings.Repeat("d", contextDigest)
	list := candidates("a")
	for text, want := range map[string]string{
		"s.a": "false ", "~s.a~": "true ", "~s.a~" + digest: "true " + digest,
		"s.ab": "", "~s.a~b~": "", "~s.a~b~" + digest: "", "~s.a~" + digest + "~": "", "~s.a": "",
	} {
		got := ""
		if v, ok := variantOf(&inspect.Entry{Token: backend.NewToken(), Key: text}, list); ok {
			got = map[bool]string{true: "true ", false: "false "}[v.context] + v.user
		}
		if got != want {
			t.Errorf("%q is taken for %q, expected %q", text, got, want)
		}
	}
}

func TestNamesAreShownAsTheyCanBe(t *testing.T) {
	for name, want := range map[string]string{
		"shop": "shop", "": `""`, "a b": `"a b"`, "\x1b[31m": `"\x1b[31m"`, "é": "é", "\xff": `"\xff"`, `"`: `"\""`, "a,b": `"a,b"`, "\u202e": `"\u202e"`,
	} {
		if got := quoted(name); got != want {
			t.Errorf("%q is shown as %s, expected %s", name, got, want)
		}
	}
	for bytes, want := range map[int64]string{-1: "unknown", 0: "0 B", 999: "999 B", 1000: "1.0 kB", 999_960: "1.0 MB", 1 << 40: "1.1 TB", math.MaxInt64: "9223372.0 TB"} {
		if got := size(bytes); got != want {
			t.Errorf("%d bytes are shown as %s, expected %s", bytes, got, want)
		}
	}
}
