package enlistertest_test

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/enlistertest"
)

func state(t *testing.T, b *enlistertest.Backend, tx *enlistertest.Tx) *backend.State {
	t.Helper()
	s, err := b.State(t.Context(), tx, "shop")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAnExactTransactionSeesOneMoment(t *testing.T) {
	db := enlistertest.New()
	b := db.Backend()
	old, loose, nothing := db.Begin(true), db.Begin(false), db.Begin(true)
	if s := state(t, b, old); !s.AllFenced {
		t.Error("without an epoch the state is not private")
	}
	orphan, err := b.Record(t.Context(), nothing, "shop", state(t, b, old), backend.Fence{ID: backend.NewToken(), All: true, Caches: []backend.Generation{{Cache: "c"}}})
	must(t, err)
	if s := state(t, b, nothing); s.Token("c") == orphan[0].Token {
		t.Errorf("a record on a state without rows has the token %q, which others see if the rows are lost", s.Token("c"))
	}
	nothing.Rollback()
	before := state(t, b, db.Begin(true))
	if before.AllFenced {
		t.Error("no epoch was begun")
	}

	w := db.Begin(true)
	must(t, w.Put("a", 1))
	if err := db.Begin(true).Put("a", 2); !errors.Is(err, enlistertest.ErrConflict) {
		t.Errorf("a second writer: %v", err)
	}
	f := backend.Fence{ID: backend.NewToken(), Caches: []backend.Generation{{Cache: "c"}}, Keys: []backend.Keys{{Cache: "d", Hashes: []uint64{7}}}}
	generations, err := b.Record(t.Context(), w, "shop", before, f)
	must(t, err)
	must(t, w.Commit())

	if v, _ := old.Get("a"); v != 0 {
		t.Errorf("the old snapshot reads %d", v)
	}
	if v, _ := loose.Get("a"); v != 1 {
		t.Errorf("read committed reads %d", v)
	}
	if !state(t, b, old).AllFenced {
		t.Error("the old snapshot shows the epoch")
	}
	now := state(t, b, loose)
	if now.Token("c") != generations[0].Token || now.Token("d") != before.Token("d") || now.Sums.Of("d").Key(7) != f.ID.Number() {
		t.Errorf("the state is %+v, want the generation %v", now, generations)
	}
	if err := old.Put("a", 3); !errors.Is(err, enlistertest.ErrConflict) {
		t.Errorf("the old snapshot writes over what it does not see: %v", err)
	}
	db.Fold("shop")
	if state(t, b, loose) != now || db.Rows("shop") != 1 {
		t.Error("a fold changes the state")
	}
	db.Forget("shop")
	forgotten := state(t, b, loose)
	if forgotten.Token("c") != now.Token("c") || forgotten.Sums.Of("d").Key(7) != f.ID.Number() || forgotten.Sums.Of("d").Total() != f.ID.Number() {
		t.Error("a key that is forgotten alone in its group has another sum")
	}
}

// What two snapshots have the same token for, they show the same data of.
func TestEqualTokensAreEqualData(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	db := enlistertest.New()
	b := db.Backend()
	must(t, b.Drop(t.Context(), "shop"))
	seen := map[backend.Token]int64{}
	backups := []*enlistertest.Snapshot{db.Snapshot()}
	for i := range 2000 {
		tx := db.BeginAt(backups[random.IntN(len(backups))])
		v, err := tx.Get("a")
		must(t, err)
		token := state(t, b, tx).Token("c")
		if old, ok := seen[token]; ok && old != v {
			t.Fatalf("step %d: %d and %d under one token", i, old, v)
		}
		seen[token] = v

		w := db.Begin(true)
		must(t, w.Put("a", random.Int64()))
		_, err = b.Record(t.Context(), w, "shop", state(t, b, w), backend.Fence{ID: backend.NewToken(), Caches: []backend.Generation{{Cache: "c"}}})
		must(t, err)
		switch random.IntN(4) {
		case 0:
			must(t, w.Rollback())
		default:
			must(t, w.Commit())
		}
		switch random.IntN(10) {
		case 0:
			db.Fold("shop")
		case 1:
			backups = append(backups, db.Snapshot())
		case 2:
			db.Restore(backups[random.IntN(len(backups))])
		}
	}
	if len(seen) < 50 {
		t.Errorf("%d tokens were seen", len(seen))
	}
}
