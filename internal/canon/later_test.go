package canon_test

import (
	"bytes"
	"fmt"
	"math"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/internal/canon"
)

// A live value is in use by another goroutine all the time, under a lock that
// nobody else knows. Whoever looks at it dies, or is caught by the race detector.
type live struct {
	mu   sync.Mutex
	data map[string]int
}

func alive(t *testing.T) *live {
	l := &live{data: map[string]int{}}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			l.mu.Lock()
			l.data[fmt.Sprint(i%1000)] = i
			l.mu.Unlock()
		}
	}()
	t.Cleanup(func() { close(stop); <-stopped })
	return l
}

func TestIgnoredValuesAreNotLookedAt(t *testing.T) {
	request := canon.NewIgnored("_request")
	l := alive(t)
	for name, v := range map[string]any{"a pointer": l, "a map": l.data, "a list": []any{l}, "a struct": struct{ L *live }{l}, "an array": [1]any{l}} {
		t.Run(name, func(t *testing.T) {
			for range 200 {
				given := values{"_request": v, "language": "de"}
				want := identify(t, user(1).With(values{"language": "de"}))
				for who, c := range map[string]*canon.Context{
					"never looked at":             user(1).Take(given, request, nil),
					"mostly not looked at":        user(1).Take(given, nil, request),
					"given on":                    user(1).Take(given, nil, request).WithUser(2).WithUser(1),
					"given on, and more":          user(1).Take(given, nil, request).With(values{"more": 1}).Take(values{"more": 2}, canon.NewIgnored("more"), nil),
					"replaced":                    user(1).Take(given, nil, request).With(values{"_request": 1}),
					"given together with another": user(1).Take(values{"_request": v, "other": v, "language": "de"}, request, canon.NewIgnored("other")),
				} {
					ignored := canon.NewIgnored("_request", "more", "other")
					if id, ok := c.ID(ignored); !ok || id != want {
						t.Fatalf("%s: the context is another one", who)
					}
				}
			}
		})
	}
}

// What is ignored costs the same whatever it is.
func TestIgnoredValuesCostNothing(t *testing.T) {
	request := canon.NewIgnored("_request")
	large := map[string][]byte{"body": bytes.Repeat([]byte{1}, 900_000)}
	n := 0 // so that no context is one that is remembered
	next := func(v any) values { n++; return values{"_request": v, "n": n} }
	for name, take := range map[string]func(v any) *canon.Context{
		"never":  func(v any) *canon.Context { return user(1).Take(next(v), request, nil) },
		"mostly": func(v any) *canon.Context { return user(1).Take(next(v), nil, request) },
	} {
		bytesOf := func(v any) int64 {
			return testing.Benchmark(func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					take(v).ID(request)
				}
			}).AllocedBytesPerOp()
		}
		if n := bytesOf(large); n > 4096 {
			t.Errorf("%s: a value of 900 kB costs %d bytes", name, n)
		}
	}
	given := values{"_request": large, "language": "de"}
	user(1).Take(given, request, nil)
	if n := testing.AllocsPerRun(100, func() { user(1).Take(given, request, nil) }); n != 0 {
		t.Errorf("a context that is remembered but for what is ignored costs %v allocations", n)
	}
}

