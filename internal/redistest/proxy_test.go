package redistest_test

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache/internal/redistest"
)

// What a proxy does is what it says: whether a command is done, and whether the
// client learns of it.
func TestProxyDoesWithTrafficWhatItSays(t *testing.T) {
	const patience = 300 * time.Millisecond
	server := redistest.Start(t)
	for _, test := range []struct {
		name     string
		traffic  redistest.Traffic
		answered bool
		done     bool // at once
		later    bool // when it flows again
	}{
		{"flowing", redistest.Flowing, true, true, true},
		{"cut", redistest.Cut, false, false, false},
		{"held", redistest.Held, false, false, true},
		{"unanswered", redistest.Unanswered, false, true, true},
		{"slow", redistest.Slow, true, true, true},
		{"deaf", redistest.Deaf, true, true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			proxy := redistest.NewProxy(t, server.Addr)
			client := server.NewClient(&redis.Options{Addr: proxy.Addr, ContextTimeoutEnabled: true, PoolSize: 1})
			if err := client.Ping(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			proxy.Set(test.traffic)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if err := client.Set(ctx, test.name, "x", 0).Err(); (err == nil) != test.answered {
				t.Errorf("the client gets %v", err)
			}
			if done := server.Do("exists", test.name) == int64(1); done != test.done {
				t.Errorf("it is done: %v", done)
			}
			proxy.Set(redistest.Flowing)
			if err := client.Ping(t.Context()).Err(); err != nil {
				t.Errorf("when it flows again: %v", err)
			}
			deadline := time.Now().Add(patience)
			done := false
			for !done && time.Now().Before(deadline) {
				done = server.Do("exists", test.name) == int64(1)
			}
			if done != test.later {
				t.Errorf("it is done when it flows again: %v", done)
			}
		})
	}
}

func TestDeafProxyLosesWhatComesForSubscribers(t *testing.T) {
	server := redistest.Start(t)
	proxy := redistest.NewProxy(t, server.Addr)
	client := server.NewClient(&redis.Options{Addr: proxy.Addr})
	sub := client.Subscribe(t.Context(), "c")
	defer sub.Close()
	if _, err := sub.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	heard := func() bool {
		server.Do("publish", "c", "x")
		m, err := sub.ReceiveTimeout(t.Context(), 300*time.Millisecond)
		_, ok := m.(*redis.Message)
		return err == nil && ok
	}
	if !heard() {
		t.Error("a subscriber hears nothing")
	}
	proxy.Set(redistest.Deaf)
	if heard() {
		t.Error("a subscriber hears through a deaf proxy")
	}
}
