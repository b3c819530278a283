package backendtest

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/seed-dad15c92/txcache/backend"
)

// EnlisterRules returns all rules of Enlisters, in the order in which they are best read.
func EnlisterRules() []EnlisterRule {
	return slices.Concat(snapshotRules, recordRules, enlistedDeleteRules, chainRules, enlistedLifeRules)
}

const (
	oneSnapshot = sql.LevelRepeatableRead
	loose       = sql.LevelReadCommitted
)

var snapshotRules = []EnlisterRule{{
	Name: "epoch-comes-before-sharing",
	Why:  "A state without a record has the same token always: after records are lost, values from before would be hits.",
	run: func(t *enlisterTrial) {
		fresh := t.first.seen("shop") // it may be private
		synced := t.first.sync("shop")
		t.shared(synced, "after Sync of a fresh database")
		now := t.first.seen("shop")
		t.shared(now, "in a transaction after Sync")
		t.same(now, synced, "in a transaction after Sync", []string{"a", "b"})
		if !fresh.AllFenced {
			t.same(now, fresh, "in the second transaction of a fresh database", []string{"a", "b"})
		}
		if other := t.first.sync("shop2"); other.Token("a") == now.Token("a") {
			t.failf("two databases are at the same token %s", now.Token("a"))
		}
	},
}, {
	Name: "state-is-that-of-the-own-snapshot",
	Why:  "A transaction would hit values that are newer than what it reads from the database itself, or others would hit its old ones.",
	run: func(t *enlisterTrial) {
		t.first.sync("shop")
		old := t.begin(oneSnapshot, true)
		before := t.first.state(old, "shop")
		_, generations := t.first.commits("shop", fenceOn(before, "a"))
		now := t.first.seen("shop")
		t.token(now, "after a commit", "a", generations[0].Token)
		t.token(now, "after a commit that clears another cache", "b", before.Token("b"))
		t.same(t.first.state(old, "shop"), before, "in a snapshot from before a commit, asked after others were", []string{"a", "b"})
		t.same(t.first.seen("shop"), now, "after the old snapshot was asked", []string{"a", "b"})
		late := t.open("a process that comes late")
		t.same(late.state(old, "shop"), before, "another process, in the old snapshot", []string{"a", "b"})
		old.rollback()
	},
}, {
	Name: "same-state-is-the-same-pointer",
	Why:  "Each transaction would begin with the generations of all caches anew, which takes time and memory.",
	run: func(t *enlisterTrial) {
		t.first.sync("shop")
		s := t.first.seen("shop")
		if t.first.seen("shop") != s {
			t.failf("State returned another pointer though nothing has changed")
		}
		old := t.begin(oneSnapshot, true)
		t.first.state(old, "shop")
		t.first.commits("shop", fenceOn(s, "a"))
		now := t.first.seen("shop")
		if now == s {
			t.failf("State returned the same pointer after a clear")
		}
		for range 3 {
			if t.first.state(old, "shop") != s || t.first.seen("shop") != now {
				t.failf("State returned another pointer for a snapshot that was asked a moment ago")
			}
		}
		old.rollback()
	},
}, {
	Name: "read-committed-sees-what-is-committed",
	Why:  "A transaction would hit values that are older than what was committed when it began.",
	run: func(t *enlisterTrial) {
		if t.AlwaysExact {
			t.failf("%w: there is no read committed", ErrSkipped)
		}
		t.first.sync("shop")
		tx := t.begin(loose, true)
		before := t.first.state(tx, "shop")
		_, generations := t.first.commits("shop", fenceOn(before, "a"))
		t.token(t.first.state(tx, "shop"), "at read committed, after a commit", "a", generations[0].Token)
		if e, ok := t.first.Enlister.(backend.Isolated); ok {
			for level, want := range map[sql.IsolationLevel]bool{loose: false, oneSnapshot: true} {
				tx := t.begin(level, true)
				t.within("StateExact", func(ctx context.Context) error {
					switch _, exact, err := e.StateExact(ctx, tx.EnlistedTx, "shop"); {
					case err != nil:
						return err
					case exact && !want:
						return fmt.Errorf("it is exact at %s", level)
					}
					return nil
				})
				tx.rollback()
			}
		}
	},
}, {
	Name: "processes-agree",
	Why:  "Values that processes share by their generation would never be found, or be those of another generation.",
	run: func(t *enlisterTrial) {
		t.first.sync("shop")
		second := t.open("the second process")
		caches := []string{"a", "b", "c"}
		for i := range 40 {
			p := []*process{t.first, second}[i%2]
			f := fenceOn(p.seen("shop"), caches[i%3])
			f.All = i == 20
			f.Keys = []backend.Keys{keys("", uint64(i)), keys("b", 1, uint64(i))}
			p.commits("shop", f)
			if i%7 == 0 {
				t.same(second.seen("shop"), t.first.seen("shop"), fmt.Sprintf("after %d commits of two processes", i+1), caches, 1, 20, uint64(i))
			}
		}
		third := t.open("a process that comes late")
		t.same(third.seen("shop"), t.first.seen("shop"), "a process that comes late", caches, 1, 20, 39)
		t.same(third.sync("shop"), t.first.sync("shop"), "Sync of a process that comes late", caches, 1, 20, 39)
	},
}}

