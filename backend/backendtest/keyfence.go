package backendtest

import (
	"fmt"
	"slices"

	"github.com/seed-dad15c92/txcache/backend"
)

var tagRules = []Rule{{
	Name:  "tag-is-no-cache",
	Why:   "A tag is a key of the cache without a name: a clear of a tag would clear or fence a cache, or a clear of caches would bring back what bears a tag.",
	needs: needs{counts: true},
	run: func(t *trial) {
		s := t.first.clear("shop", fenceOn(t.first.sync("shop"), "a"))
		noCache := func(s *backend.State, when string) {
			if s.AllFenced || slices.Contains(s.Fenced, "") || slices.ContainsFunc(s.Caches, func(g backend.Generation) bool { return g.Cache == "" }) {
				t.failf("%s: the State names a cache without a name, or has all fenced", when)
			}
		}
		f := fenceOnKeys(keys("", 1, 2))
		t.first.fence("shop", f)
		now := t.first.sync("shop")
		noCache(now, "after Fence of tags")
		t.fenced(now, false, "after Fence of tags", "a", "b", "")
		t.fencedKey(now, true, "after Fence of tags", "", 1)
		t.fencedKey(now, false, "after Fence of tags", "a", 1)
		now = t.first.clear("shop", f)
		noCache(now, "after a clear of tags")
		t.deleted(now, s.Number, "after a clear of tags", f.Keys)
		t.kept(s, now, "after a clear of tags", "a", "b", "")
		t.keptKey(s, now, "after a clear of tags", "a", 1)
		t.keptKey(s, now, "after a clear of tags", "", 3)

		// A value of another cache bears the tag, so a clear by name does not make up for it.
		cleared := t.first.clear("shop", fenceOn(now, "a", "b", "c"))
		noCache(cleared, "after Clear of all caches that there are, by name")
		t.keptKey(now, cleared, "after Clear of all caches that there are, by name", "", 1)
		t.keptKey(now, cleared, "after Clear of all caches that there are, by name", "", 2)

		all := fenceOnAll(cleared)
		t.first.fence("shop", all)
		t.fencedKey(t.first.sync("shop"), false, "after Fence of all caches", "", 1)
		t.first.clear("shop", all)
		noCache(t.first.sync("shop"), "after Clear of all")
	},
}}

