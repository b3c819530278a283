package codec_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/internal/codec"
)

//lint:file-ignore U1000 reflection looks at fields and methods

// The methods of these leave something out, as those of many types do. Their
// kinds and exported fields do not.
type (
	enum            int // 0 has no name
	nullable        struct{ Nullable[string] }
	Nullable[T any] struct {
		V     T
		Valid bool
	}
	day     time.Time // JSON has the date alone
	version [3]uint8
	set     map[string]bool
	secret  string // shows nothing
)

func (e enum) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "enum(%d)", int(e)), nil }
func (e *enum) UnmarshalText(b []byte) error {
	if string(b) != "enum(1)" {
		return fmt.Errorf("%q is no enum", b)
	}
	*e = 1
	return nil
}

func (n nullable) MarshalText() ([]byte, error) { return []byte(n.V), nil }
func (n *nullable) UnmarshalText(b []byte) error {
	n.V, n.Valid = string(b), len(b) > 0
	return nil
}

func (d day) MarshalJSON() ([]byte, error)     { return json.Marshal(time.Time(d).Format(time.DateOnly)) }
func (d *day) UnmarshalJSON(b []byte) error    { return nil }
func (v version) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%d.%d", v[0], v[1]), nil }
func (v *version) UnmarshalText(b []byte) error {
	_, err := fmt.Sscanf(string(b), "%d.%d", &v[0], &v[1])
	return err
}
func (s set) MarshalBinary() ([]byte, error)   { return nil, nil }
func (s *set) UnmarshalBinary([]byte) error    { *s = set{}; return nil }
func (s secret) MarshalText() ([]byte, error)  { return []byte("***"), nil }
func (s *secret) UnmarshalText(b []byte) error { *s = secret(b); return nil }

// What a type would not tell others comes back all the same.
func TestKindsAndFieldsComeBeforeMethods(t *testing.T) {
	long, _, err := big.ParseFloat("123456789012345678901234567890.123456789", 10, 300, big.ToZero)
	if err != nil {
		t.Fatal(err)
	}
	n, _ := new(big.Int).SetString("-340282366920938463463374607431768211457", 10)
	emptied := new(big.Int).Sub(big.NewInt(1), big.NewInt(1)) // 0, in another form than new(big.Int)
	for _, c := range []check{
		keeps[enum](0, 1, -7), keeps(map[enum]enum{0: 1, 1: 0}),
		keeps(nullable{}, nullable{Nullable[string]{"", true}}, nullable{Nullable[string]{"x", true}}, nullable{Nullable[string]{"x", false}}),
		keeps(day{}, day(time.Date(2026, 3, 1, 2, 3, 4, 5, time.FixedZone("JST", 9*3600)))),
		keeps(version{1, 2, 3}), keeps(set(nil), set{}, set{"a": false}), keeps[secret]("", "very"),
		keeps(url.URL{Scheme: "https", Host: "shop", Path: "a b"}, url.URL{Path: "/a/b", RawPath: "/a%2Fb"}, url.URL{Scheme: "a", Opaque: "b", ForceQuery: true, OmitHost: true}),
		keeps(url.User(""), url.UserPassword("", ""), url.UserPassword("a:", "@"), nil),
		keeps(long, new(big.Float), new(big.Float).SetPrec(77), new(big.Float).SetMode(big.AwayFromZero).SetInf(true), new(big.Float).Neg(new(big.Float)), nil),
		keeps(*long), keeps(n, new(big.Int), nil), keeps(big.NewRat(-1, 3), new(big.Rat)),
		keeps(netip.PrefixFrom(netip.MustParseAddr("1.2.3.4"), 99), netip.Prefix{}), keeps(netip.AddrPort{}, netip.MustParseAddrPort("[fe80::1%eth0]:80")),
		keeps(netip.MustParseAddr("::ffff:1.2.3.4")), keeps(net.IP(nil), net.IP{}, net.IPv4(1, 2, 3, 4), net.IP{1, 2, 3, 4}), keeps(net.IPNet{IP: net.IP{1, 2, 3, 4}, Mask: net.IPMask{0, 1, 0, 1}}),
		keeps(json.RawMessage(nil), json.RawMessage{}, json.RawMessage("{")), keeps[json.Number]("", "1e400", "x"),
		keeps(time.March, time.Month(13)),
	} {
		t.Run(c.name, c.run)
	}
	if got := trip(t, emptied); got.Sign() != 0 {
		t.Errorf("0 came back as %v", got)
	}
}

