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
		{"late", redistest.Late, true, true, true},
		{"twice", redistest.Twice, true, true, true},
		{"no subscription", redistest.Unsubscribed, true, true, true},
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

// What a subscriber hears through a proxy is what the traffic says.
func TestProxyBeforeSubscribers(t *testing.T) {
	server := redistest.Start(t)
	for _, test := range []struct {
		name    string
		traffic redistest.Traffic
		hears   int  // of one message
		late    bool // so that it is not there at once
		again   bool // it can subscribe
	}{
		{"flowing", redistest.Flowing, 1, false, true},
		{"deaf", redistest.Deaf, 0, false, false}, // as it does not hear that it has
		{"late", redistest.Late, 1, true, true},
		{"twice", redistest.Twice, 2, false, true},
		{"unsubscribed", redistest.Unsubscribed, 0, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			proxy := redistest.NewProxy(t, server.Addr)
			client := server.NewClient(&redis.Options{Addr: proxy.Addr})
			subscribed := func() *redis.PubSub {
				sub := client.Subscribe(t.Context(), test.name)
				if _, err := sub.ReceiveTimeout(t.Context(), 300*time.Millisecond); err != nil {
					sub.Close()
					return nil
				}
				return sub
			}
			sub := subscribed()
			if sub == nil {
				t.Fatal("a subscriber is not confirmed")
			}
			defer sub.Close()
			proxy.Set(test.traffic)
			start := time.Now()
			server.Do("publish", test.name, "x")
			hears := 0
			for {
				m, err := sub.ReceiveTimeout(t.Context(), 300*time.Millisecond)
				if err != nil {
					break
				}
				if _, ok := m.(*redis.Message); ok {
					hears++
				}
				if hears == 1 && test.late && time.Since(start) < 40*time.Millisecond {
					t.Error("it hears at once")
				}
			}
			if hears != test.hears {
				t.Errorf("it hears %d times", hears)
			}
			again := subscribed()
			if (again != nil) != test.again {
				t.Errorf("it can subscribe again: %v", again != nil)
			}
			if again != nil {
				again.Close()
			}
		})
	}
}
