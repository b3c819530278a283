package memsize_test

import (
	"sync"
	"testing"

	"github.com/seed-dad15c92/txcache/internal/memsize"
)

func estimate[T any](v T) int {
	size := memsize.Of[T]()
	if size == nil {
		return 0
	}
	return size(&v)
}

type name string

// A type whose kind is string is sized as a string, whatever its name is.
func TestNamedStringsAreStrings(t *testing.T) {
	for _, text := range []string{"", "short", "a text that is somewhat longer than the others are"} {
		if named, plain := estimate(name(text)), estimate(text); named != plain {
			t.Errorf("%q: %d bytes, as a plain string %d", text, named, plain)
		}
	}
}

type order struct{ lines []*line }

type line struct {
	of   *order
	text string
}

type person struct{ groups []*group }

type group struct{ people []*person }

type ring []ring

// What refers to itself counts once, however it is met.
func TestWhatRefersToItselfCountsOnce(t *testing.T) {
	for _, n := range []int{1, 2, 10, 17, 50, 1000, 10_000} {
		o := &order{lines: make([]*line, 0, n)}
		for range n {
			o.lines = append(o.lines, &line{o, "a text of 24 characters."})
		}
		truth := 24 + n*(8+24+24)
		for what, got := range map[string]int{"an order": estimate(o), "a line": estimate(line{of: o})} {
			if diff := got - truth; 4*max(diff, -diff) > truth {
				t.Errorf("%s of %d lines: %d bytes, want about %d", what, n, got, truth)
			}
		}
	}
	groups := make([]*group, 20)
	for i := range groups {
		groups[i] = &group{}
	}
	for range 1000 {
		p := &person{append([]*group(nil), groups...)}
		for _, g := range groups {
			g.people = append(g.people, p)
		}
	}
	const all = 20*(24+8*1024) + 1000*(24+20*8)
	if got := estimate(groups[3].people[7]); got < 0 || got > 4*all {
		t.Errorf("people and groups that refer to each other: %d bytes, want at most %d or so", got, all)
	}
	r := make(ring, 1000)
	for i := range r {
		r[i] = r
	}
	if got := estimate(r); got < 24_000 || got > 30_000 {
		t.Errorf("a slice of itself: %d bytes, want about 24 000", got)
	}
}

type marked struct {
	_ [0]*marked
	_ int
}

// A type that refers to itself in an array of no length alone refers to nothing.
func TestArraysOfNoLengthReferToNothing(t *testing.T) {
	if got := estimate(marked{}); got != 0 {
		t.Errorf("%d bytes, want 0", got)
	}
	if got := estimate(&marked{}); got != 8 {
		t.Errorf("a pointer to one: %d bytes, want 8", got)
	}
}

type shared struct {
	mu *sync.Mutex
	m  map[string]string
}

// What a lock elsewhere may guard is not looked at. The race detector sees it otherwise.
func TestATypeWithAPointerToALockIsNotLookedInto(t *testing.T) {
	s := &shared{new(sync.Mutex), map[string]string{}}
	var all sync.WaitGroup
	all.Go(func() {
		for i := range 100 {
			s.mu.Lock()
			s.m[string(rune('a'+i))] = "value"
			s.mu.Unlock()
		}
	})
	if got := estimate(s); got != 16 {
		t.Errorf("%d bytes, want 16", got)
	}
	all.Wait()
}
