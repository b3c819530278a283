package backendtest

import "github.com/seed-dad15c92/txcache/backend"

var clearRules = []Rule{{
	Name: "clear-starts-generations",
	Why:  "A value from before the commit would still be found after it; or caches that nobody cleared would be lost.",
	run: func(t *trial) {
		s := t.first.sync("shop")
		for range 3 {
			f := fenceOn(s, "a", "b")
			t.first.fence("shop", f)
			now := t.first.clear("shop", f)
			t.moved(s, now, "after Clear", "a", "b")
			t.kept(s, now, "after Clear of others", "c", "aa", "")
			t.fenced(now, false, "after Clear", "a", "b")
			if now.Epoch != s.Epoch {
				t.failf("Clear began another Epoch, which only Drop and losses do")
			}
			s = now
		}
	},
}, {
	Name: "clear-takes-the-fence-id",
	Why:  "A transaction publishes what it set after its clear under the ID of its fence: nobody would find it.",
	run: func(t *trial) {
		s := t.first.sync("shop")
		for _, when := range []string{"at the Base", "at a generation of its own"} {
			f := fenceOn(s, "a", "b")
			t.first.fence("shop", f)
			s = t.first.clear("shop", f)
			t.at(s, true, "after Clear of a cache "+when, "a", f.ID)
			t.at(s, true, "after Clear of a cache "+when, "b", f.ID)
		}
	},
}, {
	Name: "clear-needs-no-fence",
	Why:  "A clear whose fence was lost, lifted or never placed has to clear all the same; but others may have read and filled meanwhile, so not under the ID of the fence.",
	run: func(t *trial) {
		s := t.first.sync("shop")
		never, lifted := fenceOn(s, "a"), fenceOn(s, "b")
		t.first.fence("shop", lifted)
		t.first.unfence("shop", lifted)
		t.first.clear("shop", never)
		now := t.first.clear("shop", lifted)
		t.moved(s, now, "after Clear without a fence", "a", "b")
		t.at(now, false, "after Clear of a fence that never stood", "a", never.ID)
		t.at(now, false, "after Clear of a fence that had been lifted", "b", lifted.ID)
	},
}, {
	Name: "clear-gives-way-to-an-earlier-one",
	Why:  "What a transaction set after its clear is older than the clear of another that came between: published under the ID of its fence, it would be read as fresh.",
	run: func(t *trial) {
		s := t.first.sync("shop")
		late, early := fenceOn(s, "a", "b"), fenceOn(s, "a")
		t.first.fence("shop", late)
		t.first.fence("shop", early)
		between := t.first.clear("shop", early)
		t.at(between, true, "after the clear that came first", "a", early.ID)
		now := t.first.clear("shop", late)
		t.moved(between, now, "after the clear that came second", "a", "b")
		t.at(now, false, "after a clear that another overtook", "a", late.ID)
		t.at(now, true, "after a clear that another overtook, in a cache that nobody else cleared", "b", late.ID)

		late = fenceOn(now, "a", "c")
		t.first.fence("shop", late)
		all := t.first.clear("shop", fenceOnAll(now))
		now = t.first.clear("shop", late)
		t.moved(all, now, "after a clear that another of all overtook", "a", "c")
		for _, cache := range []string{"a", "c"} {
			t.at(now, false, "after a clear that another of all overtook", cache, late.ID)
		}

		blind := fenceOn(now, "a")
		blind.Caches[0].Token = ""
		t.first.fence("shop", blind)
		blinded := t.first.clear("shop", blind)
		t.moved(now, blinded, "after the clear of a transaction that knew no generation", "a")
		t.at(blinded, false, "after the clear of a transaction that knew no generation", "a", blind.ID)
	},
}, {
	Name: "clear-can-be-repeated",
	Why:  "A clear is repeated when its answer was lost: a repeat that brought its ID back would revive what was filled before somebody else's clear.",
	run: func(t *trial) {
		f := fenceOn(t.first.sync("shop"), "a")
		t.first.fence("shop", f)
		last := t.first.clear("shop", f)
		again := func(when string) {
			now := t.first.clear("shop", f)
			t.moved(last, now, when, "a")
			t.at(now, false, when, "a", f.ID)
			t.fenced(now, false, when, "a")
			last = now
		}
		again("Clear a second time")
		again("Clear a third time")
		last = t.first.clear("shop", fenceOn(last, "a"))
		again("Clear again, after somebody else's")
		t.first.fence("shop", f)
		t.fenced(t.first.sync("shop"), true, "after Fence that came late", "a")
		again("Clear again, after a Fence that came late")
	},
}, {
	Name: "clear-of-all",
	Why:  "A value of some cache from before the commit would still be found after it.",
	run: func(t *trial) {
		s := t.first.clear("shop", fenceOn(t.first.sync("shop"), "a", "b", "c"))
		f := fenceOnAll(s, "a", "d")
		t.first.fence("shop", f)
		overtaken := fenceOn(s, "b")
		overtaking := t.first.clear("shop", overtaken)
		now := t.first.clear("shop", f)
		t.moved(overtaking, now, "after Clear of all", "a", "b", "c", "d", "never seen")
		t.fenced(now, false, "after Clear of all", "a", "b", "never seen")
		if now.Base == s.Base {
			t.failf("Clear of all left the Base as it was")
		}
		t.at(now, true, "after Clear of all that names the cache", "a", f.ID)
		t.at(now, true, "after Clear of all that names the cache", "d", f.ID)
		for _, cache := range []string{"b", "c", "never seen"} {
			t.at(now, true, "after Clear of all that does not name the cache", cache, now.Base)
		}

		for _, f := range []backend.Fence{f, f, fenceOnAll(now)} {
			again := t.first.clear("shop", f)
			t.moved(now, again, "after Clear of all once more", "a", "b", "never seen")
			t.at(again, false, "after Clear of all once more", "a", f.ID)
			now = again
		}
		later := t.first.clear("shop", fenceOn(now, "b"))
		t.moved(now, later, "after Clear of one cache after one of all", "b")
		t.kept(now, later, "after Clear of one cache after one of all", "a", "c", "never seen")
	},
}, {
	Name: "clear-lifts-its-own-fence-only",
	Why:  "A transaction that ends would expose what another one is committing.",
	run: func(t *trial) {
		s := t.first.sync("shop")
		mine, yours, all := fenceOn(s, "a"), fenceOn(s, "a", "b"), fenceOnAll(s)
		t.first.fence("shop", mine)
		t.first.fence("shop", yours)
		now := t.first.clear("shop", mine)
		t.fenced(now, true, "after Clear by one of two", "a", "b")
		now = t.first.clear("shop", fenceOnAll(now))
		t.fenced(now, true, "after Clear of all by another", "a", "b")
		t.fenced(now, false, "after Clear of all by another", "c")
		t.first.fence("shop", all)
		now = t.first.clear("shop", yours)
		t.fenced(now, true, "after Clear by one of two, the other on all", "a", "b", "c")
		t.fenced(t.first.clear("shop", all), false, "after all were cleared", "a", "b", "c")
	},
}}