// lossy has unexported fields, and methods that lose one thing each.
type lossy struct {
	text  string
	valid bool
	at    time.Time
	list  []int
	m     map[string]*int
	any   any
	f     float64
	next  *lossy
}

func (l *lossy) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%s|%s|%v|%v", strings.ToUpper(l.text), l.at.Format(time.RFC3339), l.list, l.f), nil
}

func (l *lossy) UnmarshalText(b []byte) error {
	p := strings.Split(string(b), "|")
	*l = lossy{text: p[0], valid: p[0] != ""}
	if at, err := time.Parse(time.RFC3339, p[1]); err == nil && !at.IsZero() {
		l.at = at
	}
	for _, n := range strings.Fields(strings.Trim(p[2], "[]")) {
		i, _ := strconv.Atoi(n)
		l.list = append(l.list, i)
	}
	l.f, _ = strconv.ParseFloat(p[3], 64)
	return nil
}

// What methods do not bring back as it was is refused; what they do is not.
func TestMethodsAreChecked(t *testing.T) {
	same(t, []*lossy{{}, {text: "A", valid: true}, {list: []int{1, 2}, f: 1.5}, nil})
	same(t, lossy{text: "A", valid: true, at: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)})
	if got := trip(t, lossy{f: math.NaN()}); !math.IsNaN(got.f) {
		t.Errorf("NaN came back as %v", got.f)
	}
	one := 1
	for name, v := range map[string]lossy{
		"valid, but empty": {valid: true}, "lower case": {text: "a", valid: true},
		"nanoseconds": {at: time.Unix(0, 1).UTC()}, "name of a zone": {at: time.Unix(0, 0).In(time.FixedZone("JST", 9*3600))},
		"empty list": {list: []int{}}, "map": {m: map[string]*int{"a": &one}}, "empty map": {m: map[string]*int{}},
		"interface": {any: 1}, "function": {any: func() {}}, "lock": {any: new(atomic.Int64)}, "pointer": {next: &lossy{}},
	} {
		t.Run(name, func(t *testing.T) {
			wantUnsupported(t, codec.New[[]lossy](), []lossy{{}, v}, "a codec_test.lossy does not come back from its own methods as it was")
			wantUnsupported(t, codec.New[*lossy](), &v, "a codec_test.lossy does not come back from its own methods as it was")
		})
	}
}

// ownText has its text for itself, which leaves out the time, and the rest from
// time.Time, which leaves out the zone.
type ownText struct {
	time.Time
	zone string
}

func (o ownText) MarshalText() ([]byte, error)     { return []byte(o.zone), nil }
func (o *ownText) UnmarshalText(text []byte) error { o.zone = string(text); return nil }

// Of several methods, one that loses nothing of the value serves.
func TestAMethodThatLosesNothingIsFound(t *testing.T) {
	same(t, ownText{})
	same(t, ownText{time.Unix(1, 2).UTC(), ""})
	same(t, ownText{zone: "x"})
	same(t, []ownText{{time.Unix(1, 2).UTC(), ""}, {zone: "x"}})
	wantUnsupported(t, codec.New[ownText](), ownText{time.Unix(1, 2).UTC(), "x"}, "ownText does not come back")
	same(t, sealed{-3})
	same(t, ticket{3})
}

// An amount is like a decimal number: its zero value is a nil pointer.
type amount struct{ n *big.Int }

