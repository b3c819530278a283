package backendtest

import (
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/seed-dad15c92/txcache/backend"
)

var concurrentRules = []Rule{{
	Name: "concurrent-clears-have-one-winner",
	Why:  "Of transactions that clear a cache at once, two would each believe that nobody else has: the values of one, published under the ID of its fence, would be read as fresh.",
	run: func(t *trial) {
		second := t.open("the second server")
		for round := range 10 {
			const n = 8
			s := t.first.sync("shop")
			won := make([]bool, n)
			t.together(n, func(i int) {
				server := []*server{t.first, second}[i%2]
				f := fenceOn(s, "a")
				server.fence("shop", f)
				won[i] = server.clear("shop", f).Token("a") == f.ID
			})
			winners := 0
			for _, w := range won {
				if w {
					winners++
				}
			}
			if winners > 1 {
				t.failf("round %d: %d of %d clears, all of the same generation, took the ID of their fence, want one at most", round, winners, n)
			}
			t.settle()
			last := t.first.sync("shop")
			t.moved(s, last, "after clears at once", "a")
			t.fenced(last, false, "after clears at once", "a")
		}
	},
}, {
	Name: "concurrent-use-keeps-the-order",
	Why:  "Every promise has to hold for all transactions at once: one that begins after a clear returned would read what was cleared.",
	run: func(t *trial) {
		second := t.open("the second server")
		h := &history{trial: t, dead: map[string]map[backend.Token]int{}, seen: map[string]*backend.State{}}
		t.together(8, func(i int) {
			// The choices are the same in every run; their order in time is not.
			h.work([]*server{t.first, second}[i%2], rand.New(rand.NewPCG(uint64(i), 26)), 30)
		})
		t.settle()
		for _, database := range databases {
			t.fenced(t.first.sync(database), false, "after all were done", caches...)
		}
	},
}}

var (
	databases = []string{"one", "two"}
	caches    = []string{"a", "b", "c"}
)

// A history is what the workers of a rule know about generations.
type history struct {
	*trial

	mu   sync.Mutex
	now  int                              // counts the generations known to be over
	dead map[string]map[backend.Token]int // by scope: when each token was known to be over
	seen map[string]*backend.State        // by server, database and version
}

func (h *history) work(s *server, random *rand.Rand, rounds int) {
	last := map[string]*backend.State{}
	for range rounds {
		database := databases[random.IntN(len(databases))]
		begun := h.look(s, database, last)
		f := fenceOn(begun, caches[random.IntN(3)], caches[random.IntN(3)])
		f.All = random.IntN(8) == 0
		if random.IntN(4) > 0 {
			s.fence(database, f)
			now := h.look(s, database, last)
			for _, g := range f.Caches {
				h.fenced(now, true, "after Fence, while others work", g.Cache)
			}
		}
		if random.IntN(4) == 0 {
			s.unfence(database, f)
			continue
		}
		cleared := s.clear(database, f)
		h.note(s, database, cleared, last)
		for _, g := range f.Caches {
			if cleared.Token(g.Cache) == g.Token {
				h.failf("Clear, while others work, returned a State with cache %q at the generation before it", g.Cache)
			}
			h.over(s, database, g)
		}
		h.look(s, database, last)
	}
}

// look checks that Sync returns nothing that was known to be over when it was called.
func (h *history) look(s *server, database string, last map[string]*backend.State) *backend.State {
	h.mu.Lock()
	called := h.now
	h.mu.Unlock()
	state := s.sync(database)
	h.note(s, database, state, last)
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, cache := range caches {
		if at, ok := h.dead[h.scope(s, database, cache)][state.Token(cache)]; ok && at <= called {
			h.failf("Sync of %q on %s returned cache %q at %q, though a Clear of that generation had returned before", database, s.name, cache, state.Token(cache))
		}
	}
	return state
}

// note checks what has to be true of each State: versions do not go back for
// one caller, and equal ones are the same State.
func (h *history) note(s *server, database string, state *backend.State, last map[string]*backend.State) {
	if before := last[database]; before != nil && state.Version < before.Version {
		h.failf("a State of %q on %s has Version %d, after one of %d had been returned to the same caller", database, s.name, state.Version, before.Version)
	}
	last[database] = state
	h.sorted(state, "while others work")
	h.mu.Lock()
	defer h.mu.Unlock()
	id := fmt.Sprint(s.name, database, state.Version)
	if other := h.seen[id]; other != nil && other != state {
		h.failf("two States of %q on %s have the Version %d", database, s.name, state.Version)
	}
	h.seen[id] = state
}

// over notes that a Clear of the generation g has returned.
func (h *history) over(s *server, database string, g backend.Generation) {
	h.mu.Lock()
	defer h.mu.Unlock()
	scope := h.scope(s, database, g.Cache)
	if h.dead[scope] == nil {
		h.dead[scope] = map[backend.Token]int{}
	}
	h.now++
	if _, ok := h.dead[scope][g.Token]; !ok {
		h.dead[scope][g.Token] = h.now
	}
}

// scope is where a token that is over must not be seen any more.
func (h *history) scope(s *server, database, cache string) string {
	if h.Staleness > 0 {
		return s.name + " " + database + " " + cache
	}
	return database + " " + cache
}
