package backendtest

import (
	"context"
	"fmt"

	"github.com/seed-dad15c92/txcache/backend"
)

var recordRules = []EnlisterRule{{
	Name: "record-is-invisible-until-the-commit",
	Why:  "Others would fill the new generation with what was there before the commit.",
	run: func(t *enlisterTrial) {
		before := t.first.sync("shop")
		w := t.begin(oneSnapshot, false)
		f := fenceOn(t.first.state(w, "shop"), "a")
		f.Keys = []backend.Keys{keys("b", 1)}
		t.first.record(w, "shop", before, f)
		t.same(t.first.seen("shop"), before, "before the commit", []string{"a", "b"}, 1)
		t.same(t.first.sync("shop"), before, "Sync before the commit", []string{"a", "b"}, 1)
		w.commit()
		now := t.first.seen("shop")
		t.newToken(now, "after the commit", "a", before)
		t.key(now, "after the commit", "b", 1, f.ID.Number())
	},
}, {
	Name: "rollback-leaves-nothing",
	Why:  "Transactions that fail would clear the caches of all others.",
	run: func(t *enlisterTrial) {
		before := t.first.sync("shop")
		w := t.begin(oneSnapshot, false)
		f := fenceOnAll(t.first.state(w, "shop"), "a")
		f.Keys = []backend.Keys{keys("", 1)}
		t.first.record(w, "shop", before, f)
		t.first.state(w, "shop") // it may show the record
		w.rollback()
		t.same(t.first.seen("shop"), before, "after a rollback", []string{"a", "b"}, 1)
		t.same(t.first.sync("shop"), before, "Sync after a rollback", []string{"a", "b"}, 1)
	},
}, {
	Name: "record-names-the-generations",
	Why:  "What a transaction publishes with its commit would never be a hit, or be one although another transaction has cleared the cache meanwhile.",
	run: func(t *enlisterTrial) {
		t.first.sync("shop")
		for _, all := range []bool{false, true} {
			f := fenceOn(t.first.seen("shop"), "a", "c")
			f.All = all
			from, generations := t.first.commits("shop", f)
			now := t.first.seen("shop")
			for _, g := range generations {
				t.token(now, fmt.Sprintf("after a clear, of all: %t", all), g.Cache, g.Token)
				t.newToken(now, "after a clear", g.Cache, from)
			}
			if all {
				t.newToken(now, "after a clear of all", "b", from)
			} else {
				t.token(now, "after a clear of other caches", "b", from.Token("b"))
			}
		}
		before := t.first.seen("shop")
		w := t.begin(oneSnapshot, false)
		from := t.first.state(w, "shop")
		if !t.OneWriter {
			t.first.commits("shop", fenceOn(before, "a"))
		}
		mine := t.first.record(w, "shop", from, fenceOn(from, "a", "b"))
		w.commit()
		now := t.first.seen("shop")
		if !t.OneWriter && now.Token("a") == mine[0].Token {
			t.failf("cache a is at the generation of one transaction, though another one has cleared it too")
		}
		t.token(now, "after a commit beside one that cleared another cache", "b", mine[1].Token)
	},
}, {
	Name: "a-private-state-starts-no-generation",
	Why:  "What a transaction publishes that began without an epoch would be a hit again after records are lost.",
	run: func(t *enlisterTrial) {
		if t.Lose == nil {
			t.failf("%w: the records cannot be lost", ErrSkipped)
		}
		from := t.first.seen("shop")
		if !from.AllFenced {
			t.failf("%w: a fresh database has an epoch", ErrSkipped)
		}
		t.within("Lose", func(ctx context.Context) error { return t.Lose(ctx, "shop") }) // the epoch that it may have begun
		w := t.begin(oneSnapshot, false)
		generations := t.first.record(w, "shop", from, fenceOnAll(from, "a"))
		w.commit()
		for _, now := range []*backend.State{t.first.seen("shop"), t.first.sync("shop")} {
			if !now.AllFenced && now.Token("a") == generations[0].Token {
				t.failf("the generation that Record returned for a private state is seen after its commit")
			}
		}
	},
}, {
	Name: "writers-do-not-conflict",
	Why:  "Transactions that change different rows would wait for each other, or fail, because of the cache.",
	run: func(t *enlisterTrial) {
		if t.OneWriter {
			t.failf("%w: only one can be open", ErrSkipped)
		}
		before := t.first.sync("shop")
		second := t.open("the second process")
		var open []*enlistedTx
		for i := range 4 {
			p := []*process{t.first, second}[i%2]
			w := t.begin(oneSnapshot, false)
			s := p.state(w, "shop")
			f := fenceOn(s, "a")
			f.Keys = []backend.Keys{keys("b", 1)}
			p.record(w, "shop", s, f)
			open = append(open, w)
		}
		seen := []*backend.State{before}
		for _, w := range open {
			w.commit()
			now := t.first.seen("shop")
			t.newToken(now, "after one of several commits", "a", seen...)
			seen = append(seen, now)
		}
	},
}, {
	Name: "clear-without-a-transaction",
	Why:  "An operator's clear would not be seen, or not by all.",
	run: func(t *enlisterTrial) {
		second := t.open("the second process")
		before := second.sync("shop")
		f := fenceOn(before, "a")
		f.Keys = []backend.Keys{keys("b", 1)}
		now := t.first.clear("shop", f)
		t.newToken(now, "what Clear returned", "a", before)
		t.key(now, "what Clear returned", "b", 1, f.ID.Number())
		t.same(second.seen("shop"), now, "after Clear by another process", []string{"a", "b"}, 1)
		again := t.first.clear("shop", fenceOnAll(now))
		t.newToken(again, "after Clear of all", "a", now, before)
		t.newToken(again, "after Clear of all", "b", now)
	},
}, {
	Name: "fences-change-nothing",
	Why:  "Caches would be fenced that no transaction changes.",
	run: func(t *enlisterTrial) {
		s := t.first.sync("shop")
		f := fenceOnAll(s, "a")
		t.within("Fence", func(ctx context.Context) error { return t.first.Fence(ctx, "shop", f) })
		if now := t.first.seen("shop"); now != s {
			t.failf("State returned another pointer after Fence")
		}
		t.within("Unfence", func(ctx context.Context) error { return t.first.Unfence(ctx, "shop", f) })
		if now := t.first.seen("shop"); now != s {
			t.failf("State returned another pointer after Unfence")
		}
	},
}}

