package backend_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/seed-dad15c92/txcache/backend"
)

// A truth is what is known of the deletes of a database that forgets nothing: the
// numbers of the deletes of each key, rising.
type truth struct {
	numbers map[string]map[uint64][]uint64
	raised  map[string]uint64 // floors, by Raise
}

func newTruth() *truth {
	return &truth{map[string]map[uint64][]uint64{}, map[string]uint64{}}
}

func (m *truth) add(number uint64, keys ...backend.Keys) {
	for _, k := range keys {
		for _, h := range k.Hashes {
			if m.numbers[k.Cache] == nil {
				m.numbers[k.Cache] = map[uint64][]uint64{}
			}
			if n := m.numbers[k.Cache][h]; len(n) == 0 || n[len(n)-1] != number {
				m.numbers[k.Cache][h] = append(n, number)
			}
		}
	}
}

func (m *truth) last(cache string, hash uint64) (last, before uint64) {
	if n := m.numbers[cache][hash]; len(n) > 0 {
		if last = n[len(n)-1]; len(n) > 1 {
			before = n[len(n)-2]
		}
	}
	return max(last, m.raised[cache]), max(before, m.raised[cache])
}

func (m *truth) latest(cache string) (latest uint64) {
	for h := range m.numbers[cache] {
		last, _ := m.last(cache, h)
		latest = max(latest, last)
	}
	return max(latest, m.raised[cache])
}

func (m *truth) clone() *truth {
	clone := newTruth()
	for cache, keys := range m.numbers {
		clone.numbers[cache] = map[uint64][]uint64{}
		for h, n := range keys {
			clone.numbers[cache][h] = slices.Clip(n) // appending to it copies
		}
	}
	for cache, floor := range m.raised {
		clone.raised[cache] = floor
	}
	return clone
}

// compare looks for each key of the caches in d, exactly, or where exact is not set for
// what is never wrong: numbers that are not below the truth, with a reason in the floor.
func (m *truth) compare(t *testing.T, d *backend.Deletes, exact bool, caches []string, keys uint64, what string) {
	t.Helper()
	for _, cache := range caches {
		c := d.Of(cache)
		for h := range keys {
			wantLast, wantBefore := m.last(cache, h)
			last, before := c.Last(h)
			switch {
			case exact && (last != wantLast || before != wantBefore):
				t.Fatalf("%s: key %d of %q was last deleted by %d, before by %d; want %d and %d", what, h, cache, last, before, wantLast, wantBefore)
			case last != max(wantLast, c.Floor()) || before != max(wantBefore, c.Floor()):
				t.Fatalf("%s: key %d of %q was last deleted by %d, before by %d, at a floor of %d; want %d and %d, or the floor", what, h, cache, last, before, c.Floor(), wantLast, wantBefore)
			}
		}
		if want := m.latest(cache); c.Latest() != want {
			t.Fatalf("%s: the latest delete of %q is %d, want %d", what, cache, c.Latest(), want)
		}
	}
}

// Whatever was deleted, raised and cleared, each Deletes tells what a map would, and
// goes on doing so whatever is made of it.
func TestDeletesAgainstAModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	caches := []string{"", "a", "b", "c", "never deleted"}
	for round := range 60 {
		keys := uint64(1) << random.IntN(9)
		var d *backend.Deletes
		m, number := newTruth(), uint64(0)
		type held struct {
			d    *backend.Deletes
			m    *truth
			what string
		}
		var all []held
		for step := range 100 {
			cache := caches[random.IntN(4)]
			number += 1 + random.Uint64N(3)
			switch n := random.IntN(20); {
			case n == 0:
				d = d.Forget(backend.Generation{Cache: cache}, backend.Generation{Cache: "never deleted"})
				m.raised[cache] = max(m.raised[cache], m.latest(cache))
			case n == 1:
				floor := number - random.Uint64N(min(number, 20))
				d = d.Raise(cache, floor)
				m.raised[cache] = max(m.raised[cache], floor)
			default:
				var deleted []backend.Keys
				for _, cache := range caches[:1+random.IntN(4)] {
					k := backend.Keys{Cache: cache}
					for range random.IntN(6) {
						k.Hashes = append(k.Hashes, random.Uint64N(keys))
					}
					slices.Sort(k.Hashes)
					k.Hashes = slices.Compact(k.Hashes)
					deleted = append(deleted, k)
				}
				d = d.Add(number, deleted...)
				m.add(number, deleted...)
			}
			if step%10 == 0 {
				all = append(all, held{d, m.clone(), fmt.Sprintf("round %d, step %d", round, step)})
			}
			m.compare(t, d, true, caches, keys, fmt.Sprintf("round %d, step %d", round, step))
		}
		for _, h := range all {
			h.m.compare(t, h.d, true, caches, keys, h.what+", later")
		}
	}
}

