package near_test

import (
	"container/list"
	"math"
	"math/rand/v2"
	"sort"
	"testing"

	"github.com/seed-dad15c92/txcache/internal/near"
)

// skewed returns a trace in which the i-th key is wanted in proportion to 1/i^s.
func skewed(n, length int, s float64) []int {
	r := rand.New(rand.NewPCG(1, 2))
	sums := make([]float64, n)
	sum := 0.0
	for i := range sums {
		sum += math.Pow(float64(i+1), -s)
		sums[i] = sum
	}
	trace := make([]int, length)
	for i := range trace {
		trace[i] = sort.SearchFloat64s(sums, r.Float64()*sum)
	}
	return trace
}

func nearRatio(size int, trace []int) float64 {
	m := near.New[int, int](size)
	hits := 0
	for _, key := range trace {
		if _, ok := m.Get(key, hashOf(key)); ok {
			hits++
		} else {
			m.Set(key, hashOf(key), key, 0, 0)
		}
	}
	return 100 * float64(hits) / float64(len(trace))
}

func lruRatio(size int, trace []int) float64 {
	order, at := list.New(), map[int]*list.Element{}
	hits := 0
	for _, key := range trace {
		if e := at[key]; e != nil {
			hits++
			order.MoveToFront(e)
			continue
		}
		if order.Len() == size {
			delete(at, order.Remove(order.Back()).(int))
		}
		at[key] = order.PushFront(key)
	}
	return 100 * float64(hits) / float64(len(trace))
}

func TestHitRatioIsAboveThatOfLRU(t *testing.T) {
	loop := make([]int, 20000)
	for i := range loop {
		loop[i] = i % 1000
	}
	recency := make([]int, 60000)
	r := rand.New(rand.NewPCG(3, 4))
	for i := range recency {
		recency[i] = 1000 + i/3 - min(1000, int(r.ExpFloat64()*100))
	}
	shifting := skewed(4000, 60000, 1)
	for i := range shifting {
		shifting[i] += i / 5000 * 600
	}
	twice := make([]int, 60000) // pages of 40 keys that are gone over twice
	for i := range twice {
		twice[i] = i/80*40 + i%40
	}
	var longer []int // pages that become longer, gone over twice
	for page := 1; page < 250; page++ {
		for i := range 2 * page {
			longer = append(longer, page*1000+i%page)
		}
	}
	inTurn := skewed(4000, 60000, 1)
	for i := range inTurn {
		if i/10000%2 == 1 {
			inTurn[i] = -1 - i%500
		}
	}
	after := skewed(4000, 60000, 0.9)
	for i := range 20000 {
		after[i] = -recency[i]
	}
	for _, c := range []struct {
		name   string
		size   int
		trace  []int
		margin float64
	}{
		{"zipf 0.9, 5 %", 200, skewed(4000, 20000, 0.9), 9},
		{"zipf 0.9, 25 %", 1000, skewed(4000, 20000, 0.9), 2.5},
		{"zipf 0.8, 5 %", 200, skewed(4000, 60000, 0.8), 11},
		{"zipf 0.7, 10 %", 400, skewed(4000, 20000, 0.7), 7.5},
		{"zipf 0.9, few", 8, skewed(200, 20000, 0.9), 13.5},
		{"zipf 0.9, very few", 4, skewed(200, 20000, 0.9), 11},
		{"zipf 0.9 after recency only", 200, after, 3},
		{"zipf 1.0 and a loop in turn", 400, inTurn, 24},
		{"loop", 500, loop, 40},
		{"loop slightly larger than the cache", 900, loop, 76},
		{"loop hardly larger than the cache", 980, loop, 80},
		{"hot keys that change, few", 40, shifting, 10},
		{"hot keys that change, many: not far below", 1000, shifting, -6.5},
		{"recency only: not far below", 200, recency, -4},
		{"recency only, less room: not far below", 100, recency, -3},
		{"pages twice: hardly below", 250, twice, -1.5},
		{"ever longer pages twice", 200, longer, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, lru := nearRatio(c.size, c.trace), lruRatio(c.size, c.trace)
			t.Logf("%.1f, LRU %.1f", got, lru)
			if got < lru+c.margin {
				t.Errorf("hit ratio %.1f, LRU %.1f: want %.1f more", got, lru, c.margin)
			}
		})
	}
}

// TestWhatWasWantedLongAgoMakesRoom is about the sketch's halving and the hand.
func TestWhatWasWantedLongAgoMakesRoom(t *testing.T) {
	const size = 100
	m := near.New[int, int](size)
	use := func(from, to, rounds int) (hits int) {
		for range rounds {
			for key := from; key < to; key++ {
				if _, ok := m.Get(key, hashOf(key)); ok {
					hits++
				} else {
					m.Set(key, hashOf(key), key, 0, 0)
				}
			}
		}
		return hits
	}
	use(0, size*8/10, 200)
	use(1000, 1000+size*8/10, 200)
	if hits := use(1000, 1000+size*8/10, 10); hits < size*8*95/100 {
		t.Errorf("%d hits of %d on the new hot set", hits, size*8)
	}
}

func TestAReplacedValueKeepsItsStanding(t *testing.T) {
	const size = 100
	m := near.New[int, int](size)
	for i := range size {
		m.Set(i, hashOf(i), i, 0, 0)
	}
	for i := range size / 10 {
		want(t, m, i, i)
		m.Set(i, hashOf(i), -i, 0, 0)
	}
	for i := range size / 2 {
		m.Set(size+i, hashOf(size+i), i, 0, 0)
	}
	for i := range size / 10 {
		want(t, m, i, -i)
	}
}

// A map whose values went by Trim in between is as good as before.
func TestTrimLeavesThePolicyInOrder(t *testing.T) {
	const size = 200
	m, o := owned[int, int](size)
	next := 0
	for round := range 300 {
		for range 100 + round%150 {
			next++
			m.Set(next, hashOf(next), next, 0, 0)
			want(t, m, next, next)
			if next%3 == 0 {
				m.Get(next-50, hashOf(next-50))
			}
		}
		m.Trim(round % 100)
		if m.Len() > size || m.Len() != o.values {
			t.Fatalf("%d values in a map of size %d, the owner knows of %d", m.Len(), size, o.values)
		}
	}
}
