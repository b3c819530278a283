package near_test

import (
	"fmt"
	"hash/maphash"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/seed-dad15c92/txcache/internal/near"
)

var seed = maphash.MakeSeed()

func hashOf[K comparable](key K) uint64 { return maphash.Comparable(seed, key) }

// want fails the test unless key has the given value.
func want[K, V comparable](t *testing.T, m *near.Map[K, V], key K, value V) {
	t.Helper()
	if got, ok := m.Get(key, hashOf(key)); !ok || got != value {
		t.Fatalf("Get(%v) = %v, %v; want %v", key, got, ok, value)
	}
}

func wantMiss[K comparable, V any](t *testing.T, m *near.Map[K, V], key K) {
	t.Helper()
	if got, ok := m.Get(key, hashOf(key)); ok || any(got) != any(*new(V)) {
		t.Fatalf("Get(%v) = %v, %v; want a miss", key, got, ok)
	}
}

func TestAnEmptyMapMisses(t *testing.T) {
	m := near.New[string, int](10)
	wantMiss(t, m, "a")
	if n := m.Len(); n != 0 {
		t.Fatalf("Len() = %d, want 0", n)
	}
}

func TestSetReplacesTheValueAndItsExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := near.New[string, int](10)
		m.Set("a", hashOf("a"), 1, near.Now()+1, 0)
		m.Set("a", hashOf("a"), 2, 0, 0)
		time.Sleep(time.Second)
		want(t, m, "a", 2)
		m.Set("a", hashOf("a"), 3, near.Now()+1, 0)
		time.Sleep(time.Second)
		wantMiss(t, m, "a")
		if n := m.Len(); n != 1 {
			t.Fatalf("Len() = %d, want 1", n)
		}
	})
}

func TestANilValueIsAHit(t *testing.T) {
	m := near.New[string, any](1)
	m.Set("a", hashOf("a"), nil, 0, 0)
	want(t, m, "a", nil)
}

func TestTheBoundHoldsAndTheNewestIsFound(t *testing.T) {
	for _, size := range []int{-1, 0, 1, 2, 3, 7, 8, 13, 14, 64, 1000, 4000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			m, o := owned[int, int](size)
			bound := max(1, size)
			for i := range 3*bound + 100 {
				m.Set(i, hashOf(i), -i, 0, 0)
				want(t, m, i, -i)
				if n := m.Len(); n != min(i+1, bound) {
					t.Fatalf("Len() = %d after %d values", n, i+1)
				}
			}
			found := 0
			for i := range 3*bound + 100 {
				if got, ok := m.Get(i, hashOf(i)); ok {
					found++
					if got != -i {
						t.Fatalf("Get(%d) = %d", i, got)
					}
				}
			}
			if found != bound {
				t.Errorf("%d values are found of %d that are kept", found, bound)
			}
			if n := o.evictions; n != 2*bound+100 {
				t.Errorf("evictions = %d, want %d", n, 2*bound+100)
			}
		})
	}
}

func TestEverySmallSizeWorks(t *testing.T) {
	for size := 1; size <= 300; size++ {
		m := near.New[int, int](size)
		for i := range 3 * size {
			m.Set(i, hashOf(i), i, 0, 0)
			want(t, m, i, i)
		}
		if n := m.Len(); n != size {
			t.Fatalf("Len() = %d, want %d", n, size)
		}
	}
}

func TestKeysOfOneHashAreKeptApart(t *testing.T) {
	const hash, size = 12345, 700 // more than a bucket counts as passed by
	m := near.New[int, int](size)
	for i := range size {
		m.Set(i, hash, -i, 0, 0)
	}
	for i := range size {
		if got, ok := m.Get(i, hash); !ok || got != -i {
			t.Fatalf("Get(%d) = %d, %v", i, got, ok)
		}
	}
	for i := range 3 * size {
		m.Set(size+i, hash, i, 0, 0)
		if got, ok := m.Get(size+i, hash); !ok || got != i {
			t.Fatalf("Get(%d) = %d, %v", size+i, got, ok)
		}
	}
}

func TestNoneIsLostWhenThoseItPassedByAreEvicted(t *testing.T) {
	const hash, size = 12345, 600 // more of one hash than a bucket counts
	m := near.New[int, int](size)
	for i := range size {
		m.Set(i, hash, i, 0, 0)
	}
	for n := range 2 * size {
		m.Set(size+n, hashOf(n), n, 0, 0)
		if n%8 != 0 {
			continue
		}
		found := 0
		for i := range size + n + 1 {
			h := uint64(hash)
			if i >= size {
				h = hashOf(i - size)
			}
			if _, ok := m.Get(i, h); ok {
				found++
			}
		}
		if found != size {
			t.Fatalf("%d values are found of %d", found, size)
		}
	}
}

