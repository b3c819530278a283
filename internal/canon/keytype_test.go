package canon_test

import (
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/seed-dad15c92/txcache/internal/canon"
)

type owner struct{ Ref *viewKey }

func TestKeyTypesThatAreRejected(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"pointer":        {errOf[*int](), "key type *int: *int is a pointer, which means nothing in another process; use what it points to"},
		"channel":        {errOf[chan int](), "key type chan int: chan int means nothing in another process; use an identifier"},
		"unsafe pointer": {errOf[unsafe.Pointer](), "key type unsafe.Pointer: unsafe.Pointer is an address"},
		"uintptr":        {errOf[uintptr](), "key type uintptr: uintptr is an address, which means nothing in another process; use a uint64"},
		"time":           {errOf[time.Time](), "key type time.Time: time.Time holds a pointer to its location, so equal instants may differ; use UnixNano or a string"},
		"field":          {errOf[owner](), "key type canon_test.owner: part .Ref: *canon_test.viewKey is a pointer"},
		"nested field": {errOf[struct {
			A int
			B struct{ c [2]owner }
		}](), "part .B.c[].Ref: *canon_test.viewKey is a pointer"},
		"array":        {errOf[[2]chan int](), "part []: chan int means nothing"},
		"time in it":   {errOf[struct{ At time.Time }](), "part .At: time.Time holds a pointer"},
		"empty array":  {errOf[[0]*int](), "part []: *int is a pointer"},
		"derived addr": {errOf[derivedAddr](), "is a pointer"},
	} {
		t.Run(name, func(t *testing.T) {
			if test.err == nil {
				t.Fatal("no error")
			}
			if msg := test.err.Error(); !strings.HasPrefix(msg, "txcache: key type ") || !strings.Contains(msg, test.want) {
				t.Errorf("error %q does not contain %q", msg, test.want)
			}
		})
	}
}

type derivedAddr netip.Addr

func errOf[K comparable]() error {
	_, err := canon.NewKeys[K]()
	return err
}

func TestCheckedIsForTypesWithUnstableValues(t *testing.T) {
	for name, test := range map[string]struct{ got, want bool }{
		"int":           {keysOf[int](t).Checked(), false},
		"string":        {keysOf[string](t).Checked(), false},
		"id":            {keysOf[id](t).Checked(), false},
		"uuid":          {keysOf[[16]byte](t).Checked(), false},
		"struct":        {keysOf[viewKey](t).Checked(), false},
		"addr":          {keysOf[host](t).Checked(), false},
		"prefix":        {keysOf[netip.Prefix](t).Checked(), false},
		"duration":      {keysOf[time.Duration](t).Checked(), false},
		"blank pointer": {keysOf[blank](t).Checked(), false},
		"float":         {keysOf[float64](t).Checked(), true},
		"float32":       {keysOf[float32](t).Checked(), true},
		"complex":       {keysOf[complex64](t).Checked(), true},
		"any":           {keysOf[any](t).Checked(), true},
		"error":         {keysOf[error](t).Checked(), true},
		"array":         {keysOf[[2]float32](t).Checked(), true},
		"inner": {keysOf[struct {
			A [2]boxed
			B int
		}](t).Checked(), true},
	} {
		if test.got != test.want {
			t.Errorf("%s: Checked is %v", name, test.got)
		}
	}
}

