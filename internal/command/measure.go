package command

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// mostSamples is how many times a client keeps of one operation: a sample
// of all, for a near hit takes no more than taking the time.
const mostSamples = 50_000

// An operation is something to measure, by a client with a number, over and over.
type operation struct {
	name string
	run  func(ctx context.Context, client, i int) error
}

// measure lets clients run an operation for a while.
func measure(ctx context.Context, o operation, clients int, duration time.Duration) (operationResult, error) {
	var mu sync.Mutex
	var all []time.Duration
	var count int64
	var longest time.Duration
	var failure error
	var group sync.WaitGroup
	start := time.Now()
	for client := range clients {
		group.Go(func() {
			s := sampler{}
			var err error
			for i := 0; err == nil && time.Since(start) < duration; i++ {
				before := time.Now()
				if err = ctx.Err(); err != nil {
					break
				}
				if err = o.run(ctx, client, i); err == nil {
					s.add(time.Since(before))
				}
			}
			mu.Lock()
			defer mu.Unlock()
			all, count, longest = append(all, s.kept...), count+s.n, max(longest, s.longest)
			if failure == nil && err != nil {
				failure = because(ctx, err)
			}
		})
	}
	group.Wait()
	if failure != nil || len(all) == 0 {
		return operationResult{}, failure
	}
	took := time.Since(start)
	slices.Sort(all)
	at := func(share float64) float64 { return inMilliseconds(all[int(share*float64(len(all)-1))]) }
	return operationResult{
		Name: o.name, Count: count, Second: float64(count) / took.Seconds(),
		P50: at(0.5), P90: at(0.9), P99: at(0.99), Max: inMilliseconds(longest),
	}, nil
}

func inMilliseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

// A sampler keeps a random sample of what it is given: Vitter, "Random Sampling
// with a Reservoir", 1985, algorithm R.
type sampler struct {
	kept    []time.Duration
	n       int64
	longest time.Duration
}

func (s *sampler) add(d time.Duration) {
	s.n++
	s.longest = max(s.longest, d)
	if len(s.kept) < mostSamples {
		s.kept = append(s.kept, d)
	} else if at := rand.Int64N(s.n); at < mostSamples {
		s.kept[at] = d
	}
}

// because returns why ctx is done, or else err.
func because(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
