package sqlbackendtest_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/sqlbackend"
)

// waitLimit is how long a test waits for what must happen.
const waitLimit = 30 * time.Second

func clearOf(s *backend.State, caches ...string) backend.Fence {
	f := backend.Fence{ID: backend.NewToken()}
	for _, cache := range caches {
		f.Caches = append(f.Caches, backend.Generation{Cache: cache, Token: s.Token(cache)})
	}
	return f
}

func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// count returns how many rows the table has.
func (p *place) count() (n int) {
	p.t.Helper()
	if err := p.reads.QueryRowContext(p.t.Context(), "SELECT COUNT(*) FROM "+p.table).Scan(&n); err != nil {
		p.t.Fatal(err)
	}
	return n
}

// P6: a row that cannot be read makes everything private; it never hides a clear.
func testBadRows(t *testing.T, e *engine) {
	p := e.place(t)
	var log bytes.Buffer
	b, err := sqlbackend.New(func(string) (*sql.DB, error) { return p.db, nil }, p.dialect, &sqlbackend.Options{Table: p.table, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for i, bad := range []string{
		"", " ", "null", "users", "[", "{", "{]", "12", `"users"`, "[1]", "[null]", "[[]]", `["a"] ["b"]`, `[{"a":1}]`, `[{"a":["xyz"]}]`, `[{"a":["0123456789abcdeg"]}]`, `[{"a":[7]}]`,
		`{"a":1}`, `{"a":[1]}`, `{"a":[1,2,{},{},{}]}`, `{"a":[1.5,2]}`, `{"a":[-1,2]}`, `{"a":[1,4611686018427387904]}`, `{"a":[1,2,{"x":1}]}`,
		`{"a":[1,2,{"0123456789abcdef":18446744073709551615}]}`, `{"a":[1,2,{},{"1024":1}]}`, `{"a":[null,2]}`, `{"a":[1,2,null]}`, `{"a":[1e3,2]}`,
	} {
		before := must(b.Sync(t.Context(), "shop"))(t)
		if before.AllFenced {
			t.Fatalf("before row %d all is private", i)
		}
		number, n := rand.Int64N(1<<62), int64(1)
		if i%2 == 0 {
			number, n = 0, 0 // it leaves sums as they are
		}
		args := []any{number, n, bad}
		if e.dialect == sqlbackend.Postgres {
			p.exec("INSERT INTO "+p.table+" (database, token, n, clears) VALUES ('shop', $1, $2, $3)", args...)
		} else {
			p.exec("INSERT INTO "+p.table+" ("+p.database()+", token, n, clears) VALUES ('shop', ?, ?, ?)", args...)
		}
		s := must(b.Sync(t.Context(), "shop"))(t)
		if !s.AllFenced || s.Token("a") == before.Token("a") {
			t.Errorf("with the row %q the state is shared: %+v", bad, s)
		}
		if err := b.Fold(t.Context(), "shop"); err != nil {
			t.Errorf("folding beside the row %q: %v", bad, err)
		}
		if s := must(b.Sync(t.Context(), "shop"))(t); !s.AllFenced {
			t.Errorf("after a fold beside the row %q the state is shared", bad)
		}
		p.exec("DELETE FROM " + p.table)
		if s := must(b.Sync(t.Context(), "shop"))(t); s.AllFenced || s.Token("a") == before.Token("a") {
			t.Errorf("after all rows were deleted the state is %+v", s)
		}
	}
	if n := strings.Count(log.String(), "delete all rows"); n != 1 {
		t.Errorf("the log tells %d times what to do:\n%s", n, log.String())
	}
}

// Any program may clear.
func testRowsOfOthers(t *testing.T, e *engine) {
	p := e.place(t)
	b := p.backend()
	before := must(b.Sync(t.Context(), "shop"))(t)
	p.exec("INSERT INTO " + p.table + " (" + p.database() + `, token, n, clears) VALUES ('shop', 123, 1, '["users", {"prices": ["00c0ffee00c0ffee"]}]')`)
	s := must(b.Sync(t.Context(), "shop"))(t)
	if s.Token("users") == before.Token("users") || s.Token("prices") != before.Token("prices") || s.Sums.Of("prices").Key(0xc0ffee00c0ffee) != 123 {
		t.Errorf("the state is %+v", s)
	}
}

// The Backend folds by itself, and rows do not grow without end.
func testManyRowsAreFolded(t *testing.T, e *engine) {
	p := e.place(t)
	b := p.backend()
	must(b.Sync(t.Context(), "shop"))(t)
	var s *backend.State
	for i := range 100 {
		s = must(b.Clear(t.Context(), "shop", clearOf(must(b.Sync(t.Context(), "shop"))(t), fmt.Sprint("cache", i%7))))(t)
	}
	for end := time.Now().Add(waitLimit); p.count() > 40; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("there are %d rows", p.count())
		}
		if must(b.Sync(t.Context(), "shop"))(t) != s {
			t.Fatal("a fold made another State")
		}
	}
}

