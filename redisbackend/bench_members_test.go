package redisbackend_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/redistest"
	"github.com/seed-dad15c92/txcache/redisbackend"
)

// membersOf returns so many processes with terms of a second in "shop", and one without.
func membersOf(b *testing.B, n int) (members []*redisbackend.Backend, writer *redisbackend.Backend) {
	server := redistest.Start(b)
	open := func(o *redisbackend.Options) *redisbackend.Backend {
		client := clientOf(&redis.Options{Addr: server.Addr})
		p, err := redisbackend.New(client, o)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _, _ = p.Close(), client.Close() })
		return p
	}
	const wait = 2 * time.Second
	writer = open(&redisbackend.Options{Wait: wait})
	for range n {
		members = append(members, open(&redisbackend.Options{Lease: true, Wait: wait}))
	}
	for _, m := range members {
		for !m.Stats().Listening {
			time.Sleep(time.Millisecond)
		}
		beginUnasked(b, m)
	}
	// Members that a new hash does not know are over then.
	if err := writer.Fence(b.Context(), "shop", backend.Fence{ID: backend.NewToken(), Lease: time.Millisecond, Keys: deleting("b", 1).Keys}); err != nil {
		b.Fatal(err)
	}
	return members, writer
}

// beginUnasked makes p begin until it has a term that is worth it.
func beginUnasked(b *testing.B, p *redisbackend.Backend) {
	for unasked := 0; unasked < 3; {
		trips := p.Stats().RoundTrips
		if _, err := p.Sync(b.Context(), "shop"); err != nil {
			b.Fatal(err)
		}
		if unasked++; p.Stats().RoundTrips != trips {
			unasked = 0
		}
	}
}

// BenchmarkFenceBesideMembers places fences while so many processes have terms.
func BenchmarkFenceBesideMembers(b *testing.B) {
	for _, kind := range []struct {
		name  string
		fence func() backend.Fence
	}{
		{"key", func() backend.Fence { return deleting("c", 1) }},
		{"whole", func() backend.Fence {
			return backend.Fence{ID: backend.NewToken(), Lease: time.Minute, Caches: []backend.Generation{{Cache: "c"}}}
		}},
	} {
		for _, n := range []int{0, 1, 10, 50} {
			b.Run(fmt.Sprintf("%s/%d", kind.name, n), func(b *testing.B) {
				members, writer := membersOf(b, n)
				var took []time.Duration
				for b.Loop() {
					for _, m := range members {
						beginUnasked(b, m)
					}
					time.Sleep(10 * time.Millisecond) // what they do in the background is done
					f := kind.fence()
					start := time.Now()
					err := writer.Fence(b.Context(), "shop", f)
					took = append(took, time.Since(start))
					if err == nil {
						_, err = writer.Clear(b.Context(), "shop", f)
					}
					if err != nil {
						b.Fatal(err)
					}
				}
				slices.Sort(took)
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1e6, "p50-ms")
				b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds())/1e6, "p99-ms")
				b.ReportMetric(float64(writer.Stats().WaitedOut), "waited-out")
			})
		}
	}
}

// BenchmarkBeginsBesideDeletes begins all the time in a process with terms, while another deletes a
// key so many times a second.
func BenchmarkBeginsBesideDeletes(b *testing.B) {
	for _, rate := range []int{0, 10, 100} {
		b.Run(fmt.Sprint(rate), func(b *testing.B) {
			members, writer := membersOf(b, 1)
			stop, done := make(chan struct{}), make(chan int)
			go func() {
				deletes := 0
				defer func() { done <- deletes }()
				for rate > 0 {
					select {
					case <-stop:
						return
					case <-time.After(time.Second / time.Duration(rate)):
					}
					f := deleting("c", 1)
					if err := writer.Fence(b.Context(), "shop", f); err != nil {
						b.Error(err)
					}
					if _, err := writer.Clear(b.Context(), "shop", f); err != nil {
						b.Error(err)
					}
					deletes++
				}
				<-stop
			}()
			asked, begins := 0, 0
			start := time.Now()
			before := members[0].Stats()
			for time.Since(start) < 3*time.Second {
				begun := time.Now()
				if _, err := members[0].Sync(b.Context(), "shop"); err != nil {
					b.Fatal(err)
				}
				if begins++; time.Since(begun) > 20*time.Microsecond {
					asked++
				}
			}
			took := time.Since(start)
			close(stop)
			deletes := max(<-done, 1)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(took.Nanoseconds())/float64(begins), "ns/begin")
			b.ReportMetric(float64(asked)/float64(deletes), "slow-begins/delete")
			b.ReportMetric(float64(members[0].Stats().RoundTrips-before.RoundTrips)/float64(deletes), "trips/delete")
		})
	}
}
