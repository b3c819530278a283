package subject_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/seed-dad15c92/txcache/internal/history"
	"github.com/seed-dad15c92/txcache/internal/history/subject"
)

// Each fault does what its name says, as far as a transaction can tell: a commit
// that clears, after the fault and after another transaction has loaded a value,
// and the next transaction.
func TestFaultsAreWhatTheyAreCalled(t *testing.T) {
	refused := map[string]bool{
		"the next fence is not done":                         true,
		"the next fence is done, but says it is not":         true,
		"the next fence is done later, and says it is not":   true,
		"the next calls fail":                                true,
		"the next clear is done, but says it is not":         false, // it has committed
		"the next unfence is done later, and says it is not": false, // there was none
		"a lease passes, and no fence is renewed":            false,
		"the metadata is lost":                               false,
		"1s pass":                                            false,
	}
	missed := map[string]bool{ // what was loaded before
		"the next sync is not done":                 true,
		"the next sync is done, but says it is not": true,
		"the next get is not done":                  true,
		"the next get is done, but says it is not":  true,
		"the next calls fail":                       true,
		"the metadata is lost":                      true,
		"values are lost":                           true,
		"values are cut off":                        true,
		"values are garbled":                        true,
		"the next set is not done":                  false, // it was before
	}
	synctest.Test(t, func(t *testing.T) {
		open, faults := subject.Faulty(true, false)
		world := history.World{Servers: 1, Faults: faults}
		for i, fault := range faults {
			story := play(t, open, world,
				history.Step{Tx: 1, Do: history.Break, Fault: i},
				history.Step{Tx: 2, Do: history.Begin}, history.Step{Tx: 2, Do: history.Write}, history.Step{Tx: 2, Do: history.Commit})
			if got := strings.Contains(story, "has committed: "+history.ErrRefused.Error()); got != refused[fault.Name] {
				t.Errorf("%s: a commit was refused: %v\n%s", fault.Name, got, story)
			}
			story = play(t, open, world,
				history.Step{Tx: 1, Do: history.Begin, ReadOnly: true}, history.Step{Tx: 1, Do: history.Load}, history.Step{Tx: 1, Do: history.Commit},
				history.Step{Tx: 1}, history.Step{Tx: 1}, history.Step{Tx: 1}, history.Step{Tx: 1},
				history.Step{Tx: 2, Do: history.Break, Fault: i},
				history.Step{Tx: 3, Do: history.Begin, ReadOnly: true}, history.Step{Tx: 3, Do: history.Get})
			if got := strings.Contains(story, "t3 gets \"b:c\"[\"k\"]: a miss\nt3 has"); got != missed[fault.Name] {
				t.Errorf("%s: what was loaded before is missed: %v\n%s", fault.Name, got, story)
			}
		}
	})
}

// play returns the story of a history that must not violate anything.
func play(t *testing.T, open history.Open, world history.World, steps ...history.Step) string {
	t.Helper()
	d := history.DefaultWorld()
	d.Servers, d.Faults = world.Servers, world.Faults
	out, err := history.Interleave(t.Context(), open, history.History{World: d, Steps: steps}, true)
	if err != nil {
		t.Fatal(err)
	}
	story := strings.Join(out.Story, "\n")
	if len(out.Violations) > 0 {
		t.Errorf("%v\n%s", out.Violations[0], story)
	}
	return story
}
