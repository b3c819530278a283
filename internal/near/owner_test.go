package near_test

import (
	"testing"

	"github.com/seed-dad15c92/txcache/internal/near"
)

// An owner adds up what it is told of a Map. Keys and values refer to nothing, but a value's weight.
type owner[K comparable, V any] struct {
	values, bytes, evictions int
	weigh                    func(V) int
}

func (o *owner[K, V]) Weigh(_ *K, value *V) int {
	if o.weigh == nil {
		return 0
	}
	return o.weigh(*value)
}

func (o *owner[K, V]) Changed(values, bytes int) { o.values, o.bytes = o.values+values, o.bytes+bytes }

func (o *owner[K, V]) Evicted() { o.evictions++ }

// owned returns a new Map with an owner.
func owned[K comparable, V any](size int) (*near.Map[K, V], *owner[K, V]) {
	m, o := near.New[K, V](size), &owner[K, V]{}
	m.SetOwner(o)
	return m, o
}

// An owner knows how many values there are, and about how many bytes, whatever happens to them.
func TestAnOwnerKnowsWhatItsMapKeeps(t *testing.T) {
	const size, weight = 2000, 100
	m, o := owned[int, int](size)
	o.weigh = func(int) int { return weight }
	check := func(when string) {
		t.Helper()
		if o.values != m.Len() {
			t.Errorf("%s: %d values, the owner knows of %d", when, m.Len(), o.values)
		}
		least := m.Len() * (weight + 40 + 8) // an entry and its slot
		if o.bytes < least*9/10 || o.bytes > 2*least+1000 {
			t.Errorf("%s: %d values of at least %d bytes, the owner knows of %d", when, m.Len(), least, o.bytes)
		}
	}
	check("empty")
	for i := range 500 {
		m.Set(i, hashOf(i), i, 0, 0)
		check("filling")
	}
	for i := range 500 {
		m.Set(i, hashOf(i), i, 0, 0)
	}
	check("values replaced")
	for i := range 3 * size {
		m.Set(i, hashOf(i), i, 0, 0)
	}
	check("full")
	for m.Len() > size/10 {
		for !m.Trim(100) {
		}
	}
	check("trimmed")
	for m.Len() > 0 {
		m.Trim(size)
	}
	if o.bytes > 1000 {
		t.Errorf("%d bytes are left of an empty map", o.bytes)
	}
	m.Set(1, hashOf(1), 1, 0, 0)
	m.Retire()
	if o.values != 0 || o.bytes != 0 {
		t.Errorf("%d values and %d bytes are left of a map that was retired", o.values, o.bytes)
	}
	m.Set(1, hashOf(1), 1, 0, 0)
	if want(t, m, 1, 1); o.values != 0 || o.bytes != 0 {
		t.Errorf("the owner of a map that was retired is told of %d values", o.values)
	}
}

// Trim lets go of what was not used since it last came by, and of nothing else.
func TestTrimSparesWhatIsUsed(t *testing.T) {
	for _, size := range []int{1000, 300} { // the latter is full, and has a policy
		m, o := owned[int, int](size)
		for i := range 300 {
			m.Set(i, hashOf(i), i, 0, 0)
		}
		before := o.evictions
		for range 5 {
			used := 0
			for i := 0; i < 300; i += 3 {
				if _, ok := m.Get(i, hashOf(i)); ok {
					used++
				}
			}
			for !m.Trim(7) {
			}
			for i := 0; i < 300; i += 3 {
				if _, ok := m.Get(i, hashOf(i)); ok {
					used--
				}
			}
			if used != 0 {
				t.Errorf("size %d: %d values have gone that were used", size, used)
			}
		}
		if m.Len() > 110 || o.evictions-before != 300-m.Len() {
			t.Errorf("size %d: %d values are left, %d were evicted", size, m.Len(), o.evictions-before)
		}
		for range 4 {
			for !m.Trim(7) {
			}
		}
		if m.Len() > 10 {
			t.Errorf("size %d: %d values are left that nobody uses", size, m.Len())
		}
		for i := range 3 * size { // the map is as good as before
			m.Set(i, hashOf(i), i, 0, 0)
			want(t, m, i, i)
		}
		if m.Len() != size {
			t.Errorf("%d values in a map of size %d", m.Len(), size)
		}
	}
}
