package histories_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache/internal/history"
	"github.com/seed-dad15c92/txcache/internal/history/subject"
	"github.com/seed-dad15c92/txcache/internal/redistest"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// By sync = "channel" too nothing is late any more once the announcements have
// arrived: none is lost or misunderstood, nor is anything that comes besides
// them: announcements a second time, in another order, garbled, or those of
// somebody else.
func TestNoAnnouncedHistoryViolatesAPromise(t *testing.T) {
	onEachServer(t, func(t *testing.T, addr string) {
		faults := hear(t, addr).faults()
		for _, near := range []bool{true, false} {
			for _, driver := range drivers {
				t.Run(nearName(near)+"/"+driver.name, func(t *testing.T) {
					histories{open: subject.Channel(addr, near), world: history.World{Servers: 3}, drive: driver.drive}.check(t)
				})
				t.Run(nearName(near)+"/disturbed/"+driver.name, func(t *testing.T) {
					histories{open: subject.Channel(addr, near), world: history.World{Servers: 3, Faults: faults}, drive: driver.drive, steps: 2000}.check(t)
				})
			}
		}
	})
}

// onEachServer runs test over miniredis and over Redis, beside other tests.
func onEachServer(t *testing.T, test func(t *testing.T, addr string)) {
	t.Parallel()
	for _, server := range []struct {
		name  string
		start func(t *testing.T) (addr string)
	}{
		{"miniredis", func(t *testing.T) string { return miniredis.RunT(t).Addr() }},
		{"server", func(t *testing.T) string { return redistest.Start(t).Addr }},
	} {
		t.Run(server.name, func(t *testing.T) {
			t.Parallel()
			test(t, server.start(t))
		})
	}
}

// An eavesdropper knows the last announcements on a server, and repeats them.
type eavesdropper struct {
	client *redis.Client

	mu    sync.Mutex
	heard []*redis.Message
}

// hear returns an eavesdropper on a server until the test ends.
func hear(t *testing.T, addr string) *eavesdropper {
	e := &eavesdropper{client: storetest.NewClient(t, &redis.Options{Addr: addr})}
	sub := e.client.PSubscribe(t.Context(), "*@changes")
	if _, err := sub.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	const longest = 500 // announcements are shorter
	messages := sub.Channel()
	var listens sync.WaitGroup
	listens.Go(func() {
		for m := range messages {
			if len(m.Payload) > longest {
				continue // its own
			}
			e.mu.Lock()
			e.heard = append(e.heard[max(0, len(e.heard)-20):], m)
			e.mu.Unlock()
		}
	})
	t.Cleanup(func() {
		sub.Close()
		listens.Wait()
	})
	return e
}

// faults are what comes besides the announcements. Each disturbs those who have
// been announced something last.
func (e *eavesdropper) faults() []history.Fault {
	repeat := func(change func([]*redis.Message)) func(context.Context) {
		return func(ctx context.Context) {
			e.mu.Lock()
			heard := slices.Clone(e.heard)
			e.mu.Unlock()
			change(heard)
			for _, m := range heard {
				e.client.Publish(ctx, m.Channel, m.Payload)
			}
		}
	}
	garble := func(change func(string) string) func(context.Context) {
		return repeat(func(heard []*redis.Message) {
			for i, m := range heard {
				heard[i] = &redis.Message{Channel: m.Channel, Payload: change(m.Payload)}
			}
		})
	}
	return []history.Fault{
		{Name: "announcements come again", Befall: repeat(func([]*redis.Message) {})},
		{Name: "announcements come again in another order", Befall: repeat(func(heard []*redis.Message) {
			rand.Shuffle(len(heard), func(i, j int) { heard[i], heard[j] = heard[j], heard[i] })
		})},
		{Name: "announcements come cut off", Befall: garble(func(s string) string { return s[:rand.IntN(len(s)+1)] })},
		{Name: "announcements come garbled", Befall: garble(func(s string) string {
			b := []byte(s)
			for range min(3, len(b)) {
				b[rand.IntN(len(b))] = byte(rand.IntN(256))
			}
			return string(b)
		})},
		{Name: "announcements come too long", Befall: garble(func(s string) string { return s + strings.Repeat("x", 100_000) })},
		{Name: "somebody else talks", Befall: garble(func(string) string { return "hello" })},
	}
}