// More deletes than are remembered raise floors: no number is ever below the truth, no
// key that was not deleted dies before something is forgotten, and what there is stays bounded.
func TestDeletesForgetTheOldest(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 2))
	caches := []string{"", "busy", "quiet"}
	d := (*backend.Deletes)(nil).Add(1, backend.Keys{Cache: "quiet", Hashes: []uint64{7}}, backend.Keys{Hashes: []uint64{1}})
	m := newTruth()
	m.add(1, backend.Keys{Cache: "quiet", Hashes: []uint64{7}}, backend.Keys{Hashes: []uint64{1}})
	number, keys := uint64(1), uint64(3*backend.MaxDeletes)
	for number*8 < 5*backend.MaxDeletes {
		number++
		k := backend.Keys{Cache: "busy"}
		for range 8 {
			k.Hashes = append(k.Hashes, random.Uint64N(keys))
		}
		slices.Sort(k.Hashes)
		k.Hashes = slices.Compact(k.Hashes)
		d = d.Add(number, k)
		m.add(number, k)
		if d.Len() > backend.MaxDeletes {
			t.Fatalf("after %d changes %d deletes are remembered, want %d at most", number, d.Len(), backend.MaxDeletes)
		}
	}
	m.compare(t, d, false, caches, keys, "in the end")
	if d.Len() < backend.MaxDeletes/2 {
		t.Errorf("%d deletes are remembered, want %d at least", d.Len(), backend.MaxDeletes/2)
	}
	// What is forgotten is the oldest: the floor of a cache is one of its own deletes.
	for _, cache := range []string{"", "quiet"} {
		if floor := d.Of(cache).Floor(); floor != 1 {
			t.Errorf("the floor of %q is %d, though only its change 1 can have been forgotten", cache, floor)
		}
	}
	if floor := d.Of("busy").Floor(); floor < number/2 || floor > number-backend.MaxDeletes/16 {
		t.Errorf("the floor of the busy cache is %d after %d changes", floor, number)
	}
}

// One transaction may delete more keys than there is room for.
func TestMoreDeletesThanThereIsRoomForInOneChange(t *testing.T) {
	hashes := make([]uint64, 3*backend.MaxDeletes)
	for i := range hashes {
		hashes[i] = uint64(i)
	}
	d := (*backend.Deletes)(nil).Add(5, backend.Keys{Cache: "a", Hashes: hashes}, backend.Keys{Cache: "b", Hashes: []uint64{1}})
	for _, h := range hashes {
		if last, _ := d.Of("a").Last(h); last != 5 {
			t.Fatalf("key %d was last deleted by %d, want 5", h, last)
		}
	}
	if last, _ := d.Of("b").Last(1); last != 5 {
		t.Errorf("a key of another cache was last deleted by %d, want 5", last)
	}
	if d.Len() > backend.MaxDeletes {
		t.Errorf("%d deletes are remembered, want %d at most", d.Len(), backend.MaxDeletes)
	}
	d = d.Add(6, backend.Keys{Cache: "a", Hashes: []uint64{1}})
	if last, before := d.Of("a").Last(1); last != 6 || before != 5 {
		t.Errorf("a key that was deleted again: %d, before %d; want 6, before 5", last, before)
	}
}

// A backend puts a Deletes together from what its authority tells, in any order of
// floors and deletes, and is told some of it twice.
func TestDeletesPutTogether(t *testing.T) {
	a := func(hashes ...uint64) backend.Keys { return backend.Keys{Cache: "a", Hashes: hashes} }
	var none *backend.Deletes
	for _, test := range []struct {
		name         string
		d            *backend.Deletes
		last, before uint64 // of key 1
	}{
		{"the floor first, and above", none.Raise("a", 10).Add(5, a(1)), 10, 10},
		{"the floor last, and above", none.Add(5, a(1)).Raise("a", 10), 10, 10},
		{"the floor first, and below", none.Raise("a", 4).Add(5, a(1)), 5, 4},
		{"the floor last, and below", none.Add(5, a(1)).Raise("a", 4), 5, 4},
		{"a floor that is lower than another", none.Raise("a", 9).Raise("a", 3), 9, 9},
		{"one change in two parts", none.Add(4, a(1)).Add(5, a(1)).Add(5, a(1, 2)), 5, 4},
		{"one cache twice in a change", none.Add(4, a(1)).Add(5, a(2), a(1), a(3)), 5, 4},
		{"no keys", none.Add(5, a()), 0, 0},
		{"nothing", none.Add(5), 0, 0},
	} {
		if last, before := test.d.Of("a").Last(1); last != test.last || before != test.before {
			t.Errorf("%s: last %d, before %d; want %d and %d", test.name, last, before, test.last, test.before)
		}
	}
}

