package backendtest

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"

	"github.com/seed-dad15c92/txcache/backend"
)

var differenceRules = []Rule{{
	Name:  "state-is-the-same-however-far-behind",
	Why:   "A server that learns what has changed, in place of everything, has to come to the same State: it would miss a clear or a delete for good.",
	needs: needs{counts: true},
	run: func(t *trial) {
		// The choices are the same in every run.
		random := rand.New(rand.NewPCG(14, 3))
		names := []string{"a", "b", "c", "d", "e", "f"}
		far, near, sometimes := t.open("a server that is far behind"), t.open("a server that is one behind"), t.open("a server that looks now and then")
		far.sync("shop")
		begun := t.first.sync("shop")
		sometimes.sync("shop")
		const changes = 3000
		for i := range changes {
			if i == changes-1 || i%100 == 0 {
				t.settle()
				near.sync("shop")
			}
			if random.IntN(40) == 0 {
				sometimes.sync("shop")
			}
			f := fenceOnKeys(keys([]string{"", "x", "y", "z"}[random.IntN(4)], random.Uint64N(500)))
			switch n := random.IntN(30); {
			case n == 0:
				f = fenceOn(begun, names[random.IntN(len(names))])
			case n == 1:
				f.Caches = fenceOn(begun, fmt.Sprint("single", i%50)).Caches
			case n == 2:
				t.first.fence("shop", f)
			case n == 3:
				t.first.fence("shop", f)
				t.first.unfence("shop", f)
				continue
			}
			begun = t.first.clear("shop", f)
			if i%100 == 0 {
				t.settle()
				t.sameState(begun, near.sync("shop"), fmt.Sprintf("change %d, on a server that is one behind", i), names)
			}
		}
		standing := fenceOnKeys(keys("", 9), keys("a", 9))
		t.first.fence("shop", standing)
		t.settle()
		fresh := t.open("a new server").sync("shop")
		for _, s := range []*server{near, far, sometimes, t.first} {
			now := s.sync("shop")
			t.sameState(fresh, now, "on "+s.name+", compared with a new one", names)
			t.fencedKey(now, true, "on "+s.name, "a", 9)
		}

		// And on from there, all of them one behind.
		t.first.unfence("shop", standing)
		t.settle()
		for _, s := range []*server{near, far, sometimes, t.first} {
			s.sync("shop")
		}
		t.first.clear("shop", fenceOnKeys(keys("x", 1), keys("", 1)))
		t.settle()
		fresh = t.open("a server that is newer").sync("shop")
		for _, s := range []*server{near, far, sometimes, t.first} {
			t.sameState(fresh, s.sync("shop"), "on "+s.name+" after one more change, compared with a new one", names)
		}
	},
}, {
	Name:  "state-with-deletes-is-immutable",
	Why:   "Open transactions share the State that they began with: one that changes shows them deletes from after their snapshot, or hides some; and races with their reads.",
	needs: needs{counts: true},
	run: func(t *trial) {
		type key struct {
			cache string
			hash  uint64
		}
		type held struct {
			state  *backend.State
			number uint64
			fenced []backend.Keys
			last   map[key][2]uint64
		}
		asked := []string{"", "a", "b"}
		look := func(s *backend.State) map[key][2]uint64 {
			last := map[key][2]uint64{}
			for _, cache := range asked {
				for hash := range uint64(40) {
					n, before := s.Deletes.Of(cache).Last(hash)
					last[key{cache, hash}] = [2]uint64{n, before}
				}
			}
			return last
		}
		var all []held
		hold := func(s *backend.State) {
			fenced := slices.Clone(s.FencedKeys)
			for i := range fenced {
				fenced[i].Hashes = slices.Clone(fenced[i].Hashes)
			}
			all = append(all, held{s, s.Number, fenced, look(s)})
		}
		hold(t.first.sync("shop"))
		for i := range uint64(60) {
			f := fenceOnKeys(keys(asked[i%3], i%40, i*7%40), keys("b", i*3%40))
			t.first.fence("shop", f)
			hold(t.first.sync("shop"))
			hold(t.first.clear("shop", f))
		}
		hold(t.first.clear("shop", fenceOn(t.first.sync("shop"), "a")))
		hold(t.first.clear("shop", fenceOnAll(t.first.sync("shop"))))
		t.first.clear("shop", fenceOnKeys(keys("b", 1)))
		t.first.drop("shop")
		t.first.sync("shop")
		for i, h := range all {
			if h.state.Number != h.number || !slices.EqualFunc(h.state.FencedKeys, h.fenced, func(a, b backend.Keys) bool {
				return a.Cache == b.Cache && slices.Equal(a.Hashes, b.Hashes)
			}) || !reflect.DeepEqual(look(h.state), h.last) {
				t.failf("the State number %d was changed after it had been returned: its Number from %d to %d, or its deletes or fenced keys", i, h.number, h.state.Number)
			}
		}
	},
}}

// sameState fails the trial unless the two States show the same of the caches of the
// rule, and have the same number.
func (t *trial) sameState(want, got *backend.State, when string, names []string) {
	if got.Number != want.Number || got.Epoch != want.Epoch || got.Base != want.Base {
		t.failf("%s: the State has the Number %d, Epoch %q and Base %q, want %d, %q and %q", when, got.Number, got.Epoch, got.Base, want.Number, want.Epoch, want.Base)
	}
	t.kept(want, got, when, names...)
	for i := range 50 {
		t.kept(want, got, when, fmt.Sprint("single", i))
	}
	t.sameDeletes(want, got, when, []string{"", "x", "y", "z", "never deleted"}, nil)
	for _, cache := range []string{"", "x", "y", "z"} {
		for hash := range uint64(501) {
			t.keptKey(want, got, when, cache, hash)
			if t.isFencedKey(want, cache, hash) != t.isFencedKey(got, cache, hash) {
				t.failf("%s: key %d of cache %q is fenced on one server and not on the other", when, hash, cache)
			}
		}
	}
}