// A value that is mostly ignored counts where it is not, and is the same to all
// who ask: what it was when the first did. Plain values are what they were when
// they were given, whatever becomes of them.
func TestValuesThatAreMostlyIgnored(t *testing.T) {
	mostly := canon.NewIgnored("k")
	type plain struct {
		A [2]int
		T time.Time
		P netip.Addr
		S []string
	}
	same := func(t *testing.T, a, b *canon.Context) bool {
		t.Helper()
		one, ok1 := a.ID(nil)
		other, ok2 := b.ID(nil)
		if !ok1 || !ok2 {
			t.Fatal("a context has no form")
		}
		return one == other
	}
	for _, test := range []struct {
		value  any
		change func(v any)
		now    bool // it is taken when it is given
	}{
		{[]int{1, 2}, func(v any) { v.([]int)[0] = 3 }, true},
		{[]string{"a"}, func(v any) { v.([]string)[0] = "b" }, true},
		{[]byte("a"), func(v any) { v.([]byte)[0] = 'b' }, true},
		{[][2]bool{{true}}, func(v any) { v.([][2]bool)[0][0] = false }, true},
		{plain{S: []string{"a"}}, func(v any) { v.(plain).S[0] = "b" }, true},
		{map[string]int{"a": 1}, func(v any) { v.(map[string]int)["a"] = 2 }, false},
		{&plain{}, func(v any) { v.(*plain).A[1] = 2 }, false},
		{[]any{1}, func(v any) { v.([]any)[0] = 2 }, false},
		{[]plain{{}}, func(v any) { v.([]plain)[0].A[0] = 2 }, false},
	} {
		t.Run(fmt.Sprintf("%T", test.value), func(t *testing.T) {
			before := one(test.value)
			same(t, before, before)
			c := (*canon.Context)(nil).Take(values{"k": test.value}, nil, mostly)
			asked := c.WithUser(1).With(values{"l": 1})
			same(t, asked, asked) // who asks for what was made of c asks for its value too
			late := (*canon.Context)(nil).Take(values{"k": test.value}, nil, mostly)
			test.change(test.value)
			if !same(t, c, before) || !same(t, asked, before.WithUser(1).With(values{"l": 1})) {
				t.Error("a value that was asked for is not what it was then")
			}
			if same(t, late, before) != test.now {
				t.Errorf("it is taken when it is given: %v, want %v", !test.now, test.now)
			}
			if same(t, late, (*canon.Context)(nil)) {
				t.Error("it makes no difference")
			}
			if id, ok := late.ID(mostly); !ok || id != (canon.ID{}) {
				t.Error("it makes a difference where it is ignored")
			}
		})
	}
	for _, v := range []any{math.NaN(), func() {}, map[string]any{"f": func() {}}} {
		c := (*canon.Context)(nil).Take(values{"k": v}, nil, mostly)
		if _, ok := c.ID(nil); ok {
			t.Errorf("%T has a form", v)
		}
		if _, ok := c.ID(mostly); !ok {
			t.Errorf("%T is in the way of those who ignore it", v)
		}
	}
}

func TestTypesThatContainThemselvesAreMostlyIgnored(t *testing.T) {
	type node struct {
		Next []node
		More map[string]node
		Up   *node
	}
	type list []list
	for _, v := range []any{node{}, list{}, []node{}, [2]node{}} {
		if _, ok := (*canon.Context)(nil).Take(values{"k": v}, nil, canon.NewIgnored("k")).ID(nil); !ok {
			t.Errorf("%T has no form", v)
		}
	}
}

func TestExtendedSets(t *testing.T) {
	var none *canon.Ignored
	if none.Extended(nil) != nil || none.Extended([]string{}) != nil {
		t.Error("no keys are a set")
	}
	s := none.Extended([]string{"b", "a", "b"})
	if s.Extended([]string{"a"}) != s || s.Extended(nil) != s {
		t.Error("keys that are there make another set")
	}
	c := with(values{"a": 1, "b": 2, "c": 3, "d": 4})
	if identify(t, with(values{"d": 4})) != func() canon.ID { id, _ := c.ID(s.Extended([]string{"c"})); return id }() {
		t.Error("a set that was extended has other keys")
	}
}

// Many may ask at once for a value that nobody has asked for.
func TestMostlyIgnoredValuesAreTakenOnce(t *testing.T) {
	v := map[string]int{"a": 1}
	c := user(1).Take(values{"k": v}, nil, canon.NewIgnored("k"))
	var all sync.WaitGroup
	ids := make([]canon.ID, 8)
	for i := range ids {
		all.Go(func() { ids[i], _ = c.WithUser(1).ID(canon.NewIgnored(fmt.Sprint(i))) })
	}
	all.Wait()
	for _, id := range ids {
		if want, _ := user(1).With(values{"k": v}).ID(nil); id != want {
			t.Errorf("%v is not %v", id, want)
		}
	}
}
