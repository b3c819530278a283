package measure

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// sink takes what was read, so that reading it cannot be left out.
var sink atomic.Uint64

// A runner measures one side.
type runner struct {
	side       string
	work       *Work
	goroutines int
	slice      time.Duration
	chunk      int // how often a worker does the work between two looks at the clock

	outcomes, allocs, bytes []float64 // one a round
}

// looks is how often a goroutine looks at the clock in a slice, about.
const looks = 32

// warm finds the chunk, and runs a slice that does not count.
func (r *runner) warm() error {
	switch {
	case r.work.Sample != nil:
		return nil
	case r.work.Run == nil:
		return errNothing
	}
	for n := 1; ; n *= 2 {
		start := time.Now()
		if _, err := r.work.Run(0, n); err != nil {
			return err
		}
		if time.Since(start) >= r.slice/looks || n >= 1<<24 {
			// Goroutines beyond the processors take turns on them.
			waiting := max(1, r.goroutines/runtime.GOMAXPROCS(0))
			r.chunk = max(1, n/waiting)
			break
		}
	}
	_, _, err := r.run()
	return err
}

// measure runs one slice and notes what came of it.
func (r *runner) measure() error {
	if r.work.Sample != nil {
		x, err := r.work.Sample()
		r.outcomes = append(r.outcomes, x)
		return err
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	elapsed, ops, err := r.run()
	runtime.ReadMemStats(&after)
	r.outcomes = append(r.outcomes, float64(elapsed)/ops)
	r.allocs = append(r.allocs, float64(after.Mallocs-before.Mallocs)/ops)
	r.bytes = append(r.bytes, float64(after.TotalAlloc-before.TotalAlloc)/ops)
	return err
}

// run does the work for a slice.
func (r *runner) run() (elapsed time.Duration, ops float64, err error) {
	var total atomic.Int64
	errs := make([]error, r.goroutines)
	start := time.Now()
	worker := func(id int) {
		var sum uint64
		done := 0
		for {
			s, err := r.work.Run(id, r.chunk)
			sum += s
			done += r.chunk
			if err != nil {
				errs[id] = err
				break
			}
			if time.Since(start) >= r.slice {
				break
			}
		}
		sink.Add(sum)
		total.Add(int64(done))
	}
	if r.goroutines == 1 {
		worker(0)
	} else {
		var all sync.WaitGroup
		for id := range r.goroutines {
			all.Go(func() { worker(id) })
		}
		all.Wait()
	}
	return time.Since(start), float64(total.Load()), errors.Join(errs...)
}

// last returns the outcome of the last round.
func (r *runner) last() float64 { return r.outcomes[len(r.outcomes)-1] }

func (r *runner) outcome() Outcome {
	o := Outcome{
		Name:   r.side,
		Spread: SpreadOf(r.outcomes),
		Rounds: r.outcomes,
		Allocs: SpreadOf(r.allocs).Median,
		Bytes:  SpreadOf(r.bytes).Median,
	}
	if r.work.Figures != nil {
		o.Figures = r.work.Figures()
	}
	return o
}
