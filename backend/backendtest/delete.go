package backendtest

import (
	"fmt"
	"math"

	"github.com/seed-dad15c92/txcache/backend"
)

// hashes are those of which a backend may lose some bits: as a float, as a signed number,
// as text.
var hashes = []uint64{0, 1, 2, 9, 10, 11, 1 << 31, 1 << 32, 1<<53 - 1, 1 << 53, 1<<53 + 1, 1<<63 - 1, 1 << 63, 1<<63 + 1, math.MaxUint64 - 1, math.MaxUint64}

var deleteRules = []Rule{{
	Name:  "delete-is-shown",
	Why:   "A value from before a commit would be found after it, on this server or another.",
	needs: needs{counts: true},
	run: func(t *trial) {
		second := t.open("the second server")
		for i, server := range []*server{t.first, second, t.first} {
			t.settle()
			f := fenceOnKeys(keys("a", hashes[i], hashes[i+1]), keys("b", hashes[i]), keys("", hashes[i]))
			highest := max(t.first.sync("shop").Number, second.sync("shop").Number)
			server.fence("shop", f)
			highest = max(highest, server.sync("shop").Number)
			s := server.clear("shop", f)
			t.deleted(s, highest, "after Clear", f.Keys)
			if now := server.sync("shop"); now != s {
				t.deleted(now, highest, "Sync after Clear", f.Keys)
			}
			t.settle()
			for _, other := range []*backend.State{t.first.sync("shop"), second.sync("shop"), t.open("a new server").sync("shop")} {
				t.deleted(other, highest, "Sync on another server, after Clear", f.Keys)
				t.sameDeletes(s, other, "Sync on another server, after Clear", []string{"", "a", "b", "c"}, hashes)
			}
		}
	},
}, {
	Name:  "delete-is-of-its-key",
	Why:   "A delete takes what is kept under its key and nothing else: every other value would be a miss, or the right one would stay.",
	needs: needs{counts: true},
	run: func(t *trial) {
		other := t.first.sync("other")
		s := t.first.clear("shop", fenceOn(t.first.sync("shop"), "a", "c"))
		for _, hash := range hashes {
			for _, cache := range []string{"a", "b", ""} {
				f := fenceOnKeys(keys(cache, hash))
				t.first.fence("shop", f)
				now := t.first.clear("shop", f)
				when := fmt.Sprintf("after the delete of key %d of cache %q", hash, cache)
				t.deleted(now, s.Number, when, f.Keys)
				for _, neighbour := range []string{"", "a", "b", "c", "aa", "A"} {
					for _, h := range hashes {
						if neighbour != cache || h != hash {
							t.keptKey(s, now, when, neighbour, h)
						}
					}
				}
				t.kept(s, now, when, "a", "b", "c", "")
				t.fenced(now, false, when, "a", "b", "c", "")
				if now.Base != s.Base || now.Epoch != s.Epoch {
					t.failf("%s: the Base or the Epoch is another", when)
				}
				s = now
			}
		}
		if t.first.sync("other") != other {
			t.failf("Sync of another database returned another State after deletes")
		}
	},
}, {
	Name:  "delete-knows-every-name",
	Why:   "A delete in one cache would hit another whose name differs in a character that the backend gives a meaning, or be taken for a tag.",
	needs: needs{counts: true},
	run: func(t *trial) {
		s := t.first.sync("shop")
		for i, cache := range hostileNames {
			f := fenceOnKeys(keys(cache, 7))
			t.first.fence("shop", f)
			fenced := t.first.sync("shop")
			for _, other := range append(hostileNames, "") {
				t.fencedKey(fenced, other == cache, "after Fence of a key of cache "+cache, other, 7)
			}
			now := t.first.clear("shop", f)
			t.deleted(now, s.Number, fmt.Sprintf("after the delete of a key of cache %.40q", cache), f.Keys)
			for _, other := range append(hostileNames, "") {
				if other != cache {
					t.keptKey(s, now, fmt.Sprintf("after the delete of a key of cache %.40q", cache), other, 7)
				}
			}
			if s = now; i%30 == 0 {
				t.settle()
				t.sameDeletes(s, t.open("a new server").sync("shop"), "on a new server", append(hostileNames, ""), []uint64{7})
			}
		}
	},
}, {
	Name:  "delete-tells-the-one-before",
	Why:   "A transaction publishes what it set after its delete if the delete before was before it began: it would publish over another's commit, or never.",
	needs: needs{counts: true},
	run: func(t *trial) {
		second := t.open("the second server")
		last := func(s *backend.State) uint64 {
			n, _ := s.Deletes.Of("a").Last(5)
			return n
		}
		numbers := []uint64{0}
		for i := range 5 {
			server := []*server{t.first, second}[i%2]
			s := server.clear("shop", fenceOnKeys(keys("a", 5, uint64(10+i)), keys("b", 5)))
			numbers = append(numbers, last(s))
			t.settle()
			for _, s := range []*backend.State{s, t.first.sync("shop"), second.sync("shop"), t.open("a new server").sync("shop")} {
				if got, before := s.Deletes.Of("a").Last(5); got != numbers[i+1] || before != numbers[i] {
					t.failf("after delete %d of a key: the last was %d and the one before %d, want %d and %d", i+1, got, before, numbers[i+1], numbers[i])
				}
			}
			// Deletes of other keys are not of this one.
			t.first.clear("shop", fenceOnKeys(keys("a", 6), keys("c", 5), keys("", 5)))
			t.settle()
		}
	},
}, {
	Name:  "delete-can-be-repeated",
	Why:   "A delete is repeated when its answer was lost: it must be done, and a repeat that came to be a new one must not pass for the only one.",
	needs: needs{counts: true},
	run: func(t *trial) {
		f := fenceOnKeys(keys("", 1), keys("a", 1, 2))
		t.first.fence("shop", f)
		s := t.first.clear("shop", f)
		for _, what := range []string{"Clear a second time", "Clear a third time", "Clear after a Fence that came late", "Clear after somebody else's"} {
			switch what {
			case "Clear after a Fence that came late":
				t.first.fence("shop", f)
			case "Clear after somebody else's":
				s = t.first.clear("shop", fenceOnKeys(keys("a", 1)))
			}
			now := t.first.clear("shop", f)
			for _, k := range f.Keys {
				for _, hash := range k.Hashes {
					first, beforeFirst := s.Deletes.Of(k.Cache).Last(hash)
					last, before := now.Deletes.Of(k.Cache).Last(hash)
					if last < first || last > now.Number || last > first && before != first || last == first && before != beforeFirst {
						t.failf("%s: key %d of cache %q was last deleted by %d and before by %d, after %d and %d", what, hash, k.Cache, last, before, first, beforeFirst)
					}
					t.fencedKey(now, false, what, k.Cache, hash)
				}
			}
			s = now
		}
	},
}, {
	Name:  "delete-needs-no-fence",
	Why:   "A delete whose fence was lost, lifted or never placed has to be done all the same: the old value would stay.",
	needs: needs{counts: true},
	run: func(t *trial) {
		s := t.first.sync("shop")
		never, lifted := fenceOnKeys(keys("a", 1)), fenceOnKeys(keys("a", 2), keys("", 1))
		t.first.fence("shop", lifted)
		t.first.unfence("shop", lifted)
		now := t.first.clear("shop", never)
		t.deleted(now, s.Number, "after Clear of a fence that never stood", never.Keys)
		t.keptKey(s, now, "after Clear of another fence", "a", 2)
		t.deleted(t.first.clear("shop", lifted), now.Number, "after Clear of a fence that had been lifted", lifted.Keys)
	},
}, {
	Name:  "delete-that-is-forgotten-raises-the-floor",
	Why:   "A backend remembers some deletes: without a floor where it forgets one, a value from before that delete would come back.",
	needs: needs{counts: true},
	run: func(t *trial) {
		second := t.open("a server that looks at the end only")
		second.sync("shop")
		type key struct {
			cache string
			hash  uint64
		}
		numbers := map[key]uint64{}
		check := func(s *backend.State, when string) {
			for k, want := range numbers {
				switch last, before := s.Deletes.Of(k.cache).Last(k.hash); {
				case last < want:
					t.failf("%s: key %d of cache %q was last deleted by %d and its floor is %d, want %d at least, of its delete", when, k.hash, k.cache, last, s.Deletes.Of(k.cache).Floor(), want)
				case last > s.Number || before > last:
					t.failf("%s: key %d of cache %q was last deleted by %d and before by %d, in a State of Number %d", when, k.hash, k.cache, last, before, s.Number)
				}
			}
		}
		const each = 1000
		next, caches := uint64(0), []string{"busy", "", "quiet"}
		for round := range backend.MaxDeletes/each + 8 {
			busy := keys("busy")
			for range each {
				busy.Hashes = append(busy.Hashes, next)
				next++
			}
			f := fenceOnKeys(busy)
			if round < 3 {
				f = fenceOnKeys(busy, keys(caches[round], math.MaxUint64))
				if caches[round] == "busy" {
					busy.Hashes = append(busy.Hashes, math.MaxUint64)
					f = fenceOnKeys(busy)
				}
			}
			s := t.first.clear("shop", f)
			for _, k := range f.Keys {
				for _, hash := range k.Hashes {
					numbers[key{k.Cache, hash}] = s.Number
					if last, _ := s.Deletes.Of(k.Cache).Last(hash); last <= s.Number && last > 0 {
						numbers[key{k.Cache, hash}] = last
					}
				}
			}
			if round%6 == 0 {
				check(s, "after many deletes")
			}
		}
		t.settle()
		check(t.first.sync("shop"), "after many deletes, on the server that made them")
		check(second.sync("shop"), "after many deletes, on a server that saw none of them")
		check(t.open("a new server").sync("shop"), "after many deletes, on a new server")
		s := t.first.sync("shop")
		t.deleted(t.first.clear("shop", fenceOnKeys(keys("busy", 0))), s.Number, "after one more delete", []backend.Keys{keys("busy", 0)})
	},
}, {
	Name:  "delete-and-clear-at-once",
	Why:   "A commit clears some caches and deletes keys of others: one of the two would be lost; or a clear would take deletes with it that it does not make up for.",
	needs: needs{counts: true},
	run: func(t *trial) {
		before := t.first.clear("shop", fenceOnKeys(keys("", 1), keys("a", 1), keys("b", 1)))
		f := fenceOn(before, "a", "c")
		f.Keys = fenceOnKeys(keys("b", 2), keys("", 2)).Keys
		t.first.fence("shop", f)
		fenced := t.first.sync("shop")
		t.fenced(fenced, true, "after Fence of caches and keys", "a", "c")
		t.fenced(fenced, false, "after Fence of caches and keys", "b", "")
		t.fencedKey(fenced, true, "after Fence of caches and keys", "b", 2)
		t.fencedKey(fenced, true, "after Fence of caches and keys", "", 2)
		now := t.first.clear("shop", f)
		t.at(now, true, "after Clear of caches and keys", "a", f.ID)
		t.at(now, true, "after Clear of caches and keys", "c", f.ID)
		t.kept(before, now, "after Clear of caches and keys", "b")
		t.deleted(now, before.Number, "after Clear of caches and keys", f.Keys)
		// Values of b, and of every cache that bear the tag, go on.
		t.keptKey(before, now, "after Clear of other caches", "b", 1)
		t.keptKey(before, now, "after Clear of caches", "", 1)
		again := t.first.clear("shop", fenceOnKeys(keys("a", 1)))
		t.deleted(again, now.Number, "after a delete in a cache that was cleared", []backend.Keys{keys("a", 1)})

		all := t.first.clear("shop", fenceOnAll(again))
		t.moved(again, all, "after Clear of all", "a", "b", "c", "never seen")
		for _, cache := range []string{"", "a", "b"} {
			if last, _ := all.Deletes.Of(cache).Last(1); last > all.Number {
				t.failf("after Clear of all: a key of cache %q was last deleted by %d, in a State of Number %d", cache, last, all.Number)
			}
		}
		f = fenceOnKeys(keys("", 1), keys("a", 1), keys("never seen", 1))
		last := t.first.clear("shop", f)
		t.deleted(last, all.Number, "after deletes that follow a Clear of all", f.Keys)
		t.kept(all, last, "after deletes that follow a Clear of all", "a", "b", "c", "never seen")
	},
}, {
	Name:  "clear-raises-the-floor-to-the-last-delete",
	Why:   "A transaction that began before a delete of others clears the cache, and publishes what it read before that: it must learn that a key was deleted since.",
	needs: needs{counts: true},
	run: func(t *trial) {
		began := t.first.clear("shop", fenceOnKeys(keys("quiet", 1)))
		t.first.clear("shop", fenceOnKeys(keys("", 1), keys("a", 1), keys("b", 1)))
		learns := func(s *backend.State, after, cache string) {
			if last, _ := s.Deletes.Of(cache).Last(1); last <= began.Number || last > s.Number {
				t.failf("after %s: the last delete of a key of cache %q is %d, want one after %d and up to %d", after, cache, last, began.Number, s.Number)
			}
		}
		learns(t.first.clear("shop", fenceOn(began, "a")), "Clear of the cache", "a")
		all := t.first.clear("shop", fenceOnAll(began))
		for _, cache := range []string{"", "a", "b"} {
			learns(all, "Clear of all", cache)
		}
		t.settle()
		for _, cache := range []string{"", "a", "b"} {
			learns(t.open("a new server").sync("shop"), "Clear of all, on a new server", cache)
		}
		if last, _ := all.Deletes.Of("quiet").Last(1); last > began.Number {
			t.failf("after Clear of all: the last delete of a key of a quiet cache is %d, want %d or less", last, began.Number)
		}
	},
}, {
	Name:  "delete-goes-with-its-database",
	Why:   "A database that is made anew would have dead keys that nobody deleted, or fences on them; the numbers of the one before mean nothing in it.",
	needs: needs{counts: true},
	run: func(t *trial) {
		second := t.open("the second server")
		all := []backend.Keys{keys("", 1), keys("a", 1, 2)}
		for range 20 {
			t.first.clear("shop", fenceOnKeys(all...))
		}
		t.settle()
		second.sync("shop")
		t.first.fence("shop", fenceOnKeys(keys("", 3), keys("a", 3)))
		before := t.first.sync("shop")
		t.first.drop("shop")
		t.settle()
		for _, s := range []*server{t.first, second} {
			now := s.sync("shop")
			if now.Epoch == before.Epoch {
				t.failf("Sync on %s after Drop has the Epoch from before", s.name)
			}
			for _, cache := range []string{"", "a"} {
				for hash := range uint64(4) {
					if last, _ := now.Deletes.Of(cache).Last(hash); last != 0 {
						t.failf("after Drop, on %s: key %d of cache %q was deleted by %d, want it forgotten", s.name, hash, cache, last)
					}
					t.fencedKey(now, false, "after Drop", cache, hash)
				}
			}
			f := fenceOnKeys(all...)
			s.fence("shop", f)
			t.fencedKey(s.sync("shop"), true, "after Drop and Fence", "a", 1)
			t.deleted(s.clear("shop", f), now.Number, "after Drop, and a delete", f.Keys)
			s.drop("shop")
			t.settle()
		}
	},
}, {
	Name:  "restart-keeps-deletes-or-begins-an-epoch",
	Why:   "An authority that goes on after a restart with the generations of before, and without their deletes or with lower numbers, brings deleted values back.",
	needs: needs{counts: true, restart: true},
	run: func(t *trial) {
		second := t.open("the second server")
		deletes := []backend.Keys{keys("", 1), keys("a", 1, 2)}
		var before *backend.State
		for range 5 {
			before = t.first.clear("shop", fenceOnKeys(deletes...))
		}
		t.settle()
		second.sync("shop")
		for life := range 2 {
			t.Restart()
			t.settle()
			var states []*backend.State
			for _, s := range []*server{t.first, second, t.open("a server that is new")} {
				now := s.sync("shop")
				if now.Epoch == before.Epoch {
					if now.Number < before.Number {
						t.failf("after restart %d: the Number on %s is %d after %d, in the same Epoch", life+1, s.name, now.Number, before.Number)
					}
					t.sameDeletes(before, now, "after a restart that keeps the Epoch", []string{"", "a"}, []uint64{1, 2, 3})
				}
				states = append(states, now)
			}
			for _, s := range states[1:] {
				if s.Epoch != states[0].Epoch || s.Number != states[0].Number {
					t.failf("after restart %d: servers have the Numbers %d and %d, of the Epochs %q and %q; want the same", life+1, states[0].Number, s.Number, states[0].Epoch, s.Epoch)
				}
				t.sameDeletes(states[0], s, "after a restart, on two servers", []string{"", "a"}, []uint64{1, 2, 3})
			}
			writer := []*server{second, t.first}[life]
			before = writer.clear("shop", fenceOnKeys(deletes...))
			t.deleted(before, states[0].Number, "after a restart, and a delete", deletes)
			t.settle()
			t.deleted(t.first.sync("shop"), states[0].Number, "after a restart, and a delete by another server", deletes)
		}
	},
}}
