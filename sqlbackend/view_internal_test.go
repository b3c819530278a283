package sqlbackend

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/seed-dad15c92/txcache/backend"
)

// A fakeTable is rows as a snapshot shows them.
type fakeTable []row

// viewOf returns the view of n of the table, of which it sends what the statement would.
func (n *tenant) viewOf(t *testing.T, table fakeTable) (*view, error) {
	t.Helper()
	args, known := n.args()
	if len(args) != len(known)+1 || args[len(known)] != n.column {
		t.Fatalf("arguments %v", args)
	}
	var rows []*row
	for _, r := range table {
		clears := r.clears
		for _, token := range args[:len(known)] {
			if token == r.token {
				clears = ""
			}
		}
		rows = append(rows, newRow(r.token, r.n, clears, known))
	}
	v, _, err := n.view(rows)
	return v, err
}

func clearRow(clears string) row { return row{token: rand.Int64N(1 << 62), n: 1, clears: clears} }

func TestEachRowChangesTheState(t *testing.T) {
	n := &tenant{column: "shop"}
	table := fakeTable{clearRow(`[""]`), clearRow(`["a"]`)}
	before, err := n.viewOf(t, table)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := n.viewOf(t, table); again != before || err != nil {
		t.Error("the same rows are another view")
	}
	// A program that clears without a random number, or a count, is not overlooked.
	for _, r := range []row{{0, 0, `["a"]`, nil, nil}, {0, 1, `["a"]`, nil, nil}, {0, -1, `["a"]`, nil, nil}} {
		v, err := n.viewOf(t, append(table, r))
		if err != nil || v == before || v.state.Token("a") == before.state.Token("a") {
			t.Errorf("with n = %d the view is %+v, %v", r.n, v, err)
		}
	}
	for _, bad := range []row{{0, 0, `[`, nil, nil}, {0, 0, ``, nil, nil}, {0, 0, `{"a":[1,0]}`, nil, nil}, {0, -1, `{"a":[1,0]}`, nil, nil}} {
		if v, err := n.viewOf(t, append(table, bad)); err == nil {
			t.Errorf("the row %+v can be read: %+v", bad, v)
		}
		if s := stateOf(nil); !s.AllFenced {
			t.Error("the state of what cannot be read is shared")
		}
	}
	if v, err := n.viewOf(t, table); v != before || err != nil {
		t.Error("after bad rows the same rows are another view")
	}
}

func TestWithoutAnEpochAllIsPrivate(t *testing.T) {
	n := &tenant{column: "shop"}
	for _, table := range []fakeTable{{}, {clearRow(`["a"]`)}, {{1, 5, `{"a":[5,7]}`, nil, nil}}} {
		v, err := n.viewOf(t, table)
		if err != nil {
			t.Fatal(err)
		}
		if s, other := stateOf(v), stateOf(v); !s.AllFenced || s.Token("a") == other.Token("a") {
			t.Errorf("the state of %v is %+v", table, s)
		}
	}
	v, err := n.viewOf(t, fakeTable{clearRow(`[""]`)})
	if s := stateOf(v); err != nil || s.AllFenced {
		t.Errorf("with an epoch the state is %+v, %v", s, err)
	}
}

// Large rows are not sent again, and are known by what names them.
func TestLargeRowsAreLeftOut(t *testing.T) {
	n := &tenant{column: "shop"}
	c := newContent()
	c.caches[""] = sum{1, 5}
	for i := range 100 {
		c.caches[fmt.Sprint("cache", i)] = sum{1, uint64(i + 1)}
	}
	table := fakeTable{{token: 99, n: 101, clears: c.pack()}}
	first, err := n.viewOf(t, table)
	if err != nil {
		t.Fatal(err)
	}
	if args, _ := n.args(); args[0] != int64(99) || len(args) != 2 {
		t.Fatalf("the arguments are %v, want the token of the large row", args)
	}
	again, err := n.viewOf(t, table)
	if again != first || err != nil {
		t.Errorf("without the content the view is another one: %v", err)
	}
	more, err := n.viewOf(t, append(table, clearRow(`["cache7"]`)))
	if err != nil || more.state.Token("cache8") != first.state.Token("cache8") || more.state.Token("cache7") == first.state.Token("cache7") {
		t.Errorf("the next view is %+v, %v", more, err)
	}
	// The same token with another content, as after a restore of something else.
	c.caches["cache1"] = sum{3, 3}
	other, err := n.viewOf(t, fakeTable{{token: 99, n: 103, clears: c.pack()}})
	if err == nil && other.state.Token("cache1") == first.state.Token("cache1") {
		t.Error("another row of that token is taken for the known one")
	}
}