func (t *enlisterTrial) fold(database string) {
	t.within("Fold", func(ctx context.Context) error { return t.Fold(ctx, database) })
}

var enlistedLifeRules = []EnlisterRule{{
	Name: "drop-begins-anew",
	Why:  "A database that is created anew under the name of a dropped one would be served the old one's values.",
	run: func(t *enlisterTrial) {
		first := t.first.sync("shop")
		neighbour := t.first.sync("shop2")
		f := fenceOn(first, "a")
		f.Keys = []backend.Keys{keys("b", 1)}
		t.first.commits("shop", f)
		before := t.first.seen("shop")
		old := t.begin(oneSnapshot, true)
		t.first.state(old, "shop")
		t.first.drop("shop")
		now := t.first.seen("shop")
		t.shared(now, "after Drop")
		for _, cache := range []string{"a", "b", "c"} {
			t.newToken(now, "after Drop", cache, first, before)
		}
		t.key(now, "after Drop", "b", 1, 0)
		t.same(t.first.state(old, "shop"), before, "in a snapshot from before Drop", []string{"a", "b"}, 1)
		if t.first.sync("shop2") != neighbour {
			t.failf("Sync of a neighbour returned another pointer after Drop")
		}
		old.rollback()
		t.first.drop("shop")
		t.newToken(t.first.seen("shop"), "after another Drop", "c", first, before, now)
		t.first.drop("never seen")
	},
}, {
	Name: "fold-changes-nothing",
	Why:  "Values would be lost at each fold, or those of a generation that a snapshot does not show be hits.",
	run: func(t *enlisterTrial) {
		if t.Fold == nil {
			t.failf("%w: the authority cannot be told to fold", ErrSkipped)
		}
		t.first.sync("shop")
		second := t.open("the second process")
		caches := []string{"a", "b", "c", "d"}
		for round := range 3 {
			old := t.begin(oneSnapshot, true)
			before := t.first.state(old, "shop")
			for i := range 5 {
				f := fenceOn(t.first.seen("shop"), caches[i%3])
				f.All = i == 3
				f.Keys = []backend.Keys{keys("", 1), keys("d", uint64(round), uint64(100+i))}
				t.first.commits("shop", f)
			}
			now := t.first.seen("shop")
			t.fold("shop")
			when := fmt.Sprintf("after fold %d", round+1)
			t.same(t.first.seen("shop"), now, when, caches, 0, 1, 2, 100, 104)
			t.same(second.seen("shop"), now, when+", in another process", caches, 0, 1, 2, 100, 104)
			late := t.open("a process that comes late")
			t.same(late.seen("shop"), now, when+", in a process that comes late", caches, 0, 1, 2, 100, 104)
			t.same(late.state(old, "shop"), before, when+", in a snapshot from before it, in a process that comes late", caches, 0, 1, 2, 100, 104)
			t.same(t.first.state(old, "shop"), before, when+", in a snapshot from before it", caches, 0, 1, 2, 100, 104)
			old.rollback()
		}
	},
}, {
	Name: "lost-records-begin-anew",
	Why:  "An operator who restores only the data, and deletes the records as told, would be served values from before.",
	run: func(t *enlisterTrial) {
		if t.Lose == nil {
			t.failf("%w: the records cannot be lost", ErrSkipped)
		}
		states := []*backend.State{t.first.sync("shop")}
		t.first.commits("shop", fenceOn(states[0], "a"))
		states = append(states, t.first.seen("shop"))
		t.within("Lose", func(ctx context.Context) error { return t.Lose(ctx, "shop") })
		if now := t.first.seen("shop"); !now.AllFenced {
			t.newToken(now, "after the records were lost", "a", states...)
			t.newToken(now, "after the records were lost", "b", states...)
		}
		now := t.first.sync("shop")
		t.shared(now, "after the records were lost, and Sync")
		t.newToken(now, "after the records were lost, and Sync", "a", states...)
		t.newToken(now, "after the records were lost, and Sync", "b", states...)
	},
}, {
	Name: "restore-is-an-old-state",
	Why:  "After a restore of a backup the values of what happened since would be hits, or those of the backup be lost.",
	run: func(t *enlisterTrial) {
		if t.Backup == nil {
			t.failf("%w: there are no backups", ErrSkipped)
		}
		t.first.sync("shop")
		t.first.commits("shop", fenceOn(t.first.seen("shop"), "a"))
		then := t.first.seen("shop")
		var restore func(context.Context) error
		t.within("Backup", func(ctx context.Context) (err error) {
			restore, err = t.Backup(ctx)
			return err
		})
		lost := []*backend.State{}
		for range 3 {
			t.first.commits("shop", fenceOn(t.first.seen("shop"), "a"))
			lost = append(lost, t.first.seen("shop"))
		}
		t.within("restoring", restore)
		t.same(t.first.seen("shop"), then, "after a restore", []string{"a", "b"})
		t.same(t.first.sync("shop"), then, "Sync after a restore", []string{"a", "b"})
		for range 3 {
			t.first.commits("shop", fenceOn(t.first.seen("shop"), "a"))
			t.newToken(t.first.seen("shop"), "after a restore, and another clear", "a", lost...)
		}
	},
}, {
	Name: "names-are-islands",
	Why:  "One tenant would be cleared, or not cleared, with another, and so would one cache.",
	run: func(t *enlisterTrial) {
		states := map[string]*backend.State{}
		for _, name := range hostileNames {
			states[name] = t.first.sync(name)
		}
		for i, name := range hostileNames {
			if i%10 == 0 {
				t.first.clear(name, fenceOn(states[name], "a"))
				for _, other := range hostileNames {
					now := t.first.seen(other)
					if other == name {
						t.newToken(now, fmt.Sprintf("in database %.40q after Clear", other), "a", states[name])
						states[name] = now
					} else {
						t.token(now, fmt.Sprintf("in database %.40q after Clear of %.40q", other, name), "a", states[other].Token("a"))
					}
				}
			}
		}
		before := t.first.sync("shop")
		var odd []string
		for i, name := range hostileNames {
			if i%2 == 1 {
				odd = append(odd, name)
			}
		}
		f := fenceOn(before, odd...)
		for i, name := range hostileNames {
			if i%2 == 0 {
				f.Keys = append(f.Keys, keys(name, uint64(i)))
			}
		}
		slices.SortFunc(f.Keys, func(a, b backend.Keys) int { return cmp.Compare(a.Cache, b.Cache) })
		t.first.commits("shop", f)
		late := t.open("a process that comes late")
		for _, now := range []*backend.State{t.first.seen("shop"), late.seen("shop")} {
			for i, name := range hostileNames {
				if i%2 == 1 {
					t.newToken(now, "after a clear", name, before)
					t.key(now, "after a clear", name, uint64(i), 0)
				} else {
					t.token(now, "after a clear of others", name, before.Token(name))
					t.key(now, "after a delete", name, uint64(i), f.ID.Number())
				}
			}
		}
	},
}, {
	Name: "closed-and-done",
	Why:  "A service that shuts down would hang, or read on from connections that are closed.",
	run: func(t *enlisterTrial) {
		s := t.first.sync("shop")
		f := fenceOn(s, "a")
		tx := t.begin(oneSnapshot, false)
		calls := func(p *process, ctx context.Context) map[string]error {
			_, syncErr := p.Sync(ctx, "shop")
			_, clearErr := p.Clear(ctx, "shop", f)
			_, stateErr := p.State(ctx, tx.EnlistedTx, "shop")
			_, recordErr := p.Record(ctx, tx.EnlistedTx, "shop", s, f)
			return map[string]error{
				"Sync": syncErr, "Clear": clearErr, "State": stateErr, "Record": recordErr,
				"Fence": p.Fence(ctx, "shop", f), "Unfence": p.Unfence(ctx, "shop", f), "Drop": p.Drop(ctx, "shop"),
			}
		}
		over, cancel := context.WithCancel(t.ctx)
		cancel()
		for name, err := range calls(t.first, over) {
			if !errors.Is(err, context.Canceled) {
				t.failf("%s with a context that is over returned %v", name, err)
			}
		}
		closed := t.open("a process that ends")
		closed.sync("shop")
		t.within("Close", func(context.Context) error { return closed.Close() })
		for name, err := range calls(closed, t.ctx) {
			if !errors.Is(err, backend.ErrClosed) {
				t.failf("%s after Close returned %v, want ErrClosed", name, err)
			}
		}
		tx.rollback()
		if t.first.sync("shop") != s {
			t.failf("Sync returned another pointer after calls that were not done")
		}
	},
}}
