package processes

import (
	"path/filepath"
	"testing"
	"time"
)

func newBoard(t *testing.T) *Board {
	b, err := NewBoard(filepath.Join(t.TempDir(), "board"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// What somebody sees in the database is known to all from then on, unless a
// fault may have come between the fence and the commit.
func TestFaultDelaysWhatAllMustKnow(t *testing.T) {
	const r, n = row(5), 7
	v := versionOf(1, n)
	for _, test := range []struct {
		name string
		do   func(*Board)
		want version
	}{
		{"no fault", func(*Board) {}, v},
		{"a fault goes on", func(b *Board) { b.Add(Faults, 1) }, 0},
		{"a fault is over", func(b *Board) { b.Add(Faults, 2) }, 0},
		{"a fault is over and the clear has arrived", func(b *Board) { b.Add(Faults, 2); b.counts(n) }, v},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBoard(t)
			b.Add(Faults, 2) // earlier ones make no difference
			b.sent(n, r, b.Count(Faults))
			test.do(b)
			b.saw(r, v)
			f := newLowerBound()
			if f.read(b); f.rows[r] != v && test.want == v || f.rows[r] == v && test.want != v {
				t.Errorf("all must know of %v, want %v", f.rows[r], test.want)
			}
		})
	}
}

// A transaction must know of what its own process did at once, and of what
// others did as long ago as the store may be late.
func TestHorizonIsAsFarAsTheStoreMayBeLate(t *testing.T) {
	b := newBoard(t)
	const late = 50 * time.Millisecond
	prompt, slow := newHorizon(b, 0), newHorizon(b, late)
	look := func(h *horizon, r row) version {
		f := newLowerBound()
		h.look(f)
		return f.rows[r]
	}
	look(slow, 0)
	v := versionOf(0, 1)
	b.known(0, v)
	began := time.Now()
	if got := look(prompt, 0); got != v {
		t.Errorf("where nothing may be late: %v, want %v", got, v)
	}
	if got := look(slow, 0); got == v && time.Since(began) < late {
		t.Errorf("%v is known at once, where it may be %v late", v, late)
	}
	if !await(patience, func() bool { return look(slow, 0) == v }) {
		t.Error("it is never known")
	}
	if took := time.Since(began); took < late {
		t.Errorf("it is known after %v, where it may be %v late", took, late)
	}
	slow.did(1, v)
	if got := look(slow, 1); got != v {
		t.Errorf("of its own doings: %v, want %v", got, v)
	}
}

// A lower bound, an event and a count written by one mapping of a board are read
// through another, as another process has it.
func TestBoardIsShared(t *testing.T) {
	path := filepath.Join(t.TempDir(), "board")
	one, err := NewBoard(path)
	if err != nil {
		t.Fatal(err)
	}
	defer one.Close()
	two, err := OpenBoard(path)
	if err != nil {
		t.Fatal(err)
	}
	defer two.Close()
	one.Add(Hits, 3)
	one.tell(2, name{1, 2, 3, 4}, sends, versionOf(5, 6))
	if got := two.Count(Hits); got != 3 {
		t.Errorf("%d hits, want 3", got)
	}
	want := "worker 1, life 2, actor 3, transaction 4 sends to commit w6 of life 5\n"
	if got := two.story(2); len(got) < len(want) || got[len(got)-len(want):] != want {
		t.Errorf("story %q, want its end to be %q", got, want)
	}
}
