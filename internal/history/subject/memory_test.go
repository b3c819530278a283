package subject_test

import (
	"testing"

	"github.com/seed-dad15c92/txcache/internal/history"
	"github.com/seed-dad15c92/txcache/internal/history/subject"
)

// One history, always the same: package acceptance/histories plays many others.
// This one is for whoever wants an answer fast.
func TestAHistoryViolatesNoPromise(t *testing.T) {
	report, err := history.Check(t.Context(), subject.Memory(), history.Options{Seed: 1, Steps: 200_000, Driver: history.Interleave})
	if err != nil {
		t.Fatal(err)
	}
	if report.Hits == 0 {
		t.Error("a cache that never hits proves nothing")
	}
}
