package near_test

import "testing"

// Each entry counts as long as it is there for what it weighs, be it as others or not.
func TestAWeightGoesWithItsEntry(t *testing.T) {
	const large, small, n = 1 << 20, 100, 1000
	check := func(t *testing.T, o *owner[int, int], larges, smalls int) {
		t.Helper()
		truth := larges*large + smalls*small
		if diff := o.bytes - truth; max(diff, -diff) > truth/8+300*(larges+smalls+1) {
			t.Errorf("the owner knows of %d bytes, want about %d", o.bytes, truth)
		}
	}
	t.Run("one large value replaced often", func(t *testing.T) {
		m, o := owned[int, int](2 * n)
		o.weigh = func(v int) int { return v }
		for i := range n {
			m.Set(i, hashOf(i), small, 0, 0)
		}
		for range 10 * n {
			m.Set(-1, hashOf(-1), large, 0, 0)
		}
		check(t, o, 1, n)
		m.Set(-1, hashOf(-1), small, 0, 0)
		check(t, o, 0, n+1)
	})
	t.Run("small values replaced often", func(t *testing.T) {
		m, o := owned[int, int](2 * n)
		o.weigh = func(v int) int { return v }
		for i := range 10 {
			m.Set(-i-1, hashOf(-i-1), large, 0, 0)
		}
		for i := range 20 * n {
			m.Set(i%n, hashOf(i%n), small, 0, 0)
		}
		check(t, o, 10, n)
		for i := range n {
			m.Expire(i, hashOf(i))
		}
		check(t, o, 10, 0)
	})
	t.Run("small values that come and go", func(t *testing.T) {
		m, o := owned[int, int](n)
		o.weigh = func(v int) int { return v }
		for i := range 10 {
			m.Set(-i-1, hashOf(-i-1), large, 0, 0)
		}
		for i := range 30 * n {
			m.Set(i, hashOf(i), small, 0, 0)
			for i := range 10 {
				m.Get(-i-1, hashOf(-i-1))
			}
		}
		check(t, o, 10, n-10)
		for m.Len() > 0 {
			m.Trim(n)
		}
		check(t, o, 0, 0)
	})
}
