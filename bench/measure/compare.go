package measure

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"time"
)

// Options say how long to measure.
type Options struct {
	Rounds int           // default 21
	Slice  time.Duration // of one side in one round; default 75ms
}

func (o Options) withDefaults() Options {
	if o.Rounds <= 0 {
		o.Rounds = 21
	}
	if o.Slice <= 0 {
		o.Slice = 75 * time.Millisecond
	}
	return o
}

// A Result is what came of a Pair.
type Result struct {
	Section    string
	Name       string
	Goroutines int
	Unit       string
	Ratio      Spread    // of the subject's time, or bytes, by the peer's, over the rounds
	Ratios     []float64 // one a round
	Subject    Outcome
	Peer       Outcome
	Bars       []Bar `json:",omitempty"`
}

// An Outcome is what came of one side.
type Outcome struct {
	Name    string
	Spread  Spread             // of an operation, over the rounds
	Rounds  []float64          // one a round
	Allocs  float64            // of an operation, the median of the rounds
	Bytes   float64            // allocated by an operation, the median of the rounds
	Figures map[string]float64 `json:",omitempty"`
}

// Title returns what was done, and by how many goroutines if they were many.
func (r *Result) Title() string {
	if r.Goroutines > 1 {
		return fmt.Sprintf("%s, %d goroutines", r.Name, r.Goroutines)
	}
	return r.Name
}

// Compare opens both sides of p, measures them in turns, and closes them. An
// error says which side failed.
func Compare(ctx context.Context, p Pair, o Options) (*Result, error) {
	o = o.withDefaults()
	rounds := o.Rounds
	if p.Rounds > 0 {
		rounds = min(rounds, p.Rounds)
	}
	var runners [2]*runner
	for i, side := range []Side{p.Subject, p.Peer} {
		work, err := side.Open(ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", p.Name, side.Name, err)
		}
		defer work.close()
		runners[i] = &runner{side: side.Name, work: work, goroutines: max(1, p.Goroutines), slice: o.Slice}
		if err := runners[i].warm(); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", p.Name, side.Name, err)
		}
	}
	r := &Result{Section: p.Section, Name: p.Name, Goroutines: max(1, p.Goroutines), Unit: p.Unit.String(), Bars: p.Bars}
	for round := range rounds {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for turn := range 2 {
			x := runners[(round+turn)%2]
			runtime.GC()
			if err := x.measure(); err != nil {
				return nil, fmt.Errorf("%s: %s: %w", p.Name, x.side, err)
			}
		}
		ratio := runners[0].last() / runners[1].last()
		if math.IsNaN(ratio) || math.IsInf(ratio, 0) {
			return nil, fmt.Errorf("%s: %s took nothing at all", p.Name, p.Peer.Name)
		}
		r.Ratios = append(r.Ratios, ratio)
	}
	r.Ratio = SpreadOf(r.Ratios)
	r.Subject, r.Peer = runners[0].outcome(), runners[1].outcome()
	return r, nil
}

// errNothing is the error of a Work that can do neither.
var errNothing = errors.New("there is neither Run nor Sample")
