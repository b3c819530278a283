package measure

// A Bar is what a subject has to reach.
type Bar struct {
	Of    string  // Ratio, Time, Allocs, or the name of a further figure of the subject
	Limit float64 // at most so much
	Least bool    // at least so much, instead
}

// What a Bar can be of, besides the figures of a Work.
const (
	Ratio  = "ratio"
	Time   = "ns"
	Allocs = "allocations"
)

// Reached returns what r has reached of what the bar is of.
func (b Bar) Reached(r *Result) float64 {
	switch b.Of {
	case Ratio:
		return r.Ratio.Median
	case Time:
		return r.Subject.Spread.Median
	case Allocs:
		return r.Subject.Allocs
	}
	return r.Subject.Figures[b.Of]
}

// Holds reports whether r has reached the bar.
func (b Bar) Holds(r *Result) bool {
	if b.Least {
		return b.Reached(r) >= b.Limit
	}
	return b.Reached(r) <= b.Limit
}