func TestStable(t *testing.T) {
	nan := math.NaN()
	for name, test := range map[string]struct{ got, want bool }{
		"int":               {keysOf[int](t).Stable(1), true},
		"float":             {keysOf[float64](t).Stable(1), true},
		"infinity":          {keysOf[float64](t).Stable(math.Inf(1)), true},
		"nan":               {keysOf[float64](t).Stable(nan), false},
		"nan32":             {keysOf[float32](t).Stable(float32(nan)), false},
		"real nan":          {keysOf[complex128](t).Stable(complex(nan, 0)), false},
		"imaginary nan":     {keysOf[complex128](t).Stable(complex(math.Inf(1), nan)), false},
		"complex":           {keysOf[complex64](t).Stable(1i), true},
		"nan in array":      {keysOf[[2]float64](t).Stable([2]float64{0, nan}), false},
		"array":             {keysOf[[2]float64](t).Stable([2]float64{0, 1}), true},
		"nil error":         {keysOf[error](t).Stable(nil), true},
		"pointer error":     {keysOf[error](t).Stable(&time.ParseError{}), false},
		"slice error":       {keysOf[error](t).Stable(sliceError{}), false},
		"value error":       {keysOf[error](t).Stable(valueError("a")), true},
		"nil any":           {keysOf[any](t).Stable(nil), true},
		"any nan":           {keysOf[any](t).Stable(nan), false},
		"any string":        {keysOf[any](t).Stable("a"), true},
		"any slice":         {keysOf[any](t).Stable([]int{}), false},
		"any nil slice":     {keysOf[any](t).Stable([]int(nil)), false},
		"any map":           {keysOf[any](t).Stable(map[string]int{}), false},
		"any func":          {keysOf[any](t).Stable(func() {}), false},
		"any pointer":       {keysOf[any](t).Stable(new(int)), false},
		"any nil pointer":   {keysOf[any](t).Stable((*int)(nil)), false},
		"any chan":          {keysOf[any](t).Stable(make(chan int)), false},
		"any uintptr":       {keysOf[any](t).Stable(uintptr(1)), false},
		"any time":          {keysOf[any](t).Stable(time.Time{}), false},
		"any addr":          {keysOf[any](t).Stable(netip.Addr{}), true},
		"any struct":        {keysOf[any](t).Stable(viewKey{}), true},
		"any owner":         {keysOf[any](t).Stable(owner{}), false},
		"any array of func": {keysOf[any](t).Stable([0]func(){}), false},
		"slice in struct":   {keysOf[any](t).Stable(struct{ a []int }{}), false},
		"boxed":             {keysOf[boxed](t).Stable(boxed{boxed{1}}), true},
		"boxed slice":       {keysOf[boxed](t).Stable(boxed{boxed{[]int{1}}}), false},
		"boxed nan":         {keysOf[any](t).Stable([1]boxed{{nan}}), false},
		"huge empty array":  {keysOf[any](t).Stable([1 << 50]struct{}{}), true},
		"huge static array": {keysOf[[2]any](t).Stable([2]any{[1 << 50]struct{}{}}), true},
	} {
		if test.got != test.want {
			t.Errorf("%s: Stable is %v", name, test.got)
		}
	}
}

type (
	valueError string
	sliceError []string
)

func (valueError) Error() string { return "value" }
func (sliceError) Error() string { return "slice" }

func TestDeepKeys(t *testing.T) {
	keys := keysOf[any](t)
	var key any = 1
	for range 80 {
		key = boxed{key}
	}
	if !keys.Stable(key) || keys.Text(key) == keys.Text(boxed{key}) {
		t.Error("eighty levels are too many")
	}
	for range 1_000_000 {
		key = boxed{key}
	}
	if keys.Stable(key) {
		t.Error("a million levels are not too many")
	}
}

// What is stable has a text, at every depth up to the limit and about it.
func TestStableKeysHaveATextAtEveryDepth(t *testing.T) {
	keys, boxes := keysOf[any](t), keysOf[boxed](t)
	key, limit := boxed{}, 0
	for depth := range 300 {
		if keys.Stable(key) && keys.Text(key) == "" {
			t.Fatalf("no text at depth %d", depth)
		}
		if boxes.Stable(key) {
			limit = depth
			if boxes.Text(key) == "" {
				t.Fatalf("no text at depth %d", depth)
			}
		}
		key = boxed{key}
	}
	if limit < 50 || limit > 250 {
		t.Errorf("keys may be %d levels deep", limit)
	}
}

func TestHugeEmptyArrayHasAText(t *testing.T) {
	a, b := textOf[any](t, [1 << 50]struct{}{}), textOf[any](t, [1 << 49]struct{}{})
	if a == b {
		t.Error("arrays of different lengths meet")
	}
}
