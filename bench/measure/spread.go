package measure

import "slices"

// A Spread is the median of some numbers and the quartiles below and above it.
type Spread struct {
	Low, Median, High float64
}

// SpreadOf returns the spread of numbers, which are left as they are; that of
// none is zero. Between two numbers it interpolates, as R's default does
// (Hyndman and Fan, "Sample Quantiles in Statistical Packages", 1996, type 7).
func SpreadOf(numbers []float64) Spread {
	if len(numbers) == 0 {
		return Spread{}
	}
	sorted := slices.Sorted(slices.Values(numbers))
	return Spread{Low: quantile(sorted, 0.25), Median: quantile(sorted, 0.5), High: quantile(sorted, 0.75)}
}

func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 == len(sorted) {
		return sorted[i]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}
