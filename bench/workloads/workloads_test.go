package workloads_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/bench/measure"
	"github.com/seed-dad15c92/txcache/bench/redisserver"
	"github.com/seed-dad15c92/txcache/bench/workloads"
)

// Every side checks what it reads: an error is a wrong value, or a miss where
// there should be a hit.
func TestEveryWorkloadRuns(t *testing.T) {
	env := workloads.Env{Scale: 0.002}
	server, err := redisserver.Start(context.Background())
	switch {
	case err == nil:
		defer server.Close()
		env.Redis = server.Addr
	case errors.Is(err, redisserver.ErrNone) && os.Getenv("TXCACHE_REQUIRE_REDIS") != "1":
		t.Logf("without the pairs on Redis: %v", err)
	default:
		t.Fatal(err)
	}
	pairs := workloads.All(env)
	seen := map[string]bool{}
	for _, p := range pairs {
		id := fmt.Sprintf("%s, %d, %s, %s", p.Name, p.Goroutines, p.Subject.Name, p.Peer.Name)
		if seen[id] {
			t.Errorf("two pairs are %q", id)
		}
		seen[id] = true
		t.Run(id, func(t *testing.T) {
			r, err := measure.Compare(t.Context(), p, measure.Options{Rounds: 1, Slice: time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			if r.Ratio.Median <= 0 || r.Subject.Spread.Median <= 0 || r.Peer.Spread.Median <= 0 {
				t.Errorf("%+v; want positive figures", r)
			}
			for _, b := range p.Bars {
				if b.Of != measure.Allocs && b.Reached(r) <= 0 {
					t.Errorf("nothing was measured of %q", b.Of)
				}
			}
		})
	}
	if env.Redis != "" && len(workloads.All(workloads.Env{Scale: env.Scale})) >= len(pairs) {
		t.Error("there is nothing on Redis")
	}
}
