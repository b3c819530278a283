package backendtest

import "github.com/seed-dad15c92/txcache/backend"

var dropRules = []Rule{{
	Name: "drop-begins-an-epoch",
	Why:  "A database that is created anew under the name of a dropped one would be served the old one's values, or its fences.",
	run: func(t *trial) {
		t.first.drop("never seen")
		s := t.first.clear("shop", fenceOn(t.first.sync("shop"), "a"))
		t.first.fence("shop", fenceOn(s, "a"))
		s = t.first.clear("shop", fenceOn(s, "b"))
		t.first.fence("shop", fenceOnAll(s))
		for _, when := range []string{"after Drop", "after Drop once more", "after a third Drop"} {
			t.first.drop("shop")
			now := t.first.sync("shop")
			if now.Epoch == s.Epoch {
				t.failf("%s: the Epoch is that from before", when)
			}
			t.moved(s, now, when, "a", "b", "never seen")
			t.fenced(now, false, when, "a", "b", "never seen")
			s = now
		}
	},
}, {
	Name: "drop-leaves-the-name-usable",
	Why:  "A database is restored under the same name: its fences would not stand, or its clears not be recognised.",
	run: func(t *trial) {
		t.first.clear("shop", fenceOn(t.first.sync("shop"), "a"))
		t.first.drop("shop")
		s := t.first.sync("shop")
		f := fenceOn(s, "a")
		t.first.fence("shop", f)
		t.fenced(t.first.sync("shop"), true, "after Drop and Fence", "a")
		now := t.first.clear("shop", f)
		t.at(now, true, "after Drop, Fence and Clear", "a", f.ID)
		t.kept(s, now, "after Drop, and Clear of another cache", "b")

		t.first.drop("shop")
		f = backend.Fence{ID: backend.NewToken(), Lease: standing, Caches: []backend.Generation{{Cache: "a"}}}
		t.first.fence("shop", f)
		t.fenced(t.first.sync("shop"), true, "after Fence as the first call after Drop", "a")
		t.first.drop("shop")
		t.fenced(t.first.clear("shop", f), false, "after Clear as the first call after Drop", "a")
	},
}, {
	Name: "drop-takes-the-fences",
	Why:  "A transaction that was open when its database was dropped would publish values of the old database into the new one.",
	run: func(t *trial) {
		f := fenceOn(t.first.sync("shop"), "a")
		t.first.fence("shop", f)
		t.first.drop("shop")
		now := t.first.clear("shop", f)
		t.at(now, false, "after Fence, Drop and Clear", "a", f.ID)
		t.first.fence("shop", f)
		again := t.first.clear("shop", f)
		t.moved(now, again, "after Drop, and Fence and Clear with a generation from before it", "a")
		t.at(again, false, "after Drop, and Fence and Clear with a generation from before it", "a", f.ID)
		t.first.unfence("shop", f)
	},
}, {
	Name: "drop-leaves-the-neighbours",
	Why:  "Dropping one tenant's database would take the caches of the others, or the fences on them.",
	run: func(t *trial) {
		neighbours := []string{"shop2", "sho", "shop:a", "shop*", "a"}
		before := map[string]*backend.State{}
		for _, database := range neighbours {
			s := t.first.clear(database, fenceOn(t.first.sync(database), "a"))
			t.first.fence(database, fenceOn(s, "b"))
			before[database] = t.first.sync(database)
		}
		t.first.fence("shop", fenceOn(t.first.sync("shop"), "a"))
		t.first.drop("shop")
		t.first.sync("shop")
		for _, database := range neighbours {
			if t.first.sync(database) != before[database] {
				t.failf("Sync of %q returned another State after Drop of %q", database, "shop")
			}
		}
	},
}}
