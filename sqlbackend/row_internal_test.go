package sqlbackend

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/seed-dad15c92/txcache/backend"
)

func TestClearsAreReadAsTheyAreWritten(t *testing.T) {
	const number = 1<<62 - 1
	f := backend.Fence{
		Caches: []backend.Generation{{Cache: "a"}, {Cache: "\x00 \"\\é😀\u2028"}},
		Keys:   []backend.Keys{{Cache: "", Hashes: []uint64{1}}, {Cache: "b", Hashes: []uint64{0, 1<<64 - 1}}, {Cache: "none"}},
	}
	text := clearsOf(f)
	if want := `["a","\u0000 \"\\\u00e9\ud83d\ude00\u2028",{"":["0000000000000001"],"b":["0000000000000000","ffffffffffffffff"]}]`; text != want {
		t.Errorf("the row is %s, want %s", text, want)
	}
	c, err := parseClears(text, number)
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string]sum{"a": {1, number}, "\x00 \"\\é😀\u2028": {1, number}}; !maps.Equal(c.caches, want) {
		t.Errorf("caches %v, want %v", c.caches, want)
	}
	if want := map[place]uint64{{"", 1, false}: number, {"b", 0, false}: number, {"b", 1<<64 - 1, false}: number}; !maps.Equal(c.keys, want) {
		t.Errorf("keys %v, want %v", c.keys, want)
	}
	for text, f := range map[string]backend.Fence{
		`[]`:                              {},
		`[""]`:                            {All: true, Caches: []backend.Generation{{Cache: "a"}}},
		`["",{"a":["0000000000000001"]}]`: {All: true, Keys: []backend.Keys{{Cache: "a", Hashes: []uint64{1}}}},
		`[{"a":["0000000000000001"]}]`:    {Keys: []backend.Keys{{Cache: "a", Hashes: []uint64{1}}}},
	} {
		if got := clearsOf(f); got != text {
			t.Errorf("the row is %s, want %s", got, text)
		}
	}
}

// Sums have 62 bits, of which a floating-point number has 53.
func TestPackedRowsAreExact(t *testing.T) {
	c := &content{
		caches: map[string]sum{"": {1, 1<<62 - 1}, "a": {1<<64 - 1, 1<<53 + 1}, "zero": {}},
		keys: map[place]uint64{
			{"", 7, false}: 1<<62 - 2, {"a", 1<<64 - 1, false}: 1<<53 + 3, {"b", 1023, true}: 1<<62 - 1, {"b", 1, false}: 5, {"c", 1, false}: 0,
		},
	}
	text := c.pack()
	if want := `{"":[1,4611686018427387903,{"0000000000000007":4611686018427387902}],` +
		`"a":[18446744073709551615,9007199254740993,{"ffffffffffffffff":9007199254740995}],` +
		`"b":[0,0,{"0000000000000001":5},{"1023":4611686018427387903}]}`; text != want {
		t.Errorf("the row is %s, want %s", text, want)
	}
	got, err := parseSums(text)
	if err != nil {
		t.Fatal(err)
	}
	delete(c.caches, "zero")
	delete(c.keys, place{"c", 1, false})
	if !maps.Equal(got.caches, c.caches) || !maps.Equal(got.keys, c.keys) {
		t.Errorf("it is read as %v", got)
	}
	before := sum{1<<64 - 1, 1<<62 - 1}
	if after := before.plus(sum{1, 1}); after != (sum{}) || after.minus(sum{1, 1}) != before {
		t.Errorf("the sum is %v", after)
	}
}

func FuzzRow(f *testing.F) {
	for _, seed := range []string{`["a",{"b":["0000000000000001"]}]`, `{"a":[1,2,{"0000000000000001":3},{"4":5}]}`, `[`, `{"a":[1]}`, `[null]`, `nul`, `[1]`} {
		f.Add(seed, int64(3))
	}
	f.Fuzz(func(t *testing.T, clears string, n int64) {
		r := &row{token: 1, n: n, clears: clears}
		c, err := r.content()
		if err != nil {
			return
		}
		again, err := parseSums(c.pack())
		if err != nil {
			t.Fatalf("what was packed cannot be read: %v\n%s", err, c.pack())
		}
		if again.pack() != c.pack() {
			t.Errorf("%s is packed as %s and then as %s", clears, c.pack(), again.pack())
		}
		if r.sum().n == 0 {
			t.Error("a row does not count")
		}
	})
}

func TestTokensAreSums(t *testing.T) {
	for _, s := range []sum{{}, {1, 2}, {1<<64 - 1, mask}} {
		if got, ok := sumOf(s.token()); !ok || got != s {
			t.Errorf("the token %s of %v is one of %v, %t", s.token(), s, got, ok)
		}
	}
	for range 100 {
		if s, ok := sumOf(private().Base); ok {
			t.Fatalf("the token of a private state is one of %v", s)
		}
	}
}

// No two databases have the same name in the table, and none has one that a collation, a
// connection or an index may take for another one.
func TestColumnsAreIslands(t *testing.T) {
	seen := map[string]string{}
	for _, name := range []string{
		"shop", "Shop", "shop ", " shop", "shop%20", "shop%2520", "shop\x00", "é", "e\u0301", "%", "%25", "%sha256-", strings.Repeat("a", 190), strings.Repeat("a", 191), strings.Repeat("a", 192),
		strings.Repeat("é", 32), strings.Repeat("é", 31), column(strings.Repeat("a", 191)), "%" + column(strings.Repeat("a", 191)), "\ufffd", "\u200b", "a\tb",
	} {
		c := column(name)
		if other, ok := seen[c]; ok {
			t.Errorf("%q and %q are both %s", name, other, c)
		}
		seen[c] = name
		if len(c) > 190 || strings.Trim(c, "!\"#$%&'()*+,-./0123456789:;<=>?@"+letters+"[\\]^_`{|}~") != "" || !utf8.ValidString(c) {
			t.Errorf("%q is %q", name, c)
		}
	}
	if c := column("tenant-1.example.com"); c != "tenant-1.example.com" {
		t.Errorf("a plain name is %s", c)
	}
}

