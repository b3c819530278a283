package baseline_test

import (
	"testing"

	"github.com/seed-dad15c92/txcache/internal/history"
	"github.com/seed-dad15c92/txcache/internal/history/baseline"
)

// Every scheme is measured by the same histories, and found wrong; those that
// are the same but for one thing differ by it.
func TestMeasureTellsTheSchemesApart(t *testing.T) {
	results, err := baseline.Measure(t.Context(), history.Options{Seed: 1, Steps: 20_000})
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != len(baseline.All()) {
		t.Fatalf("%d results for %d schemes", len(results), len(baseline.All()))
	}
	rate := map[string]map[history.Rule]float64{}
	for _, r := range results {
		rate[r.Name] = map[history.Rule]float64{}
		sum, all := 0.0, 0
		for _, rule := range history.Rules() {
			rate[r.Name][rule] = r.PerMillion(rule)
			sum += r.PerMillion(rule)
			all += r.Violations[rule]
		}
		t.Logf("%s (%s): %v: %.0f of a million violate", r.Name, r.Practice, r.Report, sum)
		if r.Hits == 0 || all == 0 || all > r.Hits {
			t.Errorf("%s: %d violations in %v", r.Name, all, r.Report)
		}
		if r.Histories != results[0].Histories {
			t.Errorf("%s: other histories than for %s: %v", r.Name, results[0].Name, r.Report)
		}
		if got, want := sum, 1e6*float64(all)/float64(r.Hits); got < 0.999*want || got > 1.001*want {
			t.Errorf("%s: %v of a million hits violate something; want %v", r.Name, got, want)
		}
	}
	for _, order := range []struct{ worse, better baseline.Scheme }{
		{baseline.DeleteFirst, baseline.LowerBound},
		{baseline.CacheAside, baseline.Versioned},
		{baseline.VersionedLost, baseline.Versioned},
	} {
		if worse, better := rate[order.worse.Name][history.Stale], rate[order.better.Name][history.Stale]; worse <= better {
			t.Errorf("%s has %.0f stale hits in a million, %s %.0f", order.worse.Name, worse, order.better.Name, better)
		}
	}
}

// Those that keep generations in the database are found wrong by the rule of one moment.
func TestMeasureFindsWhatIsNotOfOneMoment(t *testing.T) {
	results, err := baseline.MeasureEnlisting(t.Context(), history.Options{Seed: 1, Steps: 100_000, World: history.CrowdedWorld()})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		t.Logf("%s: %v: %.0f of a million are of another moment", r.Name, r.Report, r.PerMillion(history.Exact))
		if r.Violations[history.Exact] == 0 {
			t.Errorf("%s: %v", r.Name, r.Violations)
		}
	}
}
