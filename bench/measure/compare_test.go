package measure_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/bench/measure"
)

// sampled returns a side whose samples are given, and notes in order when each
// was taken.
func sampled(name string, order *[]string, samples ...float64) measure.Side {
	return measure.Side{Name: name, Open: func(context.Context) (*measure.Work, error) {
		i := 0
		return &measure.Work{Sample: func() (float64, error) {
			*order = append(*order, name)
			i++
			return samples[i-1], nil
		}}, nil
	}}
}

func TestRatiosAreThoseOfTheRounds(t *testing.T) {
	var order []string
	// The machine is ten times as slow in the second round, for both.
	p := measure.Pair{Subject: sampled("subject", &order, 2, 20, 3), Peer: sampled("peer", &order, 4, 40, 3)}
	r, err := measure.Compare(t.Context(), p, measure.Options{Rounds: 3})
	if err != nil {
		t.Fatal(err)
	}
	if want := []float64{0.5, 0.5, 1}; !slices.Equal(r.Ratios, want) {
		t.Errorf("ratios %v, want %v", r.Ratios, want)
	}
	if want := (measure.Spread{Low: 0.5, Median: 0.5, High: 0.75}); r.Ratio != want {
		t.Errorf("spread %+v, want %+v", r.Ratio, want)
	}
	if r.Subject.Spread.Median != 3 || r.Peer.Spread.Median != 4 {
		t.Errorf("medians %v and %v, want 3 and 4", r.Subject.Spread.Median, r.Peer.Spread.Median)
	}
	if want := []string{"subject", "peer", "peer", "subject", "subject", "peer"}; !slices.Equal(order, want) {
		t.Errorf("turns %v, want the order swapped with each round: %v", order, want)
	}
}

// counted returns a side that allocates one object of size an operation, and
// counts operations and closes.
func counted(ops, closes *atomic.Int64, workers *[4]atomic.Int64, size int) measure.Side {
	return measure.Side{Name: "counted", Open: func(context.Context) (*measure.Work, error) {
		var keep [4][]byte
		return &measure.Work{
			Run: func(worker, n int) (uint64, error) {
				for range n {
					keep[worker] = make([]byte, size)
				}
				ops.Add(int64(n))
				workers[worker].Add(int64(n))
				return uint64(len(keep[worker])), nil
			},
			Figures: func() map[string]float64 { return map[string]float64{"answer": 42} },
			Close:   func() { closes.Add(1) },
		}, nil
	}}
}

func TestWorkIsDoneByAllWorkersAndClosed(t *testing.T) {
	var ops, closes atomic.Int64
	var workers [4]atomic.Int64
	side := counted(&ops, &closes, &workers, 4096)
	r, err := measure.Compare(t.Context(), measure.Pair{Goroutines: 4, Subject: side, Peer: side},
		measure.Options{Rounds: 2, Slice: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	for i := range workers {
		if workers[i].Load() == 0 {
			t.Errorf("worker %d did nothing", i)
		}
	}
	if closes.Load() != 2 {
		t.Errorf("%d sides were closed, want both", closes.Load())
	}
	if a := r.Subject.Allocs; a < 0.99 || a > 1.5 {
		t.Errorf("%v allocations, want about 1", a)
	}
	if b := r.Subject.Bytes; b < 4096 || b > 6000 {
		t.Errorf("%v bytes, want about 4096", b)
	}
	if r.Subject.Spread.Median <= 0 || r.Subject.Figures["answer"] != 42 {
		t.Errorf("outcome %+v", r.Subject)
	}
}

func TestErrorsNameTheSide(t *testing.T) {
	broken := errors.New("a wrong value")
	var closes, ops atomic.Int64
	var workers [4]atomic.Int64
	good := counted(&ops, &closes, &workers, 1)
	for name, open := range map[string]func(context.Context) (*measure.Work, error){
		"of Open": func(context.Context) (*measure.Work, error) { return nil, broken },
		"of Run": func(context.Context) (*measure.Work, error) {
			return &measure.Work{Run: func(int, int) (uint64, error) { return 0, broken }}, nil
		},
		"of Sample": func(context.Context) (*measure.Work, error) {
			return &measure.Work{Sample: func() (float64, error) { return 0, broken }}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			closes.Store(0)
			_, err := measure.Compare(t.Context(), measure.Pair{Subject: good, Peer: measure.Side{Name: "the bad one", Open: open}},
				measure.Options{Rounds: 1, Slice: time.Millisecond})
			if !errors.Is(err, broken) || !strings.Contains(err.Error(), "the bad one") {
				t.Errorf("error %v, want one of the bad side", err)
			}
			if closes.Load() != 1 {
				t.Error("the other side was not closed")
			}
		})
	}
	empty := measure.Side{Name: "empty", Open: func(context.Context) (*measure.Work, error) { return &measure.Work{}, nil }}
	if _, err := measure.Compare(t.Context(), measure.Pair{Subject: empty, Peer: good}, measure.Options{}); err == nil {
		t.Error("a side that can do nothing was measured")
	}
	var order []string
	zero := measure.Pair{Subject: sampled("one", &order, 1), Peer: sampled("none", &order, 0)}
	if _, err := measure.Compare(t.Context(), zero, measure.Options{Rounds: 1}); err == nil {
		t.Error("a ratio by zero was reported")
	}
}

func TestRoundsHaveALimit(t *testing.T) {
	var order []string
	p := measure.Pair{Rounds: 1, Subject: sampled("a", &order, 1), Peer: sampled("b", &order, 1)}
	r, err := measure.Compare(t.Context(), p, measure.Options{Rounds: 5})
	if err != nil || len(r.Ratios) != 1 {
		t.Errorf("%d rounds, error %v; want 1", len(r.Ratios), err)
	}
}

func TestBarHoldsAtItsLimitAndNotBeyond(t *testing.T) {
	r := &measure.Result{
		Ratio:   measure.Spread{Low: 0.8, Median: 1, High: 1.3},
		Subject: measure.Outcome{Spread: measure.Spread{Median: 700}, Allocs: 0.001, Figures: map[string]float64{"values/s": 200_000}},
	}
	tests := []struct {
		bar  measure.Bar
		want bool
	}{
		{measure.Bar{Of: measure.Ratio, Limit: 1}, true},
		{measure.Bar{Of: measure.Ratio, Limit: 0.99}, false},
		{measure.Bar{Of: measure.Time, Limit: 700}, true},
		{measure.Bar{Of: measure.Time, Limit: 699}, false},
		{measure.Bar{Of: measure.Allocs, Limit: 0.005}, true},
		{measure.Bar{Of: measure.Allocs, Limit: 0}, false},
		{measure.Bar{Of: "values/s", Limit: 200_000, Least: true}, true},
		{measure.Bar{Of: "values/s", Limit: 200_001, Least: true}, false},
	}
	for _, test := range tests {
		if got := test.bar.Holds(r); got != test.want {
			t.Errorf("%+v holds: %v, want %v; reached %v", test.bar, got, test.want, test.bar.Reached(r))
		}
	}
}
