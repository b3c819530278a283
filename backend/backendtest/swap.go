package backendtest

import (
	"bytes"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
)

// swapRules are about changes that depend on what is there.
var swapRules = []Rule{{
	Name:  "swap-depends-on-what-is-there",
	Why:   "Processes agree by it on which of them loads a value: a swap that is done against the odds gives one lease to two, or takes away what was loaded.",
	needs: needs{values: true, swaps: true},
	run: func(t *trial) {
		second := t.open("the second server")
		k := keyOf("k")
		one, two, empty := []byte("one"), []byte("two\x00\r\n"), []byte{}
		for _, step := range []struct {
			old, new, found []byte
		}{
			{one, two, nil}, // nothing is there
			{empty, two, nil},
			{nil, nil, nil},
			{nil, one, nil}, // done
			{nil, two, one},
			{two, two, one},
			{one[:2], two, one},
			{empty, two, one},
			{one, two, one}, // done
			{one, nil, two},
			{two, empty, two}, // done
			{nil, one, empty},
			{empty, two, empty}, // done
			{two, nil, two},     // done
			{nil, one, nil},     // done
		} {
			done := (step.old == nil) == (step.found == nil) && bytes.Equal(step.old, step.found)
			found := second.swap(backend.Swap{Key: k, Old: slices.Clone(step.old), New: slices.Clone(step.new)})[0]
			if (found == nil) != (step.found == nil) || !bytes.Equal(found, step.found) {
				t.failf("Swap of %q for %q found %q (nil: %t), want %q (nil: %t)", step.old, step.new, found, found == nil, step.found, step.found == nil)
			}
			want := step.found
			if done {
				want = step.new
			}
			when := fmt.Sprintf("after Swap of %q for %q where %q was", step.old, step.new, step.found)
			if want == nil {
				t.missing(t.first, when, k)
			} else {
				t.found(t.first, when, k, want)
			}
		}
		t.first.set(backend.Value{Key: k, Data: two})
		if found := second.swap(backend.Swap{Key: k, Old: one, New: one})[0]; !bytes.Equal(found, two) {
			t.failf("Swap found %q where Set had put %q", found, two)
		}
	},
}, {
	Name:  "swaps-keep-the-order",
	Why:   "What was found is matched to keys by position: one out of place tells a process that it may load what another is loading.",
	needs: needs{values: true, swaps: true},
	run: func(t *trial) {
		var swaps []backend.Swap
		for i := range 300 {
			k := keyOf(fmt.Sprint(i))
			if i%3 == 0 {
				t.first.set(backend.Value{Key: k, Data: []byte(k.Key)})
			}
			swaps = append(swaps, backend.Swap{Key: k, New: []byte("new")})
		}
		for i, found := range t.first.swap(swaps...) {
			if set := i%3 == 0; set != (found != nil) || set && string(found) != swaps[i].Key.Key {
				t.failf("Swap of %d keys found %q (nil: %t) in place %d", len(swaps), found, found == nil, i)
			}
		}
		t.first.swap()
	},
}, {
	Name:  "swap-expires",
	Why:   "The lease of a process that has died would keep the others waiting for ever.",
	needs: needs{values: true, swaps: true, time: true},
	run: func(t *trial) {
		ttl := t.Lease
		if ttl == 0 {
			ttl = time.Minute
		}
		mine := backend.Swap{Key: keyOf("k"), New: []byte("mine"), TTL: ttl}
		t.first.swap(mine)
		t.Advance(ttl / 2)
		if found := t.first.swap(mine)[0]; string(found) != "mine" {
			t.failf("Swap found %q before the time to live was over", found)
		}
		t.Advance(ttl/2 + ttl/10)
		if found := t.first.swap(mine)[0]; found != nil {
			t.failf("Swap found %q after the time to live was over", found)
		}
	},
}, {
	Name:  "swap-has-one-winner",
	Why:   "Two processes would load the same value, each believing that it alone does.",
	needs: needs{values: true, swaps: true},
	run: func(t *trial) {
		servers := []*server{t.first, t.open("the second server"), t.open("the third server")}
		for round := range 20 {
			k := keyOf(fmt.Sprint(round))
			var winners atomic.Int32
			t.together(12, func(i int) {
				if servers[i%len(servers)].swap(backend.Swap{Key: k, New: fmt.Append(nil, i)})[0] == nil {
					winners.Add(1)
				}
			})
			if n := winners.Load(); n != 1 {
				t.failf("of 12 swaps at once %d found nothing, want one", n)
			}
		}
	},
}}