func TestAKeyUnequalToItselfIsNeverFound(t *testing.T) {
	m := near.New[float64, int](10)
	for range 100 {
		m.Set(math.NaN(), 1, 1, 0, 0)
	}
	if _, ok := m.Get(math.NaN(), 1); ok || m.Len() != 10 {
		t.Fatalf("found: %v, Len() = %d", ok, m.Len())
	}
}

// TestOperationsAgreeWithAModel compares random operations with a Go map.
// Below the bound they agree on everything; at the bound, on every hit.
func TestOperationsAgreeWithAModel(t *testing.T) {
	first := rand.Uint64N(1 << 16)
	for i := range uint64(50) {
		data := rand.NewChaCha8([32]byte{byte(first), byte(first >> 8), byte(i), byte(i >> 8)})
		ops := make([]byte, 2000)
		data.Read(ops)
		t.Logf("seed %#x, run %d", first, i)
		compare(t, ops)
	}
}

func FuzzOperations(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7})
	f.Add([]byte{200, 1, 1, 1, 2, 1, 1})
	f.Fuzz(func(t *testing.T, ops []byte) {
		if len(ops) > 1 {
			compare(t, ops)
		}
	})
}

// compare runs operations on a map whose size is the first byte, two bytes each.
func compare(t *testing.T, ops []byte) {
	t.Helper()
	type kept struct {
		value   int
		expires int64
	}
	size := int(ops[0]%100) + 1
	badHash := ops[0] >= 128
	m, o := owned[byte, int](size)
	model, sets := map[byte]kept{}, 0
	for i := 1; i+1 < len(ops); i += 2 {
		op, key := ops[i], ops[i+1]
		hash := hashOf(key)
		if badHash {
			hash = uint64(key % 4)
		}
		old, there := model[key]
		live := there && old.expires == 0
		got, ok := m.Get(key, hash)
		if ok && (!live || got != old.value) {
			t.Fatalf("operation %d: Get(%d) = %d, want %v (live: %v)", i, key, got, old, live)
		}
		if !ok && live && o.evictions == 0 {
			t.Fatalf("operation %d: Get(%d) misses, want %v", i, key, old)
		}
		if op < 128 {
			var expires int64
			if op < 40 {
				expires = 1 // long ago
			}
			m.Set(key, hash, i, expires, 0)
			model[key] = kept{i, expires}
			sets++
			if got, ok := m.Get(key, hash); ok != (expires == 0) || ok && got != i {
				t.Fatalf("operation %d: Get(%d) = %d, %v after Set", i, key, got, ok)
			}
		}
		if n := m.Len(); n > size || n > len(model) || o.evictions == 0 && n != len(model) || o.evictions > sets {
			t.Fatalf("operation %d: Len() = %d of %d, %d in the model, %d evictions", i, n, size, len(model), o.evictions)
		}
	}
}

func TestAHitAndAMissAllocateNothing(t *testing.T) {
	m := near.New[string, any](100)
	for i := range 100 {
		m.Set(fmt.Sprint(i), hashOf(fmt.Sprint(i)), i, near.Now()+int64(time.Hour)*int64(i%2), 0)
	}
	hit, miss := hashOf("50"), hashOf("nobody")
	if n := testing.AllocsPerRun(100, func() {
		m.Get("50", hit)
		m.Get("nobody", miss)
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func TestAnEmptyMapIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(near.Map[string, any]{}); n > 100 {
		t.Errorf("a map takes %d bytes", n)
	}
	if n := testing.AllocsPerRun(100, func() { runtime.KeepAlive(near.New[string, any](1 << 20)) }); n > 1 {
		t.Errorf("a new map takes %v allocations, want 1", n)
	}
}

func TestRetireLetsGoOfAllValues(t *testing.T) {
	m, o := owned[int, int](10)
	for range 2 {
		for i := range 20 {
			m.Set(i, uint64(i)*0x9E3779B97F4A7C15>>32, i, 0, 0)
		}
		if m.Len() != 10 {
			t.Fatalf("Len = %d; want the size", m.Len())
		}
		m.Retire()
		for i := range 20 {
			if v, ok := m.Get(i, uint64(i)*0x9E3779B97F4A7C15>>32); ok {
				t.Errorf("Get(%d) = %d after Retire; want a miss", i, v)
			}
		}
		if m.Len() != 0 {
			t.Errorf("Len = %d after Retire; want 0", m.Len())
		}
	}
	if o.evictions != 10 {
		t.Errorf("%d evictions, want 10: what was let go of was not evicted, and then the owner is told of nothing", o.evictions)
	}
}