// What a change deletes in a cache twice named is all deleted.
func TestDeletesOfOneCacheNamedTwice(t *testing.T) {
	d := (*backend.Deletes)(nil).Add(5, backend.Keys{Cache: "a", Hashes: []uint64{1}}, backend.Keys{Cache: "a", Hashes: []uint64{2}})
	for _, h := range []uint64{1, 2} {
		if last, before := d.Of("a").Last(h); last != 5 || before != 0 {
			t.Errorf("key %d: last %d, before %d; want 5 and 0", h, last, before)
		}
	}
}

// What has not changed is the same pointer, so that a process need not look again.
func TestDeletesShareWhatHasNotChanged(t *testing.T) {
	one := (*backend.Deletes)(nil).Add(1, backend.Keys{Cache: "a", Hashes: []uint64{1}}, backend.Keys{Cache: "b", Hashes: []uint64{1}})
	two := one.Add(2, backend.Keys{Cache: "a", Hashes: []uint64{2}})
	if two.Of("b") != one.Of("b") || two.Of("a") == one.Of("a") || two.Of("c") != nil {
		t.Error("a delete in one cache makes others of another, or none of its own")
	}
	if one.Raise("a", 1).Of("a") == one.Of("a") || one.Raise("b", 0) != one || one.Forget(backend.Generation{Cache: "c"}) != one {
		t.Error("what changes nothing makes other deletes, or a floor none")
	}
	if gone := two.Forget(backend.Generation{Cache: "a"}); gone.Len() != 1 || gone.Of("a").Floor() != 2 || gone.Of("b") != one.Of("b") || two.Of("a").Floor() != 0 {
		t.Error("where the deletes of one cache are forgotten its floor does not rise, those of another are others, or those of before are gone")
	}
}

func remembered(n int) (*backend.Deletes, []uint64, uint64) {
	random := rand.New(rand.NewPCG(1, 2))
	var d *backend.Deletes
	hashes := make([]uint64, n)
	for i := range hashes {
		hashes[i] = random.Uint64()
		d = d.Add(uint64(i+1), backend.Keys{Cache: "a", Hashes: hashes[i : i+1]})
	}
	return d, hashes, uint64(n)
}

func BenchmarkDeletesLast(b *testing.B) {
	d, hashes, _ := remembered(10_000)
	c := d.Of("a")
	random := rand.New(rand.NewPCG(3, 4))
	others := make([]uint64, 1<<14)
	for i := range others {
		others[i] = random.Uint64()
	}
	b.Run("deleted", func(b *testing.B) {
		i := 0
		for b.Loop() {
			c.Last(hashes[i])
			if i++; i == len(hashes) {
				i = 0
			}
		}
	})
	b.Run("not deleted", func(b *testing.B) {
		i := 0
		for b.Loop() {
			c.Last(others[i&(1<<14-1)])
			i++
		}
	})
}

// BenchmarkDeletesAdd measures what a delete costs where 10 000 and more are
// remembered, forgetting included, in a database with deletes in so many caches.
func BenchmarkDeletesAdd(b *testing.B) {
	for _, caches := range []int{1, 300} {
		b.Run(fmt.Sprint("caches=", caches), func(b *testing.B) {
			d, _, number := remembered(10_000)
			for i := range caches - 1 {
				number++
				d = d.Add(number, backend.Keys{Cache: fmt.Sprint("b", i), Hashes: []uint64{1}})
			}
			random := rand.New(rand.NewPCG(5, 6))
			hash := make([]uint64, 1)
			b.ReportAllocs()
			for b.Loop() {
				number++
				hash[0] = random.Uint64()
				d = d.Add(number, backend.Keys{Cache: "a", Hashes: hash})
			}
		})
	}
}
