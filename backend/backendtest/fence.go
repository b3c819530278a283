package backendtest

import (
	"fmt"

	"github.com/seed-dad15c92/txcache/backend"
)

var fenceRules = []Rule{{
	Name: "fence-stands",
	Why:  "Between a database's commit and the clear, a reader would find, or fill in, the value from before the commit.",
	run: func(t *trial) {
		s := t.first.sync("shop")
		f := fenceOn(s, "a", "b")
		t.first.fence("shop", f)
		for range 2 {
			now := t.first.sync("shop")
			t.fenced(now, true, "after Fence", "a", "b")
			t.fenced(now, false, "after Fence of others", "c", "aa")
			t.kept(s, now, "after Fence", "a", "b", "c")
		}
		cleared := t.first.clear("shop", fenceOn(s, "c"))
		t.fenced(cleared, true, "after Clear of another cache", "a", "b")
	},
}, {
	Name: "fence-is-one-of-several",
	Why:  "Two transactions that clear one cache at once: the first to end would expose the cache while the other is still committing.",
	run: func(t *trial) {
		orders := [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}}
		for i, order := range orders {
			database := fmt.Sprint("shop", i)
			s := t.first.sync(database)
			fences := []backend.Fence{fenceOn(s, "a"), fenceOn(s, "a", "b"), fenceOn(s, "a")}
			for _, f := range fences {
				t.first.fence(database, f)
			}
			for lifted, j := range order {
				t.fenced(t.first.sync(database), true, fmt.Sprintf("with %d of 3 fences lifted", lifted), "a")
				if (i+lifted)%2 == 0 {
					t.first.unfence(database, fences[j])
				} else {
					t.first.clear(database, fences[j])
				}
			}
			t.fenced(t.first.sync(database), false, "with 3 of 3 fences lifted", "a", "b")
		}
	},
}, {
	Name: "fence-can-be-repeated",
	Why:  "A fence is repeated after an error and to renew it: a cache would stay bypassed because the same fence has to be lifted twice, or the clear would not be recognised.",
	run: func(t *trial) {
		s := t.first.sync("shop")
		f := fenceOn(s, "a")
		t.first.fence("shop", f)
		t.first.fence("shop", f)
		t.first.unfence("shop", f)
		t.fenced(t.first.sync("shop"), false, "after Fence twice and Unfence once", "a")
		f = fenceOn(s, "a")
		t.first.fence("shop", f)
		t.first.fence("shop", f)
		now := t.first.clear("shop", f)
		t.fenced(now, false, "after Fence twice and Clear once", "a")
		t.at(now, true, "after Fence twice and Clear once", "a", f.ID)
	},
}, {
	Name: "fence-on-all",
	Why:  "A clear of all caches also covers those that it does not name: they would be read while it commits, or stay bypassed after it.",
	run: func(t *trial) {
		s := t.first.sync("shop")
		for _, lift := range []func(backend.Fence){
			func(f backend.Fence) { t.first.unfence("shop", f) },
			func(f backend.Fence) { t.first.clear("shop", f) },
		} {
			all, one := fenceOnAll(s, "b"), fenceOn(s, "a")
			t.first.fence("shop", all)
			t.fenced(t.first.sync("shop"), true, "after Fence of all", "a", "b", "never seen")
			t.first.fence("shop", one)
			lift(all)
			now := t.first.sync("shop")
			t.fenced(now, false, "after the fence on all was lifted", "b", "never seen")
			t.fenced(now, true, "after the fence on all was lifted, with one of its own", "a")
			t.first.unfence("shop", one)
			t.fenced(t.first.sync("shop"), false, "after both fences were lifted", "a", "b", "never seen")
		}
	},
}, {
	Name: "unfence-clears-nothing",
	Why:  "A transaction that failed before its commit changed nothing: all servers would lose what they have cached, though it is right.",
	run: func(t *trial) {
		s := t.first.clear("shop", fenceOn(t.first.sync("shop"), "a"))
		for _, f := range []backend.Fence{fenceOn(s, "a", "b"), fenceOnAll(s, "a")} {
			t.first.fence("shop", f)
			for range 2 {
				t.first.unfence("shop", f)
				now := t.first.sync("shop")
				t.fenced(now, false, "after Unfence", "a", "b")
				t.kept(s, now, "after Unfence", "a", "b", "c")
			}
		}
	},
}, {
	Name: "unfence-lifts-its-own-fence-only",
	Why:  "A late or repeated Unfence is no error, and must not expose what another transaction is committing.",
	run: func(t *trial) {
		s := t.first.sync("shop")
		f := fenceOn(s, "a")
		t.first.unfence("shop", f)
		t.first.fence("shop", f)
		for _, unknown := range []backend.Fence{fenceOn(s, "a"), fenceOnAll(s), fenceOn(s)} {
			t.first.unfence("shop", unknown)
			now := t.first.sync("shop")
			t.fenced(now, true, "after Unfence of a fence that never stood", "a")
			t.kept(s, now, "after Unfence of a fence that never stood", "a")
		}
		t.first.unfence("never seen", f)
		t.fenced(t.first.sync("shop"), true, "after Unfence in another database", "a")
	},
}}