func (a amount) Equal(b amount) bool {
	return a.n == b.n || a.String() == b.String()
}
func (a amount) String() string {
	if a.n == nil {
		return "0"
	}
	return a.n.String()
}
func (a amount) MarshalText() ([]byte, error) { return []byte(a.String()), nil }
func (a *amount) UnmarshalText(b []byte) error {
	a.n, _ = new(big.Int).SetString(string(b), 10)
	return nil
}

// A silent one is like it, and has no method that says so.
type silent struct{ n *big.Int }

func (s silent) MarshalText() ([]byte, error)  { return amount(s).MarshalText() }
func (s *silent) UnmarshalText(b []byte) error { return (*amount)(s).UnmarshalText(b) }

// A clock is equal to another at the same instant, wherever it is.
type clock struct{ t time.Time }

func (c clock) Equal(o clock) bool               { return c.t.Equal(o.t) }
func (c clock) MarshalText() ([]byte, error)     { return c.t.UTC().MarshalText() }
func (c *clock) UnmarshalText(text []byte) error { return c.t.UnmarshalText(text) }

// A quarrel panics when it is compared.
type quarrel struct{ p *int }

func (quarrel) Equal(quarrel) bool            { panic("no") }
func (quarrel) MarshalText() ([]byte, error)  { return nil, nil }
func (q *quarrel) UnmarshalText([]byte) error { q.p = new(int); return nil }

// Equal says that nil may be zero, and no more.
func TestEqualDecidesBetweenNilAndZero(t *testing.T) {
	if got := trip(t, []amount{{}, {big.NewInt(-5)}}); !got[0].Equal(amount{}) || got[1].String() != "-5" {
		t.Errorf("came back as %v", got)
	}
	same(t, silent{big.NewInt(5)})
	wantUnsupported(t, codec.New[silent](), silent{}, "silent does not come back")
	same(t, clock{time.Unix(1, 2).UTC()})
	wantUnsupported(t, codec.New[clock](), clock{time.Unix(1, 2).In(time.FixedZone("JST", 9*3600))}, "clock does not come back")
	wantUnsupported(t, codec.New[quarrel](), quarrel{}, "quarrel does not come back")
}

// A list is like an amount: what is empty is equal to nil, and comes back for it.
type list struct{ items []int }

func (l list) Cmp(o list) int                { return len(l.items) - len(o.items) }
func (l list) MarshalText() ([]byte, error)  { return json.Marshal(append([]int{}, l.items...)) }
func (l *list) UnmarshalText(b []byte) error { return json.Unmarshal(b, &l.items) }

func TestCmpDecidesBetweenNilAndEmpty(t *testing.T) {
	if got := trip(t, []list{{}, {[]int{1}}}); got[0].items == nil || len(got[0].items) != 0 || len(got[1].items) != 1 {
		t.Errorf("came back as %#v", got)
	}
}

// A tally counts the calls of its methods.
type tally struct{ n int }

type openTally struct{ N int }

var tallies int // calls of the methods of tally and openTally

func (t tally) MarshalText() ([]byte, error)      { return strconv.AppendInt(nil, int64(t.n), 10), nil }
func (openTally) MarshalText() ([]byte, error)    { tallies++; return []byte("0"), nil }
func (o *openTally) UnmarshalText(b []byte) error { tallies++; return nil }
func (t *tally) UnmarshalText(b []byte) (err error) {
	tallies++
	t.n, err = strconv.Atoi(string(b))
	return err
}

// What methods encode is decoded once when it is sent. No method is called of what is encoded by its fields.
func TestWhatIsSentIsDecodedOnce(t *testing.T) {
	tallies = 0
	if _, err := codec.New[tally]().Append(nil, tally{n: 5}, time.Time{}); err != nil || tallies != 1 {
		t.Errorf("what its methods encode was decoded %d times, %v; want once", tallies, err)
	}
	tallies = 0
	if same(t, openTally{5}); tallies != 0 {
		t.Errorf("methods of a struct of exported fields were called %d times", tallies)
	}
}

// A ticket has nothing but gob.
type ticket struct{ n byte }