// Keys are bounded; one that is forgotten is a miss, never a hit.
func testKeysAreForgotten(t *testing.T, e *engine) {
	p := e.place(t)
	b := p.backend()
	must(b.Sync(t.Context(), "shop"))(t)
	kept := map[uint64]uint64{}
	hash := func(i int) uint64 { return uint64(i) * 0x9e3779b97f4a7c15 }
	record := func(from, to int) {
		f := backend.Fence{ID: backend.NewToken(), Keys: []backend.Keys{{Cache: "a"}}}
		for i := from; i < to; i++ {
			f.Keys[0].Hashes = append(f.Keys[0].Hashes, hash(i))
			kept[hash(i)] = f.ID.Number()
		}
		must(b.Clear(t.Context(), "shop", f))(t)
	}
	for i := range 4 {
		record(i*5000, (i+1)*5000)
	}
	before := must(b.Sync(t.Context(), "shop"))(t)
	if n := before.Sums.Len(); n != 20000 {
		t.Fatalf("%d sums, want 20000", n)
	}
	old := must(p.begin(t.Context(), &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}))(t)
	defer old.Rollback()
	must(b.State(t.Context(), old, "shop"))(t)
	if err := b.Fold(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	late := p.backend()
	now, same := must(b.Sync(t.Context(), "shop"))(t), must(late.Sync(t.Context(), "shop"))(t)
	if n := now.Sums.Len(); n > backend.MaxDeletes {
		t.Errorf("%d sums after a fold, want %d at most", n, backend.MaxDeletes)
	}
	changed := 0
	for h, number := range kept {
		got := now.Sums.Of("a").Key(h)
		if got == 0 {
			t.Fatalf("key %x has no sum", h)
		}
		if got != number {
			changed++
		}
		if got != same.Sums.Of("a").Key(h) {
			t.Fatalf("two processes disagree on key %x", h)
		}
	}
	t.Logf("%d sums left; %d of %d keys have another one", now.Sums.Len(), changed, len(kept))
	if changed == 0 || changed == len(kept) {
		t.Errorf("%d of %d keys have another sum, want some", changed, len(kept))
	}
	if s := must(b.State(t.Context(), old, "shop"))(t); s.Sums.Of("a").Key(hash(1)) != kept[hash(1)] {
		t.Error("the old snapshot has another sum")
	}
	old.Rollback()
	record(1, 3)
	if s := must(late.Sync(t.Context(), "shop"))(t); s.Sums.Of("a").Key(hash(1)) == now.Sums.Of("a").Key(hash(1)) {
		t.Error("a delete after the fold changes no sum")
	}
}

// A process that knows states of old and one that knows none agree on every snapshot.
func testStatesByDifferenceAreRight(t *testing.T, e *engine) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	p := e.place(t)
	long := []*sqlbackend.Backend{p.backend(), p.backend()}
	must(long[0].Sync(t.Context(), "shop"))(t)
	var open []tx
	defer func() {
		for _, q := range open {
			q.Rollback()
		}
	}()
	caches := make([]string, 30)
	for i := range caches {
		caches[i] = fmt.Sprintf("cache%02d", i)
	}
	compare := func(step int, q tx) {
		fresh := must(sqlbackend.New(func(string) (*sql.DB, error) { return p.db, nil }, p.dialect, &sqlbackend.Options{Table: p.table}))(t)
		defer fresh.Close()
		want := must(fresh.State(t.Context(), q, "shop"))(t)
		got := must(long[random.IntN(2)].State(t.Context(), q, "shop"))(t)
		if got.AllFenced || want.AllFenced {
			t.Fatalf("step %d: private", step)
		}
		for _, cache := range append(caches, "none", "") {
			if got.Token(cache) != want.Token(cache) {
				t.Fatalf("step %d: cache %s is at %s, want %s", step, cache, got.Token(cache), want.Token(cache))
			}
			for hash := range uint64(20) {
				if got, want := got.Sums.Of(cache).Key(hash), want.Sums.Of(cache).Key(hash); got != want {
					t.Fatalf("step %d: key %d of %s has the sum %d, want %d", step, hash, cache, got, want)
				}
			}
		}
		if len(got.Caches) != len(want.Caches) || got.Sums.Len() != want.Sums.Len() {
			t.Fatalf("step %d: %d caches and %d sums, want %d and %d", step, len(got.Caches), got.Sums.Len(), len(want.Caches), want.Sums.Len())
		}
	}
	for step := range 150 {
		for range random.IntN(12) {
			f := backend.Fence{ID: backend.NewToken(), All: random.IntN(20) == 0}
			for _, cache := range caches {
				if random.IntN(15) == 0 {
					f.Caches = append(f.Caches, backend.Generation{Cache: cache})
				}
			}
			for _, cache := range append([]string{""}, caches...) {
				if random.IntN(15) == 0 {
					f.Keys = append(f.Keys, backend.Keys{Cache: cache, Hashes: []uint64{random.Uint64N(20)}})
				}
			}
			must(long[random.IntN(2)].Clear(t.Context(), "shop", f))(t)
		}
		switch random.IntN(10) {
		case 0, 1, 2:
			if err := long[0].Fold(t.Context(), "shop"); err != nil {
				t.Fatal(err)
			}
		case 3:
			if random.IntN(4) == 0 {
				if err := long[0].Drop(t.Context(), "shop"); err != nil {
					t.Fatal(err)
				}
			}
		}
		q := must(p.begin(context.Background(), &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}))(t)
		compare(step, q)
		open = append(open, q)
		compare(step, open[random.IntN(len(open))])
		if len(open) > 6 {
			i := random.IntN(len(open))
			open[i].Rollback()
			open[i] = open[len(open)-1]
			open = open[:len(open)-1]
		}
	}
}