var keyFenceRules = []Rule{{
	Name:  "fence-of-keys-stands",
	Why:   "Between a database's commit and the delete, a reader would find, or fill in, the value from before the commit; or the whole cache would be bypassed for one key.",
	needs: needs{counts: true},
	run: func(t *trial) {
		second := t.open("the second server")
		s := t.first.sync("shop")
		for _, lift := range []string{"Unfence", "Clear"} {
			f := fenceOnKeys(keys("", 1), keys("a", hashes...))
			t.first.fence("shop", f)
			t.settle()
			for _, server := range []*server{t.first, second, t.open("a new server")} {
				now := server.sync("shop")
				for _, hash := range hashes {
					t.fencedKey(now, true, "after Fence, on "+server.name, "a", hash)
				}
				t.fencedKey(now, true, "after Fence, on "+server.name, "", 1)
				t.fencedKey(now, false, "after Fence of other keys", "a", 3)
				t.fencedKey(now, false, "after Fence of other keys", "b", 1)
				t.fencedKey(now, false, "after Fence of other tags", "", 2)
				t.fenced(now, false, "after Fence of keys", "a", "b", "")
				t.sortedKeys(now, "after Fence")
			}
			before := t.first.sync("shop")
			t.first.fence("shop", f)
			if now := t.first.sync("shop"); now != before {
				t.failf("Sync after a fence of keys was renewed returned another State")
			}
			other := t.first.clear("shop", fenceOnKeys(keys("a", 3)))
			t.fencedKey(other, true, "after a delete of another key", "a", hashes[0])
			t.keptKey(s, other, "after Fence", "a", hashes[0])
			if lift == "Unfence" {
				t.first.unfence("shop", f)
			} else {
				t.first.clear("shop", f)
			}
			t.settle()
			for _, server := range []*server{t.first, second} {
				now := server.sync("shop")
				for _, k := range f.Keys {
					for _, hash := range k.Hashes {
						t.fencedKey(now, false, "after "+lift+", on "+server.name, k.Cache, hash)
					}
				}
			}
		}
	},
}, {
	Name:  "fence-of-keys-is-one-of-several",
	Why:   "Two transactions that delete one key at once: the first to end would expose the key while the other is still committing.",
	needs: needs{counts: true},
	run: func(t *trial) {
		second := t.open("the second server")
		orders := [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}}
		for i, order := range orders {
			database := fmt.Sprint("shop", i)
			fences := []backend.Fence{fenceOnKeys(keys("a", 1), keys("", 1)), fenceOnKeys(keys("a", 1, 2), keys("", 1)), fenceOnKeys(keys("a", 1), keys("", 1, 2))}
			for _, f := range fences {
				t.first.fence(database, f)
			}
			for lifted, j := range order {
				t.settle()
				for _, s := range []*server{t.first, second} {
					when := fmt.Sprintf("with %d of 3 fences lifted", lifted)
					t.fencedKey(s.sync(database), true, when, "a", 1)
					t.fencedKey(s.sync(database), true, when, "", 1)
				}
				if (i+lifted)%2 == 0 {
					t.first.unfence(database, fences[j])
				} else {
					t.first.clear(database, fences[j])
				}
			}
			for _, hash := range []uint64{1, 2} {
				t.fencedKey(t.first.sync(database), false, "with 3 of 3 fences lifted", "a", hash)
				t.fencedKey(t.first.sync(database), false, "with 3 of 3 fences lifted", "", hash)
			}
		}
	},
}, {
	Name:  "unfence-deletes-nothing",
	Why:   "A transaction that failed before its commit changed nothing: values would be lost, though they are right.",
	needs: needs{counts: true},
	run: func(t *trial) {
		s := t.first.clear("shop", fenceOnKeys(keys("", 1), keys("a", 1)))
		f := fenceOnKeys(keys("", 1, 2), keys("a", 1, 2))
		for range 2 {
			t.first.fence("shop", f)
			t.first.unfence("shop", f)
			t.first.unfence("shop", f)
			now := t.first.sync("shop")
			t.sameDeletes(s, now, "after Unfence", []string{"", "a"}, []uint64{1, 2, 3})
			t.kept(s, now, "after Unfence", "a", "")
		}
	},
}, {
	Name:  "fence-does-not-keep-the-keys",
	Why:   "Callers use their slices again: a backend that keeps or changes them would fence and delete keys that nobody named.",
	needs: needs{counts: true},
	run: func(t *trial) {
		s := t.first.sync("shop")
		f := fenceOnKeys(keys("a", 1, 2), keys("b", 1))
		given := [][]uint64{{1, 2}, {1}}
		overwrite := func(after string) {
			for i, k := range f.Keys {
				if k.Cache != []string{"a", "b"}[i] || !slices.Equal(k.Hashes, given[i]) {
					t.failf("%s changed the keys of the fence it was given", after)
				}
				for j := range k.Hashes {
					k.Hashes[j] = 100 + uint64(j)
				}
				f.Keys[i].Cache = "x"
			}
		}
		restore := func() {
			f.Keys[0], f.Keys[1] = keys("a", 1, 2), keys("b", 1)
		}
		t.first.fence("shop", f)
		overwrite("Fence")
		// Another change makes the backend work out again what is fenced.
		t.first.fence("shop", fenceOnKeys(keys("c", 1)))
		now := t.first.sync("shop")
		t.fencedKey(now, true, "after the caller used the slice that it gave to Fence again", "a", 2)
		t.fencedKey(now, false, "after the caller used the slice that it gave to Fence again", "x", 100)
		t.fencedKey(now, false, "after the caller used the slice that it gave to Fence again", "a", 100)
		restore()
		cleared := t.first.clear("shop", f)
		overwrite("Clear")
		now = t.first.clear("shop", fenceOnKeys(keys("d", 1)))
		t.deleted(now, s.Number, "after the caller used the slice that it gave to Clear again", []backend.Keys{keys("a", 1, 2), keys("b", 1)})
		t.sameDeletes(cleared, now, "after the caller used the slice that it gave to Clear again", []string{"a", "b", "x"}, []uint64{1, 2, 100, 101})
		restore()
		t.first.fence("shop", f)
		t.first.unfence("shop", f)
		overwrite("Unfence")
	},
}, {
	Name:  "lease-of-keys-ends-as-a-delete",
	Why:   "The owner of a fence that lapsed may have committed before it died: its keys would be bypassed for ever, or be stale for ever.",
	needs: needs{lapse: true, counts: true},
	run: func(t *trial) {
		second := t.open("the second server")
		f := t.leased(fenceOnKeys(keys("", 1), keys("a", 1, 2)))
		s := t.first.sync("shop")
		t.first.fence("shop", f)
		t.Advance(t.Lease / 2)
		now := t.first.sync("shop")
		t.fencedKey(now, true, "with half of the lease to go", "a", 1)
		t.keptKey(s, now, "with half of the lease to go", "a", 1)
		highest := now.Number
		t.lapse()
		lapsed := t.first.sync("shop")
		t.deleted(lapsed, highest, "after the lease has ended", f.Keys)
		t.fencedKey(lapsed, false, "after the lease has ended", "a", 1)
		t.fencedKey(lapsed, false, "after the lease has ended", "", 1)
		t.keptKey(s, lapsed, "after the lease of other keys has ended", "a", 3)
		t.kept(s, lapsed, "after the lease of a fence on keys has ended", "a", "")
		t.sameDeletes(lapsed, second.sync("shop"), "on the second server, after the lease has ended", []string{"", "a"}, []uint64{1, 2, 3})

		// What others filled after the lapse is newer than what the owner has set.
		late := t.first.clear("shop", f)
		for _, k := range f.Keys {
			for _, hash := range k.Hashes {
				byLapse, _ := lapsed.Deletes.Of(k.Cache).Last(hash)
				last, before := late.Deletes.Of(k.Cache).Last(hash)
				if last > byLapse && before < byLapse || last <= byLapse && before <= highest {
					t.failf("after Clear by an owner that comes late: key %d of cache %q was last deleted by %d and before by %d; want the delete of the lapse, %d, to be told of", hash, k.Cache, last, before, byLapse)
				}
			}
		}

		// One of two.
		dead, alive := t.leased(fenceOnKeys(keys("a", 5))), fenceOnKeys(keys("a", 5))
		s = t.first.sync("shop")
		t.first.fence("shop", dead)
		t.first.fence("shop", alive)
		t.lapse()
		t.fencedKey(t.first.sync("shop"), true, "after one of two leases has ended", "a", 5)
		t.first.unfence("shop", alive)
		now = t.first.sync("shop")
		t.fencedKey(now, false, "after one of two leases has ended and the other fence was lifted", "a", 5)
		t.deleted(now, s.Number, "after one of two leases has ended and the other fence was lifted", []backend.Keys{keys("a", 5)})

		// In time.
		f = t.leased(fenceOnKeys(keys("a", 6)))
		t.first.fence("shop", f)
		t.first.unfence("shop", f)
		now = t.first.sync("shop")
		t.lapse()
		t.keptKey(now, t.first.sync("shop"), "a lease after the fence was lifted", "a", 6)
	},
}}
