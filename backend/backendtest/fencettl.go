package backendtest

import "github.com/seed-dad15c92/txcache/backend"

var leaseRules = []Rule{{
	Name:  "lease-ends-as-a-clear",
	Why:   "The owner of a fence that lapsed may have committed before it died: the cache would stay bypassed for ever, or be stale for ever.",
	needs: needs{lapse: true},
	run: func(t *trial) {
		second := t.open("the second server")
		start := t.first.clear("shop", fenceOn(t.first.sync("shop"), "b"))
		named, all := t.leased(fenceOn(start, "a", "b")), t.leased(fenceOnAll(start, "a"))
		for _, f := range []backend.Fence{named, all} {
			database := "shop"
			if f.All {
				database = "all"
			}
			s := t.first.sync(database)
			f.Caches = fenceOn(s, "a", "b").Caches
			t.first.fence(database, f)
			t.Advance(t.Lease / 2)
			now := t.first.sync(database)
			t.fenced(now, true, "with half of the lease to go", "a", "b")
			t.kept(s, now, "with half of the lease to go", "a", "b")

			t.lapse()
			now = t.first.sync(database)
			t.fenced(now, false, "after the lease has ended", "a", "b", "c")
			t.moved(s, now, "after the lease has ended", "a", "b")
			if f.All {
				t.moved(s, now, "after the lease of a fence on all has ended", "c", "never seen")
			} else {
				t.kept(s, now, "after the lease of a fence on others has ended", "c")
			}
			t.kept(now, second.sync(database), "on the second server, after the lease has ended", "a", "b", "c")
			t.lapse()
			t.kept(now, t.first.sync(database), "long after the lease has ended", "a", "b", "c")
		}
	},
}, {
	Name:  "lease-ends-without-the-fence-id",
	Why:   "Others may fill the generation that a lapse started while the owner is still committing: under the ID of its fence the owner would take it for its own clear.",
	needs: needs{lapse: true},
	run: func(t *trial) {
		s := t.first.sync("shop")
		f := t.leased(fenceOn(s, "a"))
		t.first.fence("shop", f)
		t.lapse()
		lapsed := t.first.sync("shop")
		t.at(lapsed, false, "after the lease has ended", "a", f.ID)
		now := t.first.clear("shop", f)
		t.moved(lapsed, now, "after Clear by an owner that comes late", "a")
		t.at(now, false, "after Clear by an owner that comes late", "a", f.ID)
	},
}, {
	Name:  "lease-is-renewed",
	Why:   "A commit that takes longer than the lease would expose the cache while it is still running.",
	needs: needs{lapse: true},
	run: func(t *trial) {
		s := t.first.sync("shop")
		f := t.leased(fenceOn(s, "a"))
		t.first.fence("shop", f)
		for range 4 {
			t.Advance(t.Lease * 3 / 4)
			now := t.first.sync("shop")
			t.fenced(now, true, "with a lease that is renewed in time", "a")
			t.kept(s, now, "with a lease that is renewed in time", "a")
			t.first.fence("shop", f)
		}
		now := t.first.clear("shop", f)
		t.at(now, true, "after Clear of a fence that was renewed in time", "a", f.ID)
	},
}, {
	Name:  "lease-ends-for-one-of-several",
	Why:   "A fence that lapses counts as cleared, even while another transaction is committing: the value from before its owner's commit would come back when the other fence is removed; or the other commit would be exposed.",
	needs: needs{lapse: true},
	run: func(t *trial) {
		s := t.first.sync("shop")
		dead, alive := t.leased(fenceOn(s, "a")), fenceOn(s, "a")
		t.first.fence("shop", dead)
		t.first.fence("shop", alive)
		t.lapse()
		t.fenced(t.first.sync("shop"), true, "after one of two leases has ended", "a")
		t.first.unfence("shop", alive)
		now := t.first.sync("shop")
		t.fenced(now, false, "after one of two leases has ended and the other fence was lifted", "a")
		t.moved(s, now, "after one of two leases has ended and the other fence was lifted", "a")
	},
}, {
	Name:  "lease-ends-with-the-fence",
	Why:   "A fence that was lifted in time is gone: caches would be cleared a second time, a lease later, without any reason.",
	needs: needs{lapse: true},
	run: func(t *trial) {
		s := t.first.sync("shop")
		lifted, cleared := t.leased(fenceOn(s, "a")), t.leased(fenceOn(s, "b"))
		t.first.fence("shop", lifted)
		t.first.fence("shop", cleared)
		t.first.unfence("shop", lifted)
		before := t.first.clear("shop", cleared)
		t.first.fence("dropped", t.leased(fenceOn(t.first.sync("dropped"), "a")))
		t.first.drop("dropped")
		dropped := t.first.sync("dropped")
		t.lapse()
		now := t.first.sync("shop")
		t.kept(before, now, "a lease after the fences were lifted", "a", "b")
		t.kept(dropped, t.first.sync("dropped"), "a lease after the database was dropped", "a")
		t.first.unfence("shop", lifted)
		t.kept(now, t.first.sync("shop"), "after Unfence, long after", "a")
	},
}, {
	Name:  "lease-may-end-before-unfence",
	Why:   "Others have begun with the generation that the lapse started: going back to the old one would be a token used again.",
	needs: needs{lapse: true},
	run: func(t *trial) {
		s := t.first.sync("shop")
		f := t.leased(fenceOn(s, "a"))
		t.first.fence("shop", f)
		t.lapse()
		lapsed := t.first.sync("shop")
		t.first.unfence("shop", f)
		t.kept(lapsed, t.first.sync("shop"), "after Unfence of a fence that has lapsed", "a")
		f = t.leased(fenceOn(lapsed, "a"))
		t.first.fence("shop", f)
		now := t.first.sync("shop")
		t.fenced(now, true, "after Fence in a database where one has lapsed", "a")
		t.at(t.first.clear("shop", f), true, "after Clear in a database where a fence has lapsed", "a", f.ID)
	},
}}

// leased returns f with the lease of the rules on lapse.
func (t *trial) leased(f backend.Fence) backend.Fence {
	f.Lease = t.Lease
	return f
}

// lapse lets every leased fence lapse, and all servers learn of it.
func (t *trial) lapse() {
	t.Advance(t.Lease + t.Lease/4)
	t.settle()
}
