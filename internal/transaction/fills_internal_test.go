package transaction

import "testing"

// A sum that has lost its number gets another one, never that of another sum. // P11, P12
func TestNumbersOfSumsAreTheirsAlone(t *testing.T) {
	f := &fills{}
	sums := map[uint64]uint64{} // by number
	for i := range uint64(3 * maxSums) {
		sum := i % (maxSums + 100)
		n := f.number(sum, place{keys: sum, chain: 1, step: i + 1})
		if of, there := sums[n]; there && of != sum {
			t.Fatalf("the sums %d and %d have the number %d", of, sum, n)
		}
		sums[n] = sum
		if f.find(sum) != n {
			t.Fatalf("the sum %d has the number %d, and %d a moment later", sum, n, f.find(sum))
		}
		if p := f.place(n); p.keys != sum {
			t.Fatalf("values with the number of the sum %d were filled at %+v", sum, p)
		}
		if len(f.numbers) > maxSums {
			t.Fatalf("%d sums have numbers", len(f.numbers))
		}
	}
	if n := f.find(1 << 40); n != noSum {
		t.Errorf("a sum that nothing was filled under has the number %d", n)
	}
	if p := f.place(zeroSum + 1); p != (place{}) {
		t.Errorf("values of a number that was lost were filled at %+v", p)
	}
}

// The place of a number is one of the newest chain, as the values are as good there. // P12
func TestASumInAnotherChain(t *testing.T) {
	for _, sum := range []uint64{0, 7} {
		f := &fills{}
		n := f.number(sum, place{chain: 1, step: 5})
		for _, at := range []place{{}, {chain: 1, step: 9}} { // published, and filled later
			if again := f.number(sum, at); again != n || f.place(n).step != 5 {
				t.Errorf("sum %d: number %d at %+v, want %d at step 5", sum, again, f.place(n), n)
			}
		}
		if again := f.number(sum, place{chain: 2, step: 3}); again != n || f.place(n).chain != 2 {
			t.Errorf("sum %d: number %d at %+v, want %d in chain 2", sum, again, f.place(n), n)
		}
	}
}