var enlistedDeleteRules = []EnlisterRule{{
	Name: "sums-are-of-all-deletes",
	Why:  "A value of a deleted key would be a hit, or values of other keys would be lost.",
	run: func(t *enlisterTrial) {
		before := t.first.sync("shop")
		const high = 0xfedcba9876543210
		one := fenceOnKeys(keys("a", 1, 2, high), keys("", 1))
		t.first.commits("shop", one)
		now := t.first.seen("shop")
		for _, hash := range []uint64{1, 2, high} {
			t.key(now, "after a delete", "a", hash, one.ID.Number())
		}
		t.key(now, "after a delete of other keys", "a", 3, 0)
		t.key(now, "after a delete in another cache", "b", 1, 0)
		t.key(now, "after a clear of a tag", "", 1, one.ID.Number())
		for _, cache := range []string{"a", "b"} {
			t.token(now, "after deletes", cache, before.Token(cache))
		}
		two := fenceOnKeys(keys("a", 2, 4))
		t.first.commits("shop", two)
		now = t.first.seen("shop")
		t.key(now, "after two deletes", "a", 2, (one.ID.Number()+two.ID.Number())&(1<<62-1))
		t.key(now, "after another key was deleted", "a", 1, one.ID.Number())
		t.key(now, "after one delete", "a", 4, two.ID.Number())

		three := fenceOnAll(now, "a")
		three.Keys = []backend.Keys{keys("a", 1)}
		t.first.commits("shop", three)
		all := t.first.seen("shop")
		t.key(all, "after a delete with a clear of all", "a", 1, (one.ID.Number()+three.ID.Number())&(1<<62-1))
	},
}, {
	Name: "sums-are-exact",
	Why:  "Two states that show different deletes could have the same sum, as floating-point numbers lose bits: a deleted value would be a hit.",
	run: func(t *enlisterTrial) {
		t.first.sync("shop")
		second := t.open("the second process")
		want := uint64(0)
		for range 40 {
			f := fenceOnKeys(keys("a", 7))
			t.first.commits("shop", f)
			want = (want + f.ID.Number()) & (1<<62 - 1)
			t.key(second.seen("shop"), "after deletes of one key", "a", 7, want)
		}
		if t.Fold != nil {
			t.fold("shop")
			late := t.open("a process that comes late")
			t.key(late.seen("shop"), "after deletes of one key, folded", "a", 7, want)
		}
	},
}}
