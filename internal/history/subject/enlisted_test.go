package subject_test

import (
	"testing"

	"github.com/seed-dad15c92/txcache/internal/history"
	"github.com/seed-dad15c92/txcache/internal/history/subject"
)

// P12, in one history that is always the same; see TestAHistoryViolatesNoPromise.
func TestAnEnlistedHistoryViolatesNoPromise(t *testing.T) {
	open, faults := subject.Enlisted(true, true)
	world := history.World{Faults: faults, Behind: 10}
	report, err := history.Check(t.Context(), open, history.Options{Seed: 1, Steps: 200_000, World: world})
	if err != nil {
		t.Fatal(err)
	}
	if t.Log(report); report.Hits == 0 {
		t.Error("a cache that never hits proves nothing")
	}
}
