package backendtest

import (
	"fmt"

	"github.com/seed-dad15c92/txcache/backend"
)

var syncRules = []Rule{{
	Name: "sync-knows-every-database",
	Why:  "A database needs no creation: a transaction on one that was never seen would fail, or share nothing with other servers.",
	run: func(t *trial) {
		second := t.open("the second server")
		states := make([]*backend.State, 8)
		t.together(len(states), func(i int) {
			states[i] = []*server{t.first, second}[i%2].sync("new")
		})
		for _, s := range states {
			if s.Epoch == "" || s.Base == "" {
				t.failf("Sync of a new database has the Epoch %q and the Base %q, want tokens", s.Epoch, s.Base)
			}
			if len(s.Caches) != 0 {
				t.failf("Sync of a new database lists %d caches as cleared, want none", len(s.Caches))
			}
			t.fenced(s, false, "in a new database", "a", "")
			if s.Epoch != states[0].Epoch || s.Base != states[0].Base {
				t.failf("two Syncs that met a new database at once made two epochs of it: %q and %q", states[0].Epoch, s.Epoch)
			}
		}
	},
}, {
	Name: "sync-keeps-the-pointer",
	Why:  "A transaction compares pointers to learn that nothing has changed: every read of every open transaction would take the slow path.",
	run: func(t *trial) {
		s := t.first.sync("shop")
		same := func(when string, want *backend.State) {
			if got := t.first.sync("shop"); got != want {
				t.failf("Sync %s returned another State, though nothing has changed", when)
			}
		}
		same("after Sync", s)
		other := t.first.sync("other")
		t.first.clear("other", fenceOn(other, "a"))
		same("after a clear in another database", s)
		t.first.unfence("shop", fenceOn(s, "a"))
		same("after Unfence of a fence that never stood", s)
		f := fenceOn(s, "a")
		t.first.fence("shop", f)
		same("after Fence and Sync", t.first.sync("shop"))
		same("after Clear", t.first.clear("shop", f))
	},
}, {
	Name: "sync-keeps-the-pointer-on-renewal",
	Why:  "A fence is renewed for as long as a commit runs: every renewal would put all transactions of the database on the slow path, though nothing that they see has changed.",
	run: func(t *trial) {
		f := fenceOn(t.first.sync("shop"), "a")
		t.first.fence("shop", f)
		s := t.first.sync("shop")
		for range 3 {
			t.first.fence("shop", f)
		}
		if now := t.first.sync("shop"); now != s {
			t.failf("Sync after Fence was repeated returned another State, of version %d after %d", now.Version, s.Version)
		}
	},
}, {
	Name: "sync-orders-versions",
	Why:  "A process keeps the State with the highest Version: it would go back to an older one and read values that were cleared.",
	run: func(t *trial) {
		last := t.first.sync("shop")
		next := func(when string, s *backend.State) {
			if s.Version <= last.Version {
				t.failf("%s: Version %d follows %d, want a higher one", when, s.Version, last.Version)
			}
			last = s
		}
		for i := range 3 {
			f := fenceOn(last, "a", fmt.Sprint(i))
			t.first.fence("shop", f)
			next("Fence", t.first.sync("shop"))
			next("Clear", t.first.clear("shop", f))
			f = fenceOnAll(last)
			t.first.fence("shop", f)
			next("Fence of all", t.first.sync("shop"))
			t.first.unfence("shop", f)
			next("Unfence", t.first.sync("shop"))
			next("Clear of all", t.first.clear("shop", fenceOnAll(last)))
			t.first.drop("shop")
			next("Drop", t.first.sync("shop"))
		}
	},
}, {
	Name: "sync-sees-its-own-changes",
	Why:  "A transaction that begins after a commit of its own process returned would read values older than that commit.",
	run:  func(t *trial) { seesChanges(t, t.first, t.first, func() {}) },
}, {
	Name: "sync-sees-changes-of-others",
	Why:  "A transaction that begins after a commit on another server returned would read values older than that commit.",
	run: func(t *trial) {
		second := t.open("the second server")
		seesChanges(t, t.first, second, t.settle)
		seesChanges(t, second, t.first, t.settle)
	},
}}

// seesChanges makes every kind of change on one server and looks for it on another.
func seesChanges(t *trial, writer, reader *server, settle func()) {
	look := func() *backend.State {
		settle()
		return reader.sync("shop")
	}
	start := look()
	f := fenceOn(start, "a")
	writer.fence("shop", f)
	t.fenced(look(), true, "Sync after Fence", "a")
	cleared := writer.clear("shop", f)
	now := look()
	t.fenced(now, false, "Sync after Clear", "a")
	t.moved(start, now, "Sync after Clear", "a")
	t.kept(cleared, now, "Sync compared with the State that Clear returned", "a", "b")

	f = fenceOn(now, "b")
	writer.fence("shop", f)
	t.fenced(look(), true, "Sync after a second Fence", "b")
	writer.unfence("shop", f)
	t.fenced(look(), false, "Sync after Unfence", "b")

	writer.clear("shop", fenceOnAll(now))
	all := look()
	t.moved(now, all, "Sync after Clear of all", "a", "b")
	if all.Epoch != now.Epoch {
		t.failf("Sync after Clear of all has another Epoch, want it kept until Drop")
	}
	writer.drop("shop")
	dropped := look()
	if dropped.Epoch == all.Epoch {
		t.failf("Sync after Drop has the Epoch from before")
	}
	t.moved(all, dropped, "Sync after Drop", "a", "b")
}
