package backendtest

import "github.com/seed-dad15c92/txcache/backend"

var islandRules = []Rule{{
	Name: "island-of-a-database",
	Why:  "What happens in one tenant's database would fence, clear or drop the caches of another's, whose name differs in a character that the backend gives a meaning.",
	run: func(t *trial) {
		states := make([]*backend.State, len(hostileNames))
		for i, database := range hostileNames {
			states[i] = t.first.sync(database)
		}
		for i, database := range hostileNames {
			f, g := fenceOn(states[i], "a", "b"), fenceOnAll(states[i], "c")
			t.first.fence(database, f)
			t.first.fence(database, g)
			t.fenced(t.first.sync(database), true, "after Fence", "a", "b", "d")
			for j, neighbour := range hostileNames {
				if i != j && t.first.sync(neighbour) != states[j] {
					t.failf("Sync of database %.40q returned another State after Fence in %.40q", neighbour, database)
				}
			}
			now := t.first.clear(database, f)
			t.at(now, true, "after Clear", "a", f.ID)
			now = t.first.clear(database, g)
			t.moved(states[i], now, "after Clear", "a", "b", "c", "d")
			if i%2 == 0 {
				t.first.drop(database)
			}
			states[i] = t.first.sync(database)
			for j, neighbour := range hostileNames {
				if i != j && t.first.sync(neighbour) != states[j] {
					t.failf("Sync of database %.40q returned another State after Clear or Drop in %.40q", neighbour, database)
				}
			}
		}
	},
}, {
	Name: "island-of-a-cache",
	Why:  "A clear of one cache would miss it, or hit another whose name differs in a character that the backend gives a meaning.",
	run: func(t *trial) {
		s := t.first.sync("shop")
		for _, cleared := range hostileNames {
			f := fenceOn(s, cleared)
			t.first.fence("shop", f)
			now := t.first.sync("shop")
			for _, cache := range hostileNames {
				t.fenced(now, cache == cleared, "after Fence of "+cleared, cache)
			}
			now = t.first.clear("shop", f)
			t.at(now, true, "after Clear", cleared, f.ID)
			for _, cache := range hostileNames {
				if cache != cleared {
					t.kept(s, now, "after Clear of "+cleared, cache)
				}
			}
			if now.Epoch != s.Epoch || now.Base != s.Base {
				t.failf("Clear of cache %.40q changed the Epoch or the Base", cleared)
			}
			s = now
		}
		f := fenceOn(s, hostileNames...)
		t.first.fence("shop", f)
		now := t.first.clear("shop", f)
		for _, cache := range hostileNames {
			t.at(now, true, "after Clear of all these names at once", cache, f.ID)
		}
	},
}, {
	Name: "island-of-joined-names",
	Why:  "A database and a cache, joined by a separator, would be taken for another database and another cache.",
	run: func(t *trial) {
		for _, sep := range separators {
			left, right := "a"+sep+"b", "b"+sep+"c" // a b c, cut at the second and at the first separator
			one, other := t.first.sync(left), t.first.sync("a")
			f := fenceOn(one, "c")
			t.first.fence(left, f)
			t.fenced(t.first.sync("a"), false, "after Fence of cache \"c\" of database "+left, right)
			t.first.clear(left, f)
			t.kept(other, t.first.sync("a"), "after Clear of cache \"c\" of database "+left, right)

			// The same fence may stand in two databases, and is two fences.
			t.first.fence("a", f)
			t.first.fence(left, f)
			t.first.unfence("a", f)
			t.fenced(t.first.sync(left), true, "after Unfence in another database of a fence of the same ID", "c")
			t.first.unfence(left, f)
		}
	},
}}
