package near

import (
	"math"
	"testing"
)

func TestATableHasRoomForEverySize(t *testing.T) {
	for _, w := range []struct{ n, want int }{
		{1, 1}, {6, 1}, {7, 1}, {8, 2}, {13, 2}, {14, 3}, {19, 3}, {20, 4}, {math.MaxInt, math.MaxInt / 6},
	} {
		got := bucketsFor(w.n)
		// The product overflows for the largest int alone.
		enough := got > math.MaxInt/6-1 || 6*got+1 >= w.n
		if got != w.want || !enough {
			t.Errorf("bucketsFor(%d) = %d, want %d", w.n, got, w.want)
		}
	}
}

// fill puts n entries of one hash into a table that has room for them, so that
// all but those of one bucket pass that bucket by.
func fill(n int) (t *table[int, int], slots []int) {
	t = newTable[int, int](bucketsFor(n))
	for key := range n {
		slots = append(slots, t.insert(&Entry[int, int]{key: key}))
	}
	return t, slots
}

// More entries may pass a bucket by than its counter can count. It must not come
// back to 0 while one of them is there.
func TestASaturatedCounterLosesNoEntry(t *testing.T) {
	const n = slotsPerBucket + 2*0xff
	table, slots := fill(n)
	for key := range n {
		if e, _ := table.search(key, 0); e == nil || e.key != key {
			t.Fatalf("entry %d of %d is not found while all are there", key, n)
		}
	}
	for key, number := range slots[:n-1] {
		table.remove(number)
		if e, _ := table.search(n-1, 0); e == nil {
			t.Fatalf("the last of %d entries is not found after the removal of %d", n, key+1)
		}
	}
}

// A counter that has not reached its end counts down, so that a search ends where
// nothing passed by.
func TestCountersGoBackToZero(t *testing.T) {
	table, slots := fill(slotsPerBucket + 0xff - 1)
	for _, number := range slots {
		table.remove(number)
	}
	for i := range table.buckets {
		if meta := table.buckets[i].meta.Load(); meta != 0 {
			t.Fatalf("bucket %d has %#x after the removal of all entries", i, meta)
		}
	}
}
