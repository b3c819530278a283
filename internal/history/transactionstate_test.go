package history

import (
	"context"
	"testing"
)

// While a load lands, nobody knows whether the cache keeps its value before a
// savepoint that opens meanwhile or within it. The belief from before the
// savepoint must not be sure of it then.
func TestASavepointIsNotSureOfALoadThatLands(t *testing.T) {
	world := World{Caches: []CacheSpec{{Name: "c"}}, Keys: []string{"a", "b"}, People: []Who{{}}}
	p := &play{world: world, truth: newTruth(), open: map[*transactionState]bool{}}
	s := newTransactionState(1)
	s.several, s.session = true, p.truth.session(1, "db", false)
	tx := &transaction{play: p, transactionState: s, feed: func() Step { return Step{Do: end} }}
	l := tx.loading(Step{Do: Load}, "a")
	at := tx.address(l.step, "a")

	var landing belief
	err := l.call(t.Context(), func(context.Context) error {
		if err := l.load([]string{"a"}); err != nil {
			return err
		}
		landing = tx.believed()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, sure := landing.sets[at]; sure || !landing.unsure[at] {
		t.Error("while the load lands the belief is sure of its value")
	}
	if _, sure := s.belief.sets[at]; !sure || s.belief.unsure[at] {
		t.Error("when the load has landed the belief is not sure of its value")
	}
	if landed := tx.believed(); landed.unsure[at] {
		t.Error("when the load has landed a copy of the belief is not sure of its value")
	}

	tx.cleared(0)
	tx.undone(landing, 1)
	if v, sure := s.belief.sets[at]; sure {
		t.Errorf("the savepoint is undone, and the belief is sure of %v", v)
	}
	if !s.belief.unsure[at] {
		t.Error("the savepoint is undone, and the belief is sure that there is no value")
	}
}