func (t ticket) GobEncode() ([]byte, error)   { return []byte{t.n}, nil }
func (t *ticket) GobDecode(data []byte) error { t.n = data[0]; return nil }

// A key with a pointer in it would not be found.
func TestAKeyFromMethodsIsFoundOrNotShared(t *testing.T) {
	same(t, map[celsius]int{{1}: 1})
	same(t, map[netip.Addr]int{netip.MustParseAddr("fe80::1%eth0"): 1})
	wantUnsupported(t, codec.New[map[amount]int](), map[amount]int{{big.NewInt(1)}: 1}, "amount does not come back")
	same(t, map[string]amount{"": {big.NewInt(1)}})
}

// A type that cannot be encoded by its kind is by its methods, wherever it is.
type channel chan int

func (channel) MarshalBinary() ([]byte, error) { return nil, nil }
func (*channel) UnmarshalBinary([]byte) error  { return nil }

type knot struct {
	Left, Right *tangle
	C           channel
}
type tangle struct {
	Knots []knot
	done  chan int
}

func (t tangle) MarshalText() ([]byte, error) { return json.Marshal(len(t.Knots)) }
func (t *tangle) UnmarshalText(b []byte) error {
	var n int
	err := json.Unmarshal(b, &n)
	t.Knots = make([]knot, n)[:n:n]
	if n == 0 {
		t.Knots = nil
	}
	return err
}

func TestMethodsServeWhereTheKindDoesNot(t *testing.T) {
	same(t, struct{ A, B channel }{})
	wantUnsupported(t, codec.New[[]channel](), []channel{make(channel)}, "channel does not come back")
	same(t, tangle{Knots: []knot{{}, {}}})
	same(t, knot{Left: &tangle{Knots: []knot{{}}}})
	same(t, map[string][]knot{"": {{Right: &tangle{}}}})
	wantUnsupported(t, codec.New[knot](), knot{Left: &tangle{Knots: []knot{{Left: &tangle{}}}}}, "tangle does not come back")
}

// Two versions of one program, whose types have the names alone in common.
func TestSchemaKnowsWhatMethodsEncode(t *testing.T) {
	shapes := map[string]string{}
	for name, s := range map[string]string{
		"v1": v1(), "v2, with a field more": v2(), "v3, of another type": v3(), "v4, further down": v4(), "v5, with another method": v5(), "v6, deep down": v6(),
	} {
		if other, ok := shapes[s]; ok {
			t.Errorf("%s has the schema of %s", name, other)
		}
		shapes[s] = name
	}
	if codec.New[int]().Schema() != codec.NewVersion[int](0).Schema() || codec.NewVersion[int](1).Schema() == codec.NewVersion[int](2).Schema() ||
		codec.NewVersion[int](1).Schema() == codec.NewVersion[int](-1).Schema() || codec.NewVersion[int](1).Schema() == schema[int]() {
		t.Error("a version is not part of the schema")
	}
}

// methods are what accounts inherit.
type methods struct{}

func (methods) MarshalText() ([]byte, error) { return nil, nil }
func (*methods) UnmarshalText([]byte) error  { return nil }
func (methods) MarshalJSON() ([]byte, error) { return nil, nil }

type methods2 struct{ methods }

func (*methods2) UnmarshalJSON([]byte) error { return nil }

func v1() string {
	type Account struct {
		methods
		id int
	}
	return schema[Account]()
}

func v2() string {
	type Account struct {
		methods
		id    int
		limit int
	}
	return schema[Account]()
}

func v3() string {
	type Account struct {
		methods
		id int64
	}
	return schema[Account]()
}

func v4() string {
	type owner struct{ names []map[string]*string }
	type Account struct {
		methods
		id    int
		owner *owner
	}
	return schema[Account]()
}

func v6() string {
	type owner struct{ names []map[string]*[]byte }
	type Account struct {
		methods
		id    int
		owner *owner
	}
	return schema[Account]()
}

func v5() string {
	type Account struct {
		methods2
		id int
	}
	return schema[Account]()
}
