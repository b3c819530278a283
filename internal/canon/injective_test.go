package canon_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Two contexts are the same exactly if they are deeply equal. The generator
// leaves out the exceptions that Context documents.
func TestContextsAreInjective(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := values{}, values{}
		for _, v := range []values{a, b} {
			for range rapid.IntRange(0, 2).Draw(t, "length") {
				v[rapid.StringMatching(`[ab]{0,2}`).Draw(t, "key")] = drawValue(t, 3)
			}
		}
		userA, userB := drawValue(t, 1), drawValue(t, 1)
		if rapid.Bool().Draw(t, "same user") {
			userB = userA
		}
		x, okX := with(a).WithUser(userA).ID(nil)
		y, okY := with(b).WithUser(userB).ID(nil)
		if !okX || !okY {
			t.Fatalf("%#v or %#v cannot be frozen", a, b)
		}
		if equal := reflect.DeepEqual(a, b) && reflect.DeepEqual(userA, userB); equal != (x == y) || equal != (x.Text() == y.Text()) {
			t.Fatalf("%#v and %#v: equal is %v, of their IDs %v", a, b, equal, x == y)
		}
	})
}

func drawValue(t *rapid.T, depth int) any {
	if depth == 0 || rapid.Bool().Draw(t, "key") {
		if key := drawKey(t, depth); !containsAddr(key) {
			return key
		}
		return nil
	}
	small := rapid.IntRange(0, 2)
	inner := func() any { return drawValue(t, depth-1) }
	switch rapid.IntRange(0, 9).Draw(t, "kind") {
	case 0:
		return rapid.SliceOfN(rapid.Byte(), 0, 2).Draw(t, "bytes")
	case 1:
		return rapid.SampledFrom([]any{[]byte(nil), []any(nil), []int(nil), (*company)(nil), map[string]any(nil), (func())(nil)}).Draw(t, "nil")
	case 2:
		list := []any{}
		for range small.Draw(t, "length") {
			list = append(list, inner())
		}
		return list
	case 3:
		table := map[string]any{}
		for range small.Draw(t, "length") {
			table[rapid.StringMatching(`[ab]?`).Draw(t, "key")] = inner()
		}
		return table
	case 4:
		return map[any]any{drawKey(t, 1): inner()}
	case 5:
		v := inner()
		return &v
	case 6:
		return &company{ID: small.Draw(t, "id"), parent: &company{Name: rapid.StringMatching(`[ab]?`).Draw(t, "name")}}
	case 7:
		return boxed{inner()}
	case 8:
		return time.Unix(int64(small.Draw(t, "seconds")), 0).UTC()
	default:
		return [2][]int{rapid.SliceOfN(small, 0, 2).Draw(t, "a"), rapid.SliceOfN(small, 0, 2).Draw(t, "b")}
	}
}

// containsAddr is about addresses with zones, which reflect.DeepEqual takes
// apart.
func containsAddr(v any) bool { return strings.Contains(fmt.Sprintf("%T%v", v, v), "::1") }

func FuzzContext(f *testing.F) {
	f.Add("a", "b", "c", "d", int64(1))
	f.Add("a", "bc", "ab", "c", int64(0))
	f.Add("", "", "user", "1", int64(-1))
	f.Fuzz(func(t *testing.T, keyA, a, keyB, b string, n int64) {
		pairs := []struct{ x, y any }{{a, b}, {[]byte(a), []byte(b)}, {[]any{a, n}, []any{b, n}}, {values{a: n}, values{b: n}}, {[2]string{a, b}, [2]string{b, a}}, {[]string{a, b}, []string{a + b}}}
		for _, p := range pairs {
			x, y := identify(t, with(values{keyA: p.x})), identify(t, with(values{keyB: p.y}))
			if equal := keyA == keyB && reflect.DeepEqual(p.x, p.y); equal != (x == y) {
				t.Errorf("%q: %#v and %q: %#v: equal is %v, of their IDs %v", keyA, p.x, keyB, p.y, equal, x == y)
			}
		}
		if identify(t, with(values{keyA: n})) == identify(t, user(n)) {
			t.Error("the user is a value")
		}
		if identify(t, with(values{keyA: n})) == identify(t, with(values{keyA: int(n)})) {
			t.Error("int and int64 are one")
		}
	})
}
