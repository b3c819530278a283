package backend_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/seed-dad15c92/txcache/backend"
)

// Whatever was added and taken away, in whatever order, the sums are those of what is left.
func TestSumsAreOfWhatIsLeft(t *testing.T) {
	type key struct {
		cache string
		hash  uint64
	}
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 1))
		var s *backend.Sums
		want := map[key]uint64{}
		for range 400 {
			k := key{[]string{"", "a", "b"}[random.IntN(3)], random.Uint64N(60) * 0x9e3779b97f4a7c15}
			number := backend.NewToken().Number()
			switch {
			case random.IntN(3) > 0 || want[k] == 0:
			default: // all of it goes
				number = backend.Negative(want[k])
			}
			before := s.Of(k.cache)
			s = s.Add(k.cache, k.hash, number)
			if want[k] = (want[k] + number) % (1 << 62); want[k] == 0 {
				delete(want, k)
			}
			if before != nil && before == s.Of(k.cache) {
				t.Fatalf("seed %d: a change left the same sums", seed)
			}
		}
		total := map[string]uint64{}
		for k, n := range want {
			if got := s.Of(k.cache).Key(k.hash); got != n {
				t.Errorf("seed %d: the sum of %v is %d; want %d", seed, k, got, n)
			}
			total[k.cache] = (total[k.cache] + n) % (1 << 62)
		}
		for cache, n := range total {
			if got := s.Of(cache).Total(); got != n {
				t.Errorf("seed %d: the total of %q is %d; want %d", seed, cache, got, n)
			}
		}
		if s.Len() != len(want) {
			t.Errorf("seed %d: Len() = %d; want %d", seed, s.Len(), len(want))
		}
		for k, n := range want {
			s = s.Add(k.cache, k.hash, backend.Negative(n))
		}
		if s != nil || s.Of("a").Key(1) != 0 || s.Len() != 0 {
			t.Errorf("seed %d: %d sums are left of nothing", seed, s.Len())
		}
	}
}

// A sum of a group is one of all its keys, and of no others.
func TestSumsOfGroups(t *testing.T) {
	s := (*backend.Sums)(nil).Add("c", 7, 5).AddGroup("c", backend.Group(7), 10)
	other := uint64(8)
	for backend.Group(other) == backend.Group(7) {
		other++
	}
	same := other + 1
	for backend.Group(same) != backend.Group(7) {
		same++
	}
	for hash, want := range map[uint64]uint64{7: 15, same: 10, other: 0} {
		if got := s.Of("c").Key(hash); got != want {
			t.Errorf("the sum of %d is %d; want %d", hash, got, want)
		}
	}
	if s.Of("d") != nil || s.Of("d").Key(7) != 0 || s.Of("c").Total() != 15 {
		t.Error("another cache has a sum, or the total is wrong")
	}
}

func TestNumbersOfTokens(t *testing.T) {
	seen := map[uint64]bool{}
	for range 1000 {
		n := backend.NewToken().Number()
		if n >= 1<<62 || seen[n] {
			t.Fatalf("number %d is too large, or not new", n)
		}
		seen[n] = true
	}
	token := backend.NewToken()
	if first := token.Number(); first != token.Number() {
		t.Error("a token has two numbers")
	}
}

func ExampleNegative() {
	s := (*backend.Sums)(nil).Add("users", 17, 42)
	fmt.Println(s.Of("users").Key(17))
	s = s.Add("users", 17, backend.Negative(42))
	fmt.Println(s.Of("users").Key(17))
	// Output:
	// 42
	// 0
}
