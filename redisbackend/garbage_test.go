package redisbackend_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/internal/redistest"
	"github.com/seed-dad15c92/txcache/redisbackend"
)

// awaitRemoved waits until no value that matches pattern is left.
func awaitRemoved(t *testing.T, server *redistest.Server, pattern string) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		left := len(keys(t, server, pattern))
		if left == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d keys of generations that are over are never removed", left)
		}
	}
}

// Garbage of a process that may not sweep, as another one is doing so, is removed
// later, also if nothing else dies there. (P10)
func TestGarbageIsCollectedAfterASweepOfAnother(t *testing.T) {
	server := redistest.Start(t)
	cfg := settings(server.URI())
	b := open(t, cfg)
	server.Do("set", cfg.Prefix+":@sweep", "another")
	fill(t, b, "shop", "c", mustSync(t, b, "shop").Base, 12_000)
	mustClear(t, b, "shop", "c")
	server.Await("to be asked for the right to sweep", func(ctx context.Context) error {
		if !strings.Contains(server.Client().Info(ctx, "commandstats").Val(), "cmdstat_set:calls=12002,") {
			return context.DeadlineExceeded
		}
		return nil
	})
	if n := b.Stats().Garbage; n != 12_000 {
		t.Errorf("%d values are known to be garbage while another process sweeps, want 12000", n)
	}
	server.Do("del", cfg.Prefix+":@sweep")
	awaitRemoved(t, server, cfg.Prefix+":shop:c@*")
}

// However many processes clear, with sweeps under way, in the end nothing is left
// of what died: each process sweeps for what it wrote. The right to sweep is
// free again.
func TestNothingIsLeftOfManyClears(t *testing.T) {
	server := redistest.Start(t)
	cfg := settings(server.URI())
	processes := []*redisbackend.Backend{open(t, cfg), open(t, cfg), open(t, cfg)}
	const n, rounds = 5_000, 4 // two rounds are enough for a sweep
	for range rounds {
		for i, b := range processes {
			name := string(rune('a' + i))
			fill(t, b, "shop", name, mustSync(t, b, "shop").Token(name), n)
			mustClear(t, b, "shop", name)
		}
	}
	awaitRemoved(t, server, cfg.Prefix+":shop:*@s:*")
	server.Await("an end of all sweeps", func(context.Context) error {
		for _, b := range processes {
			if b.Stats().Garbage > 0 {
				return context.DeadlineExceeded
			}
		}
		if len(keys(t, server, cfg.Prefix+":@sweep")) > 0 { // the right is given back
			return context.DeadlineExceeded
		}
		return nil
	})
}

// A right that has lapsed, and is another's by now, is left to that one.
func TestTheRightToSweepIsTakenFromNobody(t *testing.T) {
	server := redistest.Start(t)
	cfg := settings(server.URI())
	b := open(t, cfg)
	fill(t, b, "shop", "c", mustSync(t, b, "shop").Base, 60_000)
	mustClear(t, b, "shop", "c")
	for end := time.Now().Add(20 * time.Second); len(keys(t, server, cfg.Prefix+":@sweep")) == 0; {
		if time.Now().After(end) {
			t.Skip("the sweep was too fast to be seen")
		}
	}
	server.Do("set", cfg.Prefix+":@sweep", "another")
	awaitRemoved(t, server, cfg.Prefix+":shop:c@*")
	for end := time.Now().Add(20 * time.Second); b.Stats().Garbage > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the sweep does not end")
		}
	}
	time.Sleep(50 * time.Millisecond) // in which a right would be given back that is not its own
	if got := server.Do("get", cfg.Prefix+":@sweep"); got != "another" {
		t.Errorf("the right of another process is %v", got)
	}
}
