package codec_test

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/seed-dad15c92/txcache/internal/codec"
)

// refuses checks that no value of V is encoded, for the given reason.
func refuses[V any](reason string) func(t *testing.T) {
	return func(t *testing.T) {
		t.Helper()
		var v V
		c := codec.New[V]()
		for range 2 {
			wantUnsupported(t, c, v, reason)
		}
		if _, _, err := c.Decode([]byte("\xc1\x82\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x90")); !errors.Is(err, codec.ErrUnsupported) {
			t.Errorf("Decode: %v", err)
		}
	}
}

func wantUnsupported[V any](t *testing.T, c *codec.Codec[V], v V, reason string) {
	t.Helper()
	got, err := c.Append([]byte("kept"), v, time.Time{})
	if !errors.Is(err, codec.ErrUnsupported) || string(got) != "kept" {
		t.Fatalf("Append: %q, %v", got, err)
	}
	if !strings.HasPrefix(err.Error(), "txcache: ") || !strings.Contains(err.Error(), reason) {
		t.Errorf("the error %q does not say %q", err, reason)
	}
}

// The fields of these are there to be refused.
//
//lint:file-ignore U1000 reflection looks at them
type unexported struct{ hidden int }

type embedsPointer struct{ *unexported }

type embedsNumber struct{ secretNumber }

type secretNumber int

type locked struct {
	celsius
	mu sync.Mutex
}

type counted struct {
	celsius
	reads *atomic.Int64
}

func TestATypeThatWouldLoseSomethingIsRefused(t *testing.T) {
	type order struct {
		Lines []struct{ Done map[string]chan bool }
	}
	type keyed struct {
		Next *map[keyedBy]int
	}
	for _, c := range []check{
		{"channel", refuses[chan int]("chan int: chan int")},
		{"function", refuses[func()]("func(): func()")},
		{"unsafe pointer", refuses[unsafe.Pointer]("unsafe.Pointer")},
		{"within", refuses[order]("order.Lines[].Done[]: chan bool")},
		{"behind a pointer", refuses[*order]("order.Lines[].Done[]: chan bool")},
		{"unexported field", refuses[unexported]("unexported: field hidden")},
		{"mutex", refuses[struct{ Mu sync.Mutex }](".Mu: field")},
		{"unexported pointer", refuses[embedsPointer]("field unexported")},
		{"unexported number", refuses[embedsNumber]("field secretNumber")},
		{"unexported field of an embedded struct", refuses[struct{ unexported }](".unexported: field hidden")},
		{"lock beside methods", refuses[*locked]("locked: it has methods for that, but holds a sync.Mutex")},
		{"atomic beside methods", refuses[struct{ A []counted }](".A[]: it has methods for that, but holds a atomic.Int64")},
		{"pointer as key", refuses[map[*int]int]("map key")},
		{"pointer in a key", refuses[map[[1]struct{ P *int }]int]("map key")},
		{"pointer in its own key", refuses[keyed]("map key")},
		{"channel as key", refuses[map[chan int]int]("[key]: chan int")},
		{"huge array", refuses[*[1 << 40]int]("too long")},
		{"huge struct", refuses[*struct{ A, B [1 << 30]bool }]("too large")},
	} {
		t.Run(c.name, c.run)
	}
}

type keyedBy struct{ Next *map[keyedBy]int }

