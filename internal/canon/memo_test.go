package canon_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/seed-dad15c92/txcache/internal/canon"
)

// Contexts are remembered by what was given: whatever is alike, but not the
// same, is another context, however often and in whichever order it comes.
func TestRememberedContextsAreWhatWasGiven(t *testing.T) {
	users := []any{1, int64(1), int32(1), uint64(1), uint32(1), int8(1), "1", true, 0, false, nil, "", []int{1}, []int64{1}, []int{}, []int(nil), []int64(nil), []int{1, 2}, []int{2, 1}}
	type given struct {
		user   any
		values values
	}
	var all []given
	for _, u := range users {
		all = append(all, given{user: u}, given{u, values{"k": 1}}, given{u, values{"k": []int{1}}}, given{u, values{"k": "1", "l": true}}, given{u, values{"k": true, "l": "1"}})
	}
	ids := map[canon.ID]given{}
	for round := range 4 {
		rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		for _, g := range all {
			id := identify(t, user(g.user).With(g.values))
			if was, ok := ids[id]; ok && !reflect.DeepEqual(was, g) {
				t.Fatalf("%#v and %#v are one context", was, g)
			} else if !ok && round > 0 {
				t.Fatalf("%#v is another context than before", g)
			}
			ids[id] = g
		}
	}
}

func TestRememberedSlicesAreCopies(t *testing.T) {
	companies := []int{1, 2}
	first, asUser := identify(t, one(companies)), identify(t, user(companies))
	companies[0] = 3
	if identify(t, one(companies)) == first || identify(t, user(companies)) == asUser {
		t.Error("a slice that was changed since is the same context")
	}
	if identify(t, one([]int{1, 2})) != first || identify(t, user([]int{1, 2})) != asUser {
		t.Error("the same slice is another context")
	}
}

// A slice that is changed may come to the place where it was remembered.
func TestRememberedSlicesStayWhatTheyWere(t *testing.T) {
	want := map[int]canon.ID{}
	for i := range 8192 {
		want[i] = identify(t, one([]int{i}))
	}
	for i := range 8192 {
		companies := []int{-1}
		identify(t, one(companies))
		companies[0] = i
		if identify(t, one(companies)) != want[i] {
			t.Fatalf("a slice that was changed to %d is another context", i)
		}
	}
}

func TestRememberingIsSafeForConcurrentUse(t *testing.T) {
	want := map[int]canon.ID{}
	for i := range 4096 { // more than are remembered
		want[i] = identify(t, user(i).With(values{"lang": fmt.Sprint(i % 7), "companies": []int{i}}))
	}
	different := map[canon.ID]bool{}
	for _, id := range want {
		different[id] = true
	}
	if len(different) != len(want) {
		t.Fatalf("%d contexts have %d IDs", len(want), len(different))
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20_000 {
				i := rand.IntN(len(want))
				if id, _ := user(i).With(values{"lang": fmt.Sprint(i % 7), "companies": []int{i}}).ID(nil); id != want[i] {
					t.Errorf("user %d has another context", i)
					return
				}
			}
		})
	}
	wg.Wait()
}

// What is remembered costs nothing to give again.
func TestRememberedContextsDoNotAllocate(t *testing.T) {
	v := values{"lang": "de", "company": 1}
	user(1).With(v).ID(nil)
	if n := testing.AllocsPerRun(100, func() { user(1).With(v).ID(nil) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

// What comes of a large context is not remembered, for the large one would be with it.
func TestLargeContextsAreNotKept(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range 512 {
		large := with(values{"large": fmt.Sprint(i, strings.Repeat("x", 1<<16))})
		large.WithUser(i).With(values{"lang": "de"}).ID(nil)
	}
	runtime.GC()
	runtime.GC() // interned forms go with the second
	runtime.ReadMemStats(&after)
	if kept := int64(after.HeapAlloc) - int64(before.HeapAlloc); kept > 8<<20 {
		t.Errorf("%d bytes are kept of 32 MiB of contexts", kept)
	}
}
