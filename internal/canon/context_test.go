package canon_test

import (
	"fmt"
	"math"
	"math/big"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/seed-dad15c92/txcache/internal/canon"
)

type (
	company struct {
		ID     int
		Name   string
		parent *company
	}
	node   struct{ Next *node }
	hooked struct {
		ID int
		fn func()
		ch chan int
		p  unsafe.Pointer
	}
	values = map[string]any
)

func user(u any) *canon.Context { return (*canon.Context)(nil).WithUser(u) }

func with(v values) *canon.Context { return (*canon.Context)(nil).With(v) }

func one(v any) *canon.Context { return with(values{"k": v}) }

func identify(t testing.TB, c *canon.Context) canon.ID {
	t.Helper()
	id, ok := c.ID(nil)
	if !ok {
		t.Fatal("the context has no ID")
	}
	return id
}

func TestEmptyContext(t *testing.T) {
	var none *canon.Context
	for name, c := range map[string]*canon.Context{"nil": none, "no values": none.With(nil), "empty map": none.With(values{}), "two empty": none.With(nil).With(values{})} {
		if got := identify(t, c); got != (canon.ID{}) || got.Text() != "" || got.Hash() != 0 {
			t.Errorf("%s: ID is %v with text %q and hash %d", name, got, got.Text(), got.Hash())
		}
	}
	ignored := canon.NewIgnored("lang")
	if got, ok := with(values{"lang": "de"}).ID(ignored); !ok || got != (canon.ID{}) {
		t.Errorf("a context of ignored values is not empty: %q, %v", got.Text(), ok)
	}
	if got, ok := none.ID(ignored); !ok || got != (canon.ID{}) {
		t.Errorf("the empty context has the ID %q, %v", got.Text(), ok)
	}
}

// The texts are part of keys that are kept outside of the process.
func TestContextTextStaysTheSame(t *testing.T) {
	at := time.Date(2024, 2, 29, 12, 0, 0, 1, time.FixedZone("CET", 3600))
	for _, test := range []struct {
		c    *canon.Context
		want string
	}{
		{user(1), "tlEnZFMfsDuOH-93-Xrdnia2nPyw7URAC8wNNPVnM_g"},
		{user(nil), "n0SsasuKN7ALYV3IklnTBgNb6C3ufbK0cuTEgyYZVEA"},
		{with(values{"lang": "de"}), "OVXVi6PlFFoyXuw9vweTssuxweqN_VJ8BYliP7qpUu0"},
		{user(int64(7)).With(values{"lang": "de", "company": []int{1, 2}, "at": at}), "D2fiMYIQDiUJ10mnXb4E6ujVsCyI6TC7vjwNn7zdraU"},
		{with(values{"c": &company{1, "a", &company{ID: 2}}, "m": map[any]float64{1: 1, "a": 2}, "d": time.Second, "ip": netip.MustParseAddr("::1")}), "4Fanz-vLrFP1FUtN-0MPXt1dU8N8LlqMwx5yVgupgKw"},
	} {
		if got := identify(t, test.c).Text(); got != test.want {
			t.Errorf("text is %s, want %s", got, test.want)
		}
	}
}

