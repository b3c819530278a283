package memsize_test

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/internal/memsize"
)

type row struct {
	ID      int64
	Name    string
	Tags    []string
	Changed time.Time
	Price   *float64
}

type tree struct {
	Name     string
	Children []*tree
}

// of returns the sum of the estimates of n values, and what the heap says of them.
func of[T any](n int, make func(i int) T) (estimate, heap int) {
	values := newValues[T](n)
	size := memsize.Of[T]()
	before := inUse()
	for i := range values {
		values[i] = make(i)
	}
	heap = inUse() - before
	for i := range values {
		if size != nil {
			estimate += size(&values[i])
		}
	}
	runtime.KeepAlive(values)
	return estimate, heap
}

func newValues[T any](n int) []T { return make([]T, n) }

func inUse() int {
	runtime.GC()
	runtime.GC() // what the first has found is swept
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

func grown(n int) map[int]string {
	m := map[int]string{}
	for i := range n {
		m[i] = strings.Repeat("v", i%50+1)
	}
	return m
}

// An estimate is within a quarter of the truth.
func TestEstimatesAreNearTheTruth(t *testing.T) {
	price := func(i int) *float64 { p := float64(i); return &p }
	check := func(name string, estimate, heap int) {
		t.Helper()
		if diff := estimate - heap; 4*max(diff, -diff) > heap+16<<10 {
			t.Errorf("%s: %d bytes, the heap says %d: off by %.0f %%", name, estimate, heap, 100*float64(diff)/float64(heap))
		}
	}
	const n = 4000
	report := func(name string) func(estimate, heap int) {
		return func(estimate, heap int) { check(name, estimate, heap) }
	}
	report("numbers")(of(n, func(i int) int { return i }))
	for _, length := range []int{0, 20, 100, 1000, 10_000} {
		report(fmt.Sprint("strings of ", length))(of(n, func(int) string { return strings.Repeat("x", length) }))
		report(fmt.Sprint("bytes of ", length))(of(n, func(int) []byte { return make([]byte, length) }))
	}
	report("strings in an interface")(of(n, func(i int) any { return strings.Repeat("x", i%300) }))
	report("arrays in an interface")(of(n, func(i int) any { return [4]int{i} }))
	report("pointers in an interface")(of(n, func(i int) any { return &row{Name: strings.Repeat("x", i%40)} }))
	report("rows")(of(n, func(i int) row {
		return row{Name: strings.Repeat("n", 20), Tags: []string{strings.Repeat("a", 10), strings.Repeat("b", 30)}, Changed: time.Now(), Price: price(i)}
	}))
	report("slices of rows")(of(n/10, func(i int) []row {
		rows := make([]row, i%100)
		for j := range rows {
			rows[j].Name = strings.Repeat("n", 30)
		}
		return rows
	}))
	for _, length := range []int{0, 5, 20, 100, 700} {
		report(fmt.Sprint("maps of ", length))(of(n/10, func(int) map[int]string { return grown(length) }))
	}
	report("maps of maps")(of(n/40, func(int) map[string]any {
		return map[string]any{"a": strings.Repeat("x", 100), "b": map[string]any{"c": 1.5, "d": []any{"one", "two"}}, "e": nil, "f": true}
	}))
	report("trees")(of(n/40, func(int) *tree { return grow(4) }))
}

func grow(depth int) *tree {
	t := &tree{Name: strings.Repeat("n", 24)}
	for range 3 {
		if depth > 0 {
			t.Children = append(t.Children, grow(depth-1))
		}
	}
	return t
}

// What refers to itself, or holds what others change, costs no endless walk and no race.
func TestWhatMustNotBeWalked(t *testing.T) {
	ring := &tree{Name: "a"}
	ring.Children = []*tree{ring}
	if got := memsize.Of[*tree]()(&ring); got < 1 {
		t.Errorf("a ring has %d bytes", got)
	}
	live := &struct {
		sync.Mutex
		m map[int]int
	}{m: map[int]int{}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 10_000 {
			live.Lock()
			live.m[i%100] = i
			live.Unlock()
		}
	}()
	value := any(live)
	for range 1000 {
		memsize.Of[any]()(&value)
	}
	<-done
	when := time.Now()
	if size := memsize.Of[time.Time](); size != nil && size(&when) != 0 {
		t.Error("a time refers to what all times share")
	}
	if memsize.Of[struct{ A, B int }]() != nil {
		t.Error("numbers refer to something")
	}
	if memsize.Of[struct {
		A chan []byte
		B func()
	}]() != nil {
		t.Error("of what a channel and a function refer to something is known")
	}
}

func BenchmarkOf(b *testing.B) {
	r := row{Name: strings.Repeat("n", 20), Tags: []string{"one", "two"}, Changed: time.Now()}
	size := memsize.Of[row]()
	b.Run("row", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			size(&r)
		}
	})
	s, text := memsize.Of[string](), strings.Repeat("n", 20)
	b.Run("string", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s(&text)
		}
	})
	v, of := any(map[string]any{"a": 1, "b": "two"}), memsize.Of[any]()
	b.Run("any", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			of(&v)
		}
	})
}
