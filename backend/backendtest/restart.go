package backendtest

import "github.com/seed-dad15c92/txcache/backend"

var restartRules = []Rule{{
	Name:  "restart-is-noticed",
	Why:   "An authority that begins anew with lower versions than before, for it counts from one or its clock was set back, would be overlooked: servers go on with what they knew, and miss every clear from then on.",
	needs: needs{restart: true},
	run: func(t *trial) {
		second := t.open("the second server")
		used := map[backend.Token]bool{}
		var before *backend.State
		for range 5 { // so that versions have come some way
			before = t.first.clear("shop", fenceOn(t.first.sync("shop"), "a", "b"))
			t.settle()
			second.sync("shop")
			used[before.Token("a")], used[before.Base] = true, true
		}
		for life := range 2 {
			t.Restart()
			for _, s := range []*server{t.first, second} {
				other := t.open("a server that is new")
				known := s.sync("shop")
				cleared := other.clear("shop", fenceOn(other.sync("shop"), "a"))
				t.settle()
				now := s.sync("shop")
				t.kept(cleared, now, "after a restart, and a clear by another server", "a", "b", "c")
				if now.Version <= known.Version || s == t.first && known.Version < before.Version {
					t.failf("after restart %d: Version went from %d to %d and then, by a clear, to %d; want it to rise", life+1, before.Version, known.Version, now.Version)
				}
				if used[now.Token("a")] {
					t.failf("after a restart: cache a is at the token %q, which was used before", now.Token("a"))
				}
				used[now.Token("a")] = true
				if s == t.first {
					before = now
				}
			}
		}
	},
}}