// P11, P12: whatever was forgotten when, two states that have the same token and the same sum for a
// key show the same clears and deletes of it.
func TestForgettingHidesNoDelete(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	hashes := make([]uint64, 12) // several in one group
	for i := range hashes {
		hashes[i] = random.Uint64()
		for i > 0 && i%4 != 0 && backend.Group(hashes[i]) != backend.Group(hashes[i-1]) {
			hashes[i] = random.Uint64()
		}
	}
	caches := []string{"", "a", "b"}
	type seen struct {
		cache string
		hash  uint64
		token backend.Token
		sum   uint64
	}
	forgotten := 0
	for range 30 {
		known := map[seen]string{} // which transactions have deleted the key, or cleared the cache
		// Both lives have the same transactions; each forgets at other moments.
		lives := []*content{newContent(), newContent(), newContent()}
		shows := map[string]map[uint64]string{}
		for _, cache := range caches {
			shows[cache] = map[uint64]string{}
		}
		for step := range 40 {
			c, number := newContent(), random.Uint64()&mask
			for _, cache := range caches {
				if random.IntN(10) == 0 {
					c.caches[cache] = sum{1, number}
					for _, other := range caches[1:] {
						if cache == "" || cache == other {
							for _, hash := range hashes {
								shows[other][hash] += fmt.Sprint(" ", step)
							}
						}
					}
				}
				for _, hash := range hashes {
					if random.IntN(8) == 0 {
						c.keys[place{cache, hash, false}] = number
						shows[cache][hash] += fmt.Sprint(" d", step)
					}
				}
			}
			for life, whole := range lives {
				whole.add(c)
				if life > 0 && random.IntN(6) == 0 {
					before := len(whole.keys)
					whole.forgetGroups(random.IntN(20))
					if random.IntN(3) == 0 {
						whole.forgetCaches(random.IntN(10))
					}
					forgotten += before - len(whole.keys)
				}
				v, _, err := empty.with([]*row{{token: 1, n: 1, clears: whole.pack()}}, nil, []*row{{token: 1, n: 1, clears: whole.pack()}})
				if err != nil {
					t.Fatal(err)
				}
				for _, cache := range caches {
					for _, hash := range hashes {
						at := seen{cache, hash, v.state.Token(cache), v.state.Sums.Of(cache).Key(hash)}
						if cache == "" {
							at.token = "" // tags are no cache
						}
						if old, ok := known[at]; ok && old != shows[cache][hash] {
							t.Fatalf("key %x of %q has one sum after%s and after%s", hash, cache, old, shows[cache][hash])
						}
						known[at] = shows[cache][hash]
					}
				}
			}
		}
	}
	if forgotten == 0 {
		t.Error("nothing was forgotten")
	}
}

// A fold does not write large rows again each time, and leaves few rows.
func TestFoldsWriteLittle(t *testing.T) {
	const transactions, caches = 20_000, 2000
	random := rand.New(rand.NewPCG(1, 2))
	var rows []storedRow
	written, most := 0, 0
	for i := range transactions {
		clears := fmt.Sprintf(`["cache%d"]`, random.IntN(caches))
		rows = append(rows, storedRow{&row{token: random.Int64N(1 << 62), n: 1, clears: clears}, int64(i)})
		gone, whole, _ := choose(rows, false)
		if len(gone) > 0 {
			left := map[*row]bool{}
			id := sum{}
			for _, r := range gone {
				left[r.row] = true
				id = id.plus(r.sum())
			}
			var next []storedRow
			for _, r := range rows {
				if !left[r.row] {
					next = append(next, r)
				}
			}
			written += whole.len()
			rows = append(next, storedRow{&row{token: int64(id.numbers), n: int64(id.n), clears: whole.pack()}, int64(i)})
		}
		most = max(most, len(rows))
	}
	t.Logf("%.1f entries written for each transaction; at most %d rows", float64(written)/transactions, most)
	if most > foldAfter+15 || written > 12*transactions {
		t.Errorf("%d entries were written for %d transactions; at most there were %d rows", written, transactions, most)
	}
	total := sum{}
	for _, r := range rows {
		total = total.plus(sum{r.sum().n, 0})
	}
	if total.n != transactions {
		t.Errorf("the rows count %d transactions, want %d", total.n, transactions)
	}
}

// Keys beyond the bound are forgotten by groups, and of many caches by clears.
func TestForgettingIsBounded(t *testing.T) {
	for _, caches := range []int{1, 3, 17, 100, backend.MaxDeletes + 1} {
		c := newContent()
		for i := range backend.MaxDeletes + 1 {
			c.keys[place{fmt.Sprint("cache", i%caches), rand.Uint64(), false}] = rand.Uint64()&mask | 1
		}
		if !c.forget() || len(c.keys) > backend.MaxDeletes {
			t.Errorf("of %d caches %d keys are left", caches, len(c.keys))
		}
		t.Logf("%d caches: %d keys and groups left, %d caches cleared", caches, len(c.keys), len(c.caches))
		if c.forget() {
			t.Error("it forgets again")
		}
	}
}
