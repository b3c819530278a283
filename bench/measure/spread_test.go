package measure_test

import (
	"slices"
	"testing"

	"github.com/seed-dad15c92/txcache/bench/measure"
)

func TestSpreadIsTheMedianAndTheQuartiles(t *testing.T) {
	tests := []struct {
		name    string
		numbers []float64
		want    measure.Spread
	}{
		{"none", nil, measure.Spread{}},
		{"one", []float64{3}, measure.Spread{Low: 3, Median: 3, High: 3}},
		{"two", []float64{4, 2}, measure.Spread{Low: 2.5, Median: 3, High: 3.5}},
		{"five, in disorder", []float64{50, 10, 40, 20, 30}, measure.Spread{Low: 20, Median: 30, High: 40}},
		{"an outlier", []float64{1, 1, 1, 1, 1000}, measure.Spread{Low: 1, Median: 1, High: 1}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			before := slices.Clone(test.numbers)
			if got := measure.SpreadOf(test.numbers); got != test.want {
				t.Errorf("SpreadOf(%v) = %+v, want %+v", test.numbers, got, test.want)
			}
			if !slices.Equal(test.numbers, before) {
				t.Errorf("the numbers are now %v, want them as they were: %v", test.numbers, before)
			}
		})
	}
}
