package backendtest

import (
	"fmt"
	"math/rand/v2"

	"github.com/seed-dad15c92/txcache/backend"
)

// numberRules are about State.Number, by which values tell whether a delete came after them.
var numberRules = []Rule{{
	Name: "number-is-there-always-or-never",
	Why:  "A backend that does not count gets clears in place of deletes: one that counts at times would be given deletes that it forgets.",
	run: func(t *trial) {
		second := t.open("the second server")
		s := t.first.sync("shop")
		counts := s.Number != 0
		check := func(when string, s *backend.State) {
			if (s.Number != 0) != counts {
				t.failf("%s: the Number is %d, want %s", when, s.Number, map[bool]string{true: "one of 1 at least, as in the first State", false: "0, as in the first State"}[counts])
			}
		}
		check("Clear", t.first.clear("shop", fenceOn(s, "a")))
		t.first.fence("shop", fenceOn(s, "b"))
		check("Sync after Fence", t.first.sync("shop"))
		t.settle()
		check("Sync on another server", second.sync("shop"))
		check("Clear on another server", second.clear("shop", fenceOnAll(s)))
		t.first.drop("shop")
		check("Sync after Drop", t.first.sync("shop"))
		check("Sync of another database", second.sync("other"))
	},
}, {
	Name:  "number-rises-with-each-change",
	Why:   "A value carries the number of the State that its transaction began with: without a higher one for the change, it would pass for one that was read after it.",
	needs: needs{counts: true},
	run: func(t *trial) {
		second := t.open("the second server")
		highest := t.first.sync("shop").Number
		// both are what the servers know before a change; none is above what shows it.
		both := func() {
			for _, s := range []*server{t.first, second} {
				highest = max(highest, s.sync("shop").Number)
			}
		}
		rises := func(what string, s *backend.State) {
			if s.Number <= highest {
				t.failf("%s: the State that shows it has the Number %d, one of before had %d; want a higher one", what, s.Number, highest)
			}
			highest = s.Number
			t.settle()
			for _, s := range []*server{t.first, second} {
				if now := s.sync("shop"); now.Number < highest {
					t.failf("Sync on %s after %s: the Number is %d, want %d at least", s.name, what, now.Number, highest)
				}
			}
		}
		for i := range 4 {
			s := []*server{t.first, second}[i%2]
			f, g := fenceOnKeys(keys("a", 1)), fenceOn(s.sync("shop"), "a")
			s.fence("shop", f)
			both()
			rises("a delete", s.clear("shop", f))
			rises("a second delete of a key", s.clear("shop", fenceOnKeys(keys("a", 1))))
			rises("a clear of a tag", s.clear("shop", fenceOnKeys(keys("", 1))))
			s.fence("shop", g)
			both()
			rises("a clear", s.clear("shop", g))
			g = fenceOn(s.sync("shop"), "a")
			g.Keys = fenceOnKeys(keys("b", 1)).Keys
			rises("a clear and a delete at once", s.clear("shop", g))
			rises("a clear of all", s.clear("shop", fenceOnAll(s.sync("shop"))))
			f = fenceOnKeys(keys("a", 1))
			s.fence("shop", f)
			both()
			s.unfence("shop", f)
			both()
		}
	},
}, {
	Name:  "number-is-the-same-for-everybody",
	Why:   "Servers take each other's values, with the numbers of those who read them: where servers count differently, a value from before a delete would pass for one from after it, or every one of another server for too old.",
	needs: needs{counts: true},
	run: func(t *trial) {
		second := t.open("the second server")
		check := func(when string) {
			t.settle()
			one, other := t.first.sync("shop"), second.sync("shop")
			third := t.open("a new server").sync("shop")
			if one.Number != other.Number || one.Number != third.Number {
				t.failf("%s: the State has the Number %d on the first server, %d on the second and %d on a new one", when, one.Number, other.Number, third.Number)
			}
		}
		check("in a new database")
		for i := range 3 {
			writer, reader := t.first, second
			if i%2 == 1 {
				writer, reader = second, t.first
			}
			f := fenceOnKeys(keys("a", uint64(i)))
			writer.fence("shop", f)
			writer.fence("shop", f)
			writer.clear("shop", f)
			check("after a delete")
			reader.clear("shop", f)
			check("after a delete that was repeated on another server")
			g := fenceOn(writer.sync("shop"), "a", "b")
			writer.fence("shop", g)
			writer.unfence("shop", g)
			check("after Unfence")
			for range 5 { // which the reader does not see one by one
				writer.clear("shop", fenceOn(writer.sync("shop"), "b"))
			}
			check("after several clears")
		}
		t.first.drop("shop")
		check("after Drop")
	},
}, {
	Name:  "concurrent-use-keeps-the-numbers",
	Why:   "Two servers that delete and begin at once: a transaction that did not see a delete would have its number or a higher one, and what it read from before the delete would be found after it.",
	needs: needs{counts: true},
	run: func(t *trial) {
		second := t.open("the second server")
		h := &numbered{trial: t}
		t.together(8, func(i int) {
			// The choices are the same in every run; their order in time is not.
			h.work([]*server{t.first, second}[i%2], rand.New(rand.NewPCG(uint64(i), 14)), 25)
		})
		h.check()
	},
}}

