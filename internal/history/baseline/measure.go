package baseline

import (
	"context"
	"fmt"

	"github.com/seed-dad15c92/txcache/internal/history"
)

// A Result is what came of playing histories on a scheme.
type Result struct {
	Scheme
	history.Report
}

// Measure plays the same histories, those that o says, on every scheme of All, and
// counts the hits that violate something. That some do is no error.
func Measure(ctx context.Context, o history.Options) ([]Result, error) { return measure(ctx, All(), o) }

// MeasureEnlisting is Measure for the schemes of Enlisting.
func MeasureEnlisting(ctx context.Context, o history.Options) ([]Result, error) {
	return measure(ctx, Enlisting(), o)
}

func measure(ctx context.Context, schemes []Scheme, o history.Options) ([]Result, error) {
	var all []Result
	for _, s := range schemes {
		open, faults := s.Faulty()
		o.World.Faults, o.Count = faults, true
		report, err := history.Check(ctx, open, o)
		if err != nil {
			return nil, fmt.Errorf("baseline: %s: %w", s.Name, err)
		}
		all = append(all, Result{s, report})
	}
	return all, nil
}
