package backendtest

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/seed-dad15c92/txcache/backend"
)

var stateRules = []Rule{{
	Name: "state-is-sorted",
	Why:  "State.Token and State.IsFenced search by halves: a cache out of place would be taken for one that was never cleared, or is not fenced.",
	run: func(t *trial) {
		caches := []string{"z", "B", "a", "é", "aa", "~", "b", "Z", "a.b", "日", "a"}
		start := t.first.sync("shop")
		for i, cache := range caches {
			f, g := fenceOn(start, cache), fenceOn(start, cache, caches[0])
			t.first.fence("shop", f)
			t.first.fence("shop", g)
			t.sorted(t.first.sync("shop"), "after Fence")
			s := t.first.clear("shop", f)
			t.sorted(s, "after Clear")
			t.moved(start, s, "after Clear", caches[:i+1]...)
		}
		named := slices.Compact(slices.Sorted(slices.Values(caches)))
		t.sorted(t.first.clear("shop", fenceOn(start, named[2:6]...)), "after Clear of several caches")
		t.sorted(t.first.clear("shop", fenceOnAll(start, named[1:4]...)), "after Clear of all")
	},
}, {
	Name: "state-is-immutable",
	Why:  "Open transactions share the State that they began with: one that changes shows them generations from after their snapshot, and races with their reads.",
	run: func(t *trial) {
		type held struct{ state, copy *backend.State }
		var all []held
		hold := func(s *backend.State) *backend.State {
			clone := *s
			clone.Caches, clone.Fenced = slices.Clone(s.Caches), slices.Clone(s.Fenced)
			all = append(all, held{s, &clone})
			return s
		}
		s := hold(t.first.sync("shop"))
		for _, cache := range []string{"m", "a", "z", "m", "b"} {
			f := fenceOn(s, cache, "k")
			t.first.fence("shop", f)
			hold(t.first.sync("shop"))
			s = hold(t.first.clear("shop", f))
			g := fenceOn(s, "c", "y")
			t.first.fence("shop", g)
			hold(t.first.sync("shop"))
			t.first.unfence("shop", g)
			hold(t.first.sync("shop"))
		}
		hold(t.first.clear("shop", fenceOnAll(s, "a")))
		t.first.drop("shop")
		hold(t.first.sync("shop"))
		for i, h := range all {
			if !reflect.DeepEqual(h.state, h.copy) {
				t.failf("the State number %d was changed after it had been returned:\n got %+v\nwant %+v", i, *h.state, *h.copy)
			}
		}
	},
}, {
	Name: "state-does-not-alias-the-fence",
	Why:  "Callers use their slices again: a backend that keeps or changes them would fence and clear caches that nobody named.",
	run: func(t *trial) {
		s := t.first.sync("shop")
		f := fenceOn(s, "a", "b")
		given := slices.Clone(f.Caches)
		overwrite := func(after string) {
			if !slices.Equal(f.Caches, given) {
				t.failf("%s changed the caches of the fence it was given", after)
			}
			for i := range f.Caches {
				f.Caches[i] = backend.Generation{Cache: fmt.Sprint("x", i), Token: "x"}
			}
		}
		t.first.fence("shop", f)
		overwrite("Fence")
		// Another change makes the backend work out again what is fenced.
		t.first.fence("shop", fenceOn(s, "c"))
		now := t.first.sync("shop")
		t.fenced(now, true, "after the caller used the slice that it gave to Fence again", "a", "b", "c")
		t.fenced(now, false, "after the caller used the slice that it gave to Fence again", "x0", "x1")

		copy(f.Caches, given)
		cleared := t.first.clear("shop", f)
		overwrite("Clear")
		t.moved(s, cleared, "after the caller used the slice that it gave to Clear again", "a", "b")
		now = t.first.clear("shop", fenceOn(cleared, "d"))
		t.kept(cleared, now, "after the caller used the slice that it gave to Clear again", "a", "b", "x0", "x1")

		f = fenceOn(now, "a", "b")
		given = slices.Clone(f.Caches)
		t.first.fence("shop", f)
		t.first.unfence("shop", f)
		overwrite("Unfence")
	},
}}

var tokenRules = []Rule{{
	Name: "token-is-printable",
	Why:  "Tokens become parts of keys: an empty one, or one with blanks or control characters, would name nothing or break them.",
	run: func(t *trial) {
		check := func(what string, token backend.Token) {
			if token == "" || strings.ContainsFunc(string(token), func(r rune) bool { return r <= ' ' || r > '~' }) {
				t.failf("the token %q %s, want printable ASCII without spaces", token, what)
			}
		}
		checkState := func(s *backend.State) {
			check("is an Epoch", s.Epoch)
			check("is a Base", s.Base)
			for _, g := range s.Caches {
				check("is that of a cache", g.Token)
			}
		}
		s := t.first.sync("shop")
		checkState(s)
		checkState(t.first.clear("shop", fenceOn(s, "a", "b")))
		checkState(t.first.clear("shop", fenceOn(s, "a")))
		checkState(t.first.clear("shop", fenceOnAll(s, "a")))
		t.first.drop("shop")
		checkState(t.first.sync("shop"))
	},
}, {
	Name: "token-is-never-used-again",
	Why:  "A token that comes back brings back the values that were cleared under it.",
	run: func(t *trial) {
		seen := map[backend.Token]string{}
		once := func(token backend.Token, what string) {
			if before, ok := seen[token]; ok {
				t.failf("%s has the token %q, which was used for %s", what, token, before)
			}
			seen[token] = what
		}
		for _, database := range []string{"shop", "other"} {
			for epoch := range 4 {
				s := t.first.sync(database)
				once(s.Epoch, fmt.Sprintf("the epoch %d of %s", epoch, database))
				if s.Base != s.Epoch {
					once(s.Base, fmt.Sprintf("the base of epoch %d of %s", epoch, database))
				}
				for i := range 60 {
					what := fmt.Sprintf("clear %d in epoch %d of %s", i, epoch, database)
					f := fenceOn(s, []string{"a", "b", "c"}[i%3])
					if i%10 == 9 {
						f = fenceOnAll(s)
					}
					if i%4 != 0 {
						t.first.fence(database, f)
					}
					s = t.first.clear(database, f)
					if f.All {
						once(s.Base, what)
						continue
					}
					once(s.Token(f.Caches[0].Cache), what)
				}
				t.first.drop(database)
			}
		}
	},
}}

// sorted fails the trial unless the lists of s are sorted and without duplicates.
func (t *trial) sorted(s *backend.State, when string) {
	for i, g := range s.Caches {
		if i > 0 && s.Caches[i-1].Cache >= g.Cache {
			t.failf("%s: State.Caches has %q before %q, want them sorted and each once", when, s.Caches[i-1].Cache, g.Cache)
		}
	}
	for i, cache := range s.Fenced {
		if i > 0 && s.Fenced[i-1] >= cache {
			t.failf("%s: State.Fenced has %q before %q, want them sorted and each once", when, s.Fenced[i-1], cache)
		}
	}
}