// A numbered is what workers were shown of one database, and what they did.
type numbered struct {
	*trial
	done []*worker
}

type worker struct {
	states  []*backend.State
	changes []change
}

// A change is a delete of a key, or a clear of a cache at a token.
type change struct {
	number uint64
	cache  string
	hash   uint64
	token  backend.Token // "" for a delete
}

// shown reports whether s shows c.
func (c change) shown(s *backend.State) bool {
	if c.token != "" {
		return s.Token(c.cache) != c.token
	}
	last, _ := s.Deletes.Of(c.cache).Last(c.hash)
	return last >= c.number
}

func (c change) String() string {
	if c.token != "" {
		return fmt.Sprintf("the clear of cache %q at %q", c.cache, c.token)
	}
	return fmt.Sprintf("the delete of key %d of cache %q", c.hash, c.cache)
}

func (h *numbered) work(s *server, random *rand.Rand, rounds int) {
	w := &worker{}
	for range rounds {
		begun := s.sync("shop")
		f := fenceOnKeys(keys("", random.Uint64N(3)), keys("a", random.Uint64N(4), random.Uint64N(4)))
		if random.IntN(5) == 0 {
			f = fenceOn(begun, "b")
		}
		if random.IntN(4) > 0 {
			s.fence("shop", f)
		}
		w.states = append(w.states, begun, s.sync("shop"))
		if random.IntN(4) == 0 {
			s.unfence("shop", f)
			continue
		}
		cleared := s.clear("shop", f)
		w.states = append(w.states, cleared)
		for _, k := range f.Keys {
			for _, hash := range k.Hashes {
				last, _ := cleared.Deletes.Of(k.Cache).Last(hash)
				if last == 0 || last > cleared.Number {
					h.failf("Clear, while others work, returned a State of Number %d in which a key that it deleted was last deleted by %d", cleared.Number, last)
				}
				w.changes = append(w.changes, change{number: last, cache: k.Cache, hash: hash})
			}
		}
		for _, g := range f.Caches {
			w.changes = append(w.changes, change{number: cleared.Number, cache: g.Cache, token: g.Token})
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.done = append(h.done, w)
}

// check looks at every State beside every change.
func (h *numbered) check() {
	for _, w := range h.done {
		for _, c := range w.changes {
			for _, other := range h.done {
				for _, s := range other.states {
					if s.Number >= c.number && !c.shown(s) {
						h.failf("a State has the Number %d and does not show %s, which was change %d", s.Number, c, c.number)
					}
				}
			}
		}
	}
}