func TestDifferentContextsNeverMeet(t *testing.T) {
	x, y := 1, 1
	px := &x
	at := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	contexts := map[string]*canon.Context{
		"nil":             nil,
		"user nil":        user(nil),
		"user as value":   with(values{"user": 1}),
		"user as value 2": with(values{"": 1}),
		"user and value":  user(1).With(values{"": 1}),
		"two values":      with(values{"a": "b", "c": "d"}),
		"one long value":  with(values{"a": "bc\x01d"}),
		"other split":     with(values{"ab": "", "c": "d"}),
		"swapped":         with(values{"a": "d", "c": "b"}),
		"other key":       with(values{"l": 1}),
	}
	for _, u := range []any{1, int64(1), "1", []any{1}, values{"k": 1}} {
		contexts[fmt.Sprintf("user %T %v", u, u)] = user(u)
	}
	for i, v := range append(distinctKeys(),
		time.Second, time.Duration(1), []byte{1}, []byte{}, []byte(nil), []byte("a"), [1]byte{1}, []uint16{1},
		[]int{1}, []int{}, []int(nil), []any{1}, []any{int64(1)}, []any{nil}, []any{}, []int{1, 2}, []int{2, 1}, [][]int{{1}, {2}}, [][]int{{1, 2}, {}},
		[]struct{}{}, make([]struct{}, 1), make([]struct{}, 1<<40),
		map[string]int{}, map[string]int(nil), map[string]int{"a": 1}, map[string]int{"a": 1, "b": 2}, map[string]int{"a": 2, "b": 1}, map[string]any{"a": 1}, map[any]any{"a": 1}, map[any]any{"a": map[any]any{}},
		map[lang]int{"a": 1}, map[[2]string]int{{"a", "b"}: 1}, map[[2]string]int{{"ab", ""}: 1},
		px, &px, (*int)(nil), (**int)(nil), new(*int), new(int), new(any),
		company{}, company{ID: 1}, company{Name: "1"}, &company{}, company{parent: &company{}}, company{parent: &company{ID: 1}}, (*company)(nil),
		hooked{}, hooked{ID: 1, p: nil}, (func())(nil), (chan int)(nil), unsafe.Pointer(nil), node{}, node{&node{}}, node{&node{&node{}}},
		at, at.Add(1), at.Add(-time.Hour), at.In(time.FixedZone("UTC", 1)), at.In(time.FixedZone("GMT", 0)), at.In(time.FixedZone("GMT", 3600)), time.Time{}, &at, []time.Time{at},
		struct{ at time.Time }{at}, struct{ at time.Time }{at.Add(1)}, struct{ at any }{at},
		big.NewInt(1), big.NewInt(-1), *big.NewInt(2), netip.AddrPortFrom(netip.Addr{}, 1),
		complex(0.5, 1), [4]byte{1, 2, 3, 4}, &[4]byte{1, 2, 3, 4},
	) {
		contexts[fmt.Sprintf("%d, a %T", i, v)] = one(v)
	}
	owners := map[canon.ID]string{}
	texts := map[string]string{}
	for name, c := range contexts {
		id, ok := c.ID(nil)
		if !ok {
			t.Errorf("%s has no ID", name)
			continue
		}
		if other, ok := owners[id]; ok {
			t.Errorf("%s and %s are one", name, other)
		}
		if other, ok := texts[id.Text()]; ok {
			t.Errorf("%s and %s have the text %q", name, other, id.Text())
		}
		owners[id], texts[id.Text()] = name, name
	}
	if identify(t, one(&x)) != identify(t, one(&y)) {
		t.Error("pointers to equal values are not the same")
	}
}

func TestEqualContextsAreOne(t *testing.T) {
	at := time.Now()
	loop, err := time.LoadLocation("UTC")
	if err != nil {
		t.Fatal(err)
	}
	for name, pair := range map[string][2]*canon.Context{
		"order of calls":    {user(1).With(values{"a": 1}).With(values{"b": 2}), with(values{"b": 2, "a": 1}).WithUser(1)},
		"new value wins":    {with(values{"a": 1, "b": 1}).With(values{"a": 2, "c": 3}), with(values{"a": 2, "b": 1, "c": 3})},
		"new user wins":     {user(1).WithUser(2), user(2)},
		"zeros":             {one(0.0), one(math.Copysign(0, -1))},
		"monotonic clock":   {one(at), one(at.Round(0))},
		"locations":         {one(at.UTC()), one(at.In(loop))},
		"zones":             {one(at.In(time.FixedZone("X", 60))), one(at.In(time.FixedZone("X", 60)))},
		"capacity":          {one(make([]int, 1, 9)), one([]int{0})},
		"blank fields":      {one(blank{1, 2, nil}), one(blank{A: 1})},
		"blank unfreezable": {one(blank{1, func() {}, nil}), one(blank{A: 1})},
		"shared pointers":   {one([]*company{{ID: 1}, {ID: 1}}), one(twice(&company{ID: 1}))},
		"big":               {one(big.NewInt(5)), one(new(big.Int).Sub(big.NewInt(9), big.NewInt(4)))},
		"maps":              {one(map[int]bool{1: true, 2: false, 3: true}), one(map[int]bool{3: true, 2: false, 1: true})},
	} {
		a, b := identify(t, pair[0]), identify(t, pair[1])
		if a != b || a.Text() != b.Text() || a.Hash() != b.Hash() {
			t.Errorf("%s: %q and %q are not one", name, a.Text(), b.Text())
		}
	}
}

