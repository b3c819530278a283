package backendtest

import "github.com/seed-dad15c92/txcache/backend"

var forgetRules = []Rule{{
	Name:  "forget-takes-nothing-from-others",
	Why:   "A database whose tenant was away for a while would show values of before a clear, or those that a commit under way changes.",
	needs: needs{forgets: true},
	run: func(t *trial) {
		forget := t.first.Backend.(backend.Forgetter).Forget
		forget("never seen")
		other := t.open("another server")
		before := other.clear("shop", fenceOn(other.sync("shop"), "a"))
		neighbour := t.first.sync("neighbour")
		t.first.clear("shop", fenceOn(t.first.sync("shop"), "b"))
		forget("shop")
		now := t.first.sync("shop")
		t.moved(before, now, "after Clear and Forget", "b")
		if now.Token("a") != before.Token("a") {
			t.moved(before, now, "after Forget", "a", "b", "never seen")
		}
		if t.first.sync("neighbour") != neighbour {
			t.failf("Sync of a neighbour returned another State after Forget")
		}

		f := fenceOn(now, "a")
		t.first.fence("shop", f)
		forget("shop")
		t.fenced(t.first.sync("shop"), true, "after Fence and Forget", "a")
		t.settle()
		t.fenced(other.sync("shop"), true, "after Fence, and Forget by another", "a")
		cleared := t.first.clear("shop", f)
		t.fenced(cleared, false, "after Fence, Forget and Clear", "a")
		t.moved(now, cleared, "after Fence, Forget and Clear", "a")
		other.clear("shop", fenceOn(cleared, "c"))
		forget("shop")
		t.settle()
		t.moved(cleared, t.first.sync("shop"), "after Clear by another, and Forget", "c")
	},
}}
