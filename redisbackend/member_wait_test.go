package redisbackend_test

import (
	"context"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/redisbackend"
)

// Where nobody has terms nobody waits for the members of a new hash. One that meets a member waits from then on.
func TestWhoExpectsMembers(t *testing.T) {
	inBubble(t, func(t *testing.T, server *miniredis.Miniredis, p *process) {
		start := time.Now()
		mustFence(t, p)
		if err := p.Drop(t.Context(), "shop"); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(start); waited > 0 || p.Stats().Waits > 0 {
			t.Errorf("a process has waited %v for nobody", waited)
		}
	})
	withMember(t, func(t *testing.T, server *miniredis.Miniredis, p *process, e *ear, _ *process) {
		other := over(t, dialing(server), nil)
		e.deaf.Store(true)
		for range 2 {
			f := mustFence(t, other)
			if !mustSync(t, p.Backend, "shop").IsFenced("a") {
				t.Error("a member uses a state of before the fence")
			}
			if _, err := other.Clear(t.Context(), "shop", f); err != nil {
				t.Fatal(err)
			}
			e.deaf.Store(false)
			time.Sleep(5 * time.Second)
			trusting(t, p, "shop")
			e.deaf.Store(true)
			server.FlushAll()
		}
	})
}

// A process that does not hear, or hears late, does not make others wait.
func TestWhoDoesNotHearDoesNotRegister(t *testing.T) {
	withMember(t, func(t *testing.T, server *miniredis.Miniredis, p *process, e *ear, other *process) {
		e.deaf.Store(true)
		time.Sleep(5 * time.Second)
		g := newGate(p.client)
		for range 5 {
			mustSync(t, p.Backend, "shop")
		}
		if g.count("hmget") == 0 {
			t.Error("a process that hears nothing registers")
		}
		mustFenceAtOnce(t, other)
	})
}

func mustFenceAtOnce(t *testing.T, p *process) {
	t.Helper()
	start := time.Now()
	mustFence(t, p)
	if waited := time.Since(start); waited > 100*time.Millisecond { // of the bubble
		t.Errorf("a fence has waited %v for a process that does not hear", waited)
	}
}

// Nor does one that no longer hears, with what it has registered before.
func TestWhoHearsNoMoreAcknowledges(t *testing.T) {
	withMember(t, func(t *testing.T, server *miniredis.Miniredis, p *process, e *ear, other *process) {
		e.deaf.Store(true)
		time.Sleep(4 * time.Second)
		mustFenceAtOnce(t, other)
	})
}

// A change that its caller gives up waits no longer, and says so.
func TestAWaitEndsWithItsCaller(t *testing.T) {
	withMember(t, func(t *testing.T, server *miniredis.Miniredis, p *process, e *ear, other *process) {
		e.deaf.Store(true)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		f := backend.Fence{ID: backend.NewToken(), Lease: time.Minute, All: true}
		if err := other.Fence(ctx, "shop", f); err != context.DeadlineExceeded {
			t.Errorf("the fence answers %v", err)
		}
	})
}

func TestTermsAndWaitsThatDoNotFit(t *testing.T) {
	for _, c := range []struct {
		options redisbackend.Options
		fit     bool
	}{
		{redisbackend.Options{Lease: true}, true},
		{redisbackend.Options{Lease: true, Term: time.Second}, true},
		{redisbackend.Options{Lease: true, Term: time.Second + 1}, false},
		{redisbackend.Options{Lease: true, Term: time.Millisecond, Wait: 2 * time.Millisecond}, true},
		{redisbackend.Options{Lease: true, Term: time.Millisecond - 1, Wait: 2 * time.Millisecond}, false},
		{redisbackend.Options{Lease: true, Wait: 2*time.Millisecond - 1}, false},
		{redisbackend.Options{Lease: true, Wait: 20 * time.Second}, true},
		{redisbackend.Options{Lease: true, Wait: 20*time.Second + 1}, false},
		{redisbackend.Options{Wait: -1}, false},
		{redisbackend.Options{Lease: true, Channel: true}, false},
	} {
		client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
		b, err := redisbackend.New(client, &c.options)
		if (err == nil) != c.fit {
			t.Errorf("%+v: %v", c.options, err)
		}
		if err == nil {
			_ = b.Close()
		}
		_ = client.Close()
	}
}