func twice(c *company) []*company { return []*company{c, c} }

func TestWhatCannotBeFrozen(t *testing.T) {
	cycle := &node{}
	cycle.Next = cycle
	slice := []any{nil}
	slice[0] = slice
	table := map[string]any{}
	table["self"] = table
	var doubled any = 1
	for range 64 {
		doubled = &[2]any{doubled, doubled}
	}
	var deep any = 1
	for range 100_000 {
		deep = &deep2{deep}
	}
	var deepMaps any = 1
	for range 150 {
		deepMaps = map[string]any{"a": deepMaps}
	}
	number := 1
	for name, v := range map[string]any{
		"nan":                   math.NaN(),
		"nan32":                 float32(math.NaN()),
		"complex nan":           complex(0, math.NaN()),
		"inner nan":             []any{map[string]float64{"a": math.NaN()}},
		"func":                  func() {},
		"chan":                  make(chan int),
		"uintptr":               uintptr(1),
		"unsafe pointer":        unsafe.Pointer(&number),
		"func in struct":        hooked{fn: func() {}},
		"chan in struct":        &hooked{ch: make(chan int)},
		"location":              time.UTC,
		"location value":        *time.FixedZone("X", 1),
		"cycle":                 cycle,
		"slice cycle":           slice,
		"map cycle":             table,
		"shared pointers":       doubled,
		"deep":                  deep,
		"deep maps":             deepMaps,
		"pointers as map keys":  map[*int]int{&number: 1},
		"nan as map key":        map[float64]int{math.NaN(): 1},
		"pointer in map key":    map[any]int{[1]any{&number}: 1},
		"time as map key":       map[time.Time]int{{}: 1},
		"two mebibytes, bytes":  make([]byte, 2<<20),
		"two mebibytes, string": strings.Repeat("a", 2<<20),
		"two mebibytes, array":  [2 << 20]byte{},
		"two mebibytes, ints":   make([]int, 1<<18),
		"two mebibytes, map":    map[int]string{1: strings.Repeat("a", 1<<19), 2: strings.Repeat("a", 1<<19), 3: ""},
	} {
		for _, c := range []*canon.Context{one(v), user(v), user(1).With(values{"a": 1, "k": v, "z": 1})} {
			if id, ok := c.ID(nil); ok || id != (canon.ID{}) {
				t.Errorf("%s has the ID %q, %v", name, id.Text(), ok)
			}
		}
	}
}

type deep2 struct{ v any }

func TestValuesAreFrozenWhenGiven(t *testing.T) {
	list, table := []int{1}, values{"k": nil}
	table["k"] = list
	c := with(table)
	u := user(list)
	list[0], table["x"] = 2, 1
	if identify(t, c) != identify(t, one([]int{1})) || identify(t, u) != identify(t, user([]int{1})) {
		t.Error("a later change shows")
	}
}

func TestContextsAreImmutable(t *testing.T) {
	base := user(1).With(values{"a": 1})
	before := identify(t, base)
	for _, c := range []*canon.Context{base.With(values{"a": 2}), base.With(values{"b": 2}), base.WithUser(2), base.With(values{"c": math.NaN()})} {
		if id, ok := c.ID(nil); ok && id == before {
			t.Error("a change does not show")
		}
	}
	if identify(t, base) != before || identify(t, base.With(values{"a": 2}).With(values{"a": 1})) != before {
		t.Error("a derived context has changed the one it came from")
	}
}