// A fold leaves the state as it is, and what is added with it is found by the difference.
func TestAFoldIsTheSameState(t *testing.T) {
	n := &tenant{column: "shop"}
	var table fakeTable
	var stored []storedRow
	table = append(table, clearRow(`[""]`))
	for i := range 50 {
		table = append(table, clearRow(fmt.Sprintf(`["a%d",{"b":["%016x"]}]`, i%5, i%3)))
	}
	before, err := n.viewOf(t, table)
	if err != nil {
		t.Fatal(err)
	}
	for i := range table {
		stored = append(stored, storedRow{&row{token: table[i].token, n: 1, clears: table[i].clears}, int64(i)})
	}
	gone, whole, token := choose(stored, false)
	if len(gone) != len(table) || token != 0 {
		t.Fatalf("%d of %d rows are folded, with the token %d", len(gone), len(table), token)
	}
	id := sum{}
	for _, r := range gone {
		id = id.plus(r.sum())
	}
	folded := fakeTable{{token: int64(id.numbers), n: int64(id.n), clears: whole.pack()}}
	if v, err := n.viewOf(t, folded); v != before || err != nil {
		t.Errorf("after a fold the view is another one: %v", err)
	}
	more := append(folded, clearRow(`["a1"]`))
	for _, known := range []*tenant{n, {column: "shop"}} { // by difference, and anew
		v, err := known.viewOf(t, more)
		if err != nil {
			t.Fatal(err)
		}
		if v.state.Token("a2") != before.state.Token("a2") || v.state.Token("a1") == before.state.Token("a1") || v.state.Base != before.state.Base ||
			v.state.Sums.Of("b").Key(1) != before.state.Sums.Of("b").Key(1) {
			t.Errorf("the state is %+v, want that of before but for a1", v.state)
		}
	}
	// An older snapshot again, with rows from before the fold.
	if v, err := n.viewOf(t, table[:40]); err != nil || v.state.Token("a0") == before.state.Token("a0") {
		t.Errorf("the older view is %+v, %v", v, err)
	}
	if v, err := n.viewOf(t, folded); v != before || err != nil {
		t.Errorf("after an older snapshot the view is another one: %v", err)
	}
}

// A fold that forgets has another sum, so it must not be taken for the rows that it was made of.
func TestAFoldThatForgetsIsAnotherState(t *testing.T) {
	n := &tenant{column: "shop"}
	f := backend.Fence{ID: backend.NewToken(), All: true, Keys: []backend.Keys{{Cache: "a"}}}
	for range backend.MaxDeletes + 10 {
		f.Keys[0].Hashes = append(f.Keys[0].Hashes, rand.Uint64())
	}
	table := fakeTable{{int64(f.ID.Number()), 1, clearsOf(f), nil, nil}, clearRow(`["a"]`)}
	before, err := n.viewOf(t, table)
	if err != nil {
		t.Fatal(err)
	}
	gone, whole, token := choose([]storedRow{{&table[0], 1}, {&table[1], 2}}, false)
	if len(gone) != 2 || token == 0 || int64(token) == table[0].token+table[1].token {
		t.Fatalf("%d rows are folded, with the token %d", len(gone), token)
	}
	after, err := n.viewOf(t, fakeTable{{int64(token), 2, whole.pack(), nil, nil}})
	if err != nil || after == before || after.state.Token("a") != before.state.Token("a") || after.state.Sums.Len() > backend.MaxDeletes {
		t.Errorf("after the fold the view is %+v, %v", after, err)
	}
}