func TestAValueThatWouldLoseSomethingIsRefused(t *testing.T) {
	anything := codec.New[any]()
	var loop any = []any{nil}
	loop.([]any)[0] = loop
	ring := map[string]any{}
	ring["self"] = []map[string]any{ring}
	for _, c := range []struct {
		reason string
		value  any
	}{
		{"codec_test.point", point{}},
		{"*int", ptr(1)},
		{"codec_test.status", []any{status(1)}},
		{"codec_test.cents", map[string]any{"a": map[any]any{cents(1): 1}}},
		{"*big.Int", map[any]any{1: refBig}},
		{"chan int", make(chan int)},
		{"func()", func() {}},
		{"cyclic", loop},
		{"cyclic", ring},
		{"alike", map[any]any{math.NaN(): 1, math.Float64frombits(math.Float64bits(math.NaN())): 2}},
	} {
		wantUnsupported(t, anything, c.value, c.reason)
	}
	cycle := &node{}
	cycle.Left = cycle
	wantUnsupported(t, codec.New[*node](), cycle, "cyclic")
	cycle = &node{Children: map[point][]*node{}}
	cycle.Children[point{}] = []*node{cycle}
	wantUnsupported(t, codec.New[*node](), cycle, "cyclic")
	var self deep
	self = &self
	wantUnsupported(t, codec.New[deep](), self, "cyclic")

	nans := map[float64]int{math.NaN(): 1, math.Float64frombits(math.Float64bits(math.NaN())): 2}
	wantUnsupported(t, codec.New[map[float64]int](), nans, "two keys of a map[float64]int are encoded alike")
}

func TestTheSizeIsLimited(t *testing.T) {
	defer codec.SetMaxSize(codec.SetMaxSize(1 << 20))
	// Doubled sixty times, the value would never end.
	var tree *node
	for range 60 {
		tree = &node{Left: tree, Right: tree}
	}
	wantUnsupported(t, codec.New[*node](), tree, "more than")
	wantUnsupported(t, codec.New[string](), strings.Repeat("x", 1<<20), "more than")
	wantUnsupported(t, codec.New[[]struct{}](), make([]struct{}, 1<<40), "more than")
	wantUnsupported(t, codec.New[celsius](), celsius{1 << 20}, "more than")
	same(t, strings.Repeat("x", 1<<20-5-codec.HeaderSize))
}

// trouble is a marshaler that does what it is told.
type trouble struct{ what string }

var errTrouble = errors.New("about 4711")

func (t trouble) MarshalBinary() ([]byte, error) {
	switch t.what {
	case "error":
		return nil, errTrouble
	case "panic":
		panic("of " + t.what)
	}
	return []byte(t.what), nil
}

func (t *trouble) UnmarshalBinary(data []byte) error {
	switch t.what = string(data); t.what {
	case "decode error":
		return errTrouble
	case "decode panic":
		var p *trouble
		_ = p.what
	}
	if cap(data) > len(data) {
		return errors.New("there is more than its bytes")
	}
	return nil
}

func TestMarshalersInTrouble(t *testing.T) {
	c := codec.New[map[string]trouble]()
	of := func(what string) map[string]trouble { return map[string]trouble{"a": {"fine"}, "b": {what}} }
	wantUnsupported(t, c, of("panic"), "a method of codec_test.trouble failed with a codec.panicked")
	wantUnsupported(t, c, of("error"), "a method of codec_test.trouble failed with a *errors.errorString")
	if _, err := c.Append(nil, of("error"), time.Time{}); !errors.Is(err, errTrouble) {
		t.Errorf("the marshaler's error is lost in %v", err)
	} else if strings.Contains(err.Error(), errTrouble.Error()) {
		t.Errorf("%v quotes the marshaler's error, which may quote the value", err)
	}
	for what, reason := range map[string]string{"decode error": "*errors.errorString", "decode panic": "codec.panicked"} {
		wantUnsupported(t, c, of(what), "a method of codec_test.trouble failed with a "+reason)
		data, err := c.Append(nil, of(strings.ToUpper(what)), time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		v, _, err := c.Decode(bytes.ReplaceAll(data, []byte(strings.ToUpper(what)), []byte(what)))
		if !errors.Is(err, codec.ErrMalformed) || !strings.Contains(err.Error(), reason) || v != nil {
			t.Errorf("%s: %v, %v", what, v, err)
		}
	}
	same(t, of("fine"))
	same(t, of(""))
}