func TestIgnoredKeysMakeNoDifference(t *testing.T) {
	ignored := canon.NewIgnored("client", "_request")
	a := with(values{"lang": "de", "client": "web", "_request": func() {}}).WithUser(1)
	b := with(values{"lang": "de", "client": "app"}).WithUser(1)
	plain := with(values{"lang": "de"}).WithUser(1)
	want := identify(t, plain)
	for _, c := range []*canon.Context{a, b, plain} {
		if id, ok := c.ID(ignored); !ok || id != want {
			t.Errorf("ID is %q, %v; want %q", id.Text(), ok, want.Text())
		}
	}
	if _, ok := a.ID(nil); ok {
		t.Error("a value that cannot be frozen is left out though not ignored")
	}
	if _, ok := a.ID(canon.NewIgnored("client")); ok {
		t.Error("a value that cannot be frozen is left out though not ignored")
	}
	if identify(t, b) == want {
		t.Error("a value is left out though not ignored")
	}
	// In any order, and again.
	for range 2 {
		if id, ok := a.ID(ignored); !ok || id != want {
			t.Errorf("ID is now %q, %v", id.Text(), ok)
		}
		if _, ok := a.ID(nil); ok {
			t.Error("a value that cannot be frozen is left out later")
		}
	}
	if id, ok := user(1).ID(canon.NewIgnored("user", "", "1")); !ok || id != identify(t, user(1)) {
		t.Error("the user can be ignored")
	}
}

func TestEqualIgnoredSetsAreOne(t *testing.T) {
	keys := []string{"b", "a", "b"}
	set := canon.NewIgnored(keys...)
	keys[0] = "c"
	if canon.NewIgnored("a", "b") != set || canon.NewIgnored("b", "a", "a") != set {
		t.Error("equal sets are different pointers")
	}
	for _, other := range []*canon.Ignored{nil, canon.NewIgnored("ab"), canon.NewIgnored("a"), canon.NewIgnored("a", "b", ""), canon.NewIgnored("a\x01b")} {
		if other == set {
			t.Error("different sets are the same pointer")
		}
	}
	if canon.NewIgnored() != nil || canon.NewIgnored([]string{}...) != nil {
		t.Error("the empty set is not nil")
	}
	if id, ok := one(1).ID(new(canon.Ignored)); !ok || id != identify(t, one(1)) {
		t.Error("the zero set is not empty")
	}
}

func TestIDsAreSafeForConcurrentUse(t *testing.T) {
	c := user(1).With(values{"a": 1, "b": 2, "c": 3, "bad": math.NaN()})
	sets := []*canon.Ignored{canon.NewIgnored("bad"), canon.NewIgnored("bad", "a"), canon.NewIgnored("bad", "b"), canon.NewIgnored("a"), nil}
	want := make([]canon.ID, len(sets))
	for i, set := range sets {
		want[i], _ = user(1).With(values{"a": 1, "b": 2, "c": 3, "bad": math.NaN()}).ID(set)
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				n := (i + g) % len(sets)
				if id, ok := c.ID(sets[n]); id != want[n] || ok != (n < 3) {
					t.Errorf("set %d: ID is %q, %v", n, id.Text(), ok)
				}
				if id, ok := c.With(values{"bad": i}).WithUser(g).ID(nil); !ok || id == (canon.ID{}) {
					t.Error("a derived context has no ID")
				}
			}
		})
	}
	wg.Wait()
}

func TestHashesSpread(t *testing.T) {
	low, all := map[uint64]bool{}, map[uint64]bool{}
	ids := make([]canon.ID, 1000)
	for i := range ids {
		ids[i] = identify(t, user(i))
		all[ids[i].Hash()] = true
		low[ids[i].Hash()%4096] = true
	}
	if len(all) != len(ids) || len(low) < 700 {
		t.Errorf("%d IDs have %d hashes, in %d of 4096 buckets", len(ids), len(all), len(low))
	}
}
