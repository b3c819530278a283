package redisbackend_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache/backend"
)

// A poison is a hook that breaks the connection over what has to do with a key
// called poison, as a server does over what exceeds a limit of its own.
type poison struct{ passing }

func (poison) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() != "eval" && strings.Contains(fmt.Sprint(cmd.Args()), "poison") { // a probe carries no value
			cmd.SetErr(io.EOF)
			return io.EOF
		}
		return next(ctx, cmd)
	}
}

func (poison) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		for _, cmd := range cmds {
			if strings.Contains(fmt.Sprint(cmd.Args()), "poison") {
				for _, cmd := range cmds {
					cmd.SetErr(io.EOF)
				}
				return io.EOF
			}
		}
		return next(ctx, cmds)
	}
}

// A request over which the server closes the connection concerns nobody else,
// not even those that were sent with it (P7, P8).
func TestARequestThatTheServerRefuses(t *testing.T) {
	inBubble(t, func(t *testing.T, server *miniredis.Miniredis, p *process) {
		settled(t, p)
		mustSet(t, p.Backend, keyIn("c", "good"), []byte("x"))
		g := newGate(p.client)
		p.client.AddHook(poison{})
		var all sync.WaitGroup
		release := busied(t, p, g, &all)
		for range 3 {
			all.Go(func() {
				if got, err := p.Get(t.Context(), []backend.Key{keyIn("c", "good")}); err != nil || string(got[0]) != "x" {
					t.Errorf("Get of a good key: %q, %v", got, err)
				}
			})
			all.Go(func() {
				if _, err := p.Get(t.Context(), []backend.Key{keyIn("c", "poison")}); !errors.Is(err, io.EOF) {
					t.Errorf("Get over which the connection breaks: %v", err)
				}
			})
		}
		synctest.Wait()
		release()
		all.Wait()
		if err := p.Set(t.Context(), []backend.Value{{Key: keyIn("c", "poison"), Data: []byte("x")}}); !errors.Is(err, io.EOF) {
			t.Errorf("Set over which the connection breaks: %v", err)
		}
		mustSet(t, p.Backend, keyIn("c", "good"), []byte("y"))
		mustSync(t, p.Backend, "shop")
		if n := p.Stats().Failures; n > 0 {
			t.Errorf("%d requests count as failed; the server is well", n)
		}
	})
}

// Where values fail they are misses for a while, and control goes on; where the
// server is away, it is away for values too (P8).
func TestValuesFailApartFromControl(t *testing.T) {
	for name, call := range map[string]struct {
		stuck string
		do    func(*process) error
	}{
		"small": {"get", func(p *process) error {
			_, err := p.Get(context.Background(), []backend.Key{keyIn("c", "k")})
			return err
		}},
		"large": {"set", func(p *process) error {
			return p.Set(context.Background(), []backend.Value{{Key: keyIn("c", "k"), Data: filled(2*partSize, 1)}})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, server *miniredis.Miniredis, p *process) {
				settled(t, p)
				time.Sleep(time.Minute)
				g := newGate(p.client)
				release := g.hold(g.before, call.stuck)
				if err := call.do(p); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("a server that does not answer: %v", err)
				}
				sent := g.count(call.stuck)
				start := time.Now()
				if err := call.do(p); err == nil || time.Since(start) > 0 || g.count(call.stuck) != sent {
					t.Errorf("the next: %v after %v; want an error at once", err, time.Since(start))
				}
				if p.Stats().Open {
					t.Error("the breaker of begins, fences and clears is open")
				}
				f := backend.Fence{ID: backend.NewToken(), Lease: time.Minute, All: true}
				if err := p.Fence(t.Context(), "shop", f); err != nil {
					t.Errorf("Fence: %v", err)
				}
				mustSync(t, p.Backend, "shop")
				release()
				time.Sleep(time.Second)
				if err := call.do(p); err != nil {
					t.Errorf("after a probe: %v", err)
				}
				server.SetError("LOADING Redis is loading the dataset in memory")
				if _, err := p.Sync(t.Context(), "shop"); err == nil || !p.Stats().Open {
					t.Errorf("a server that is away: %v, open %t", err, p.Stats().Open)
				}
				server.SetError("")
				if err := call.do(p); err == nil {
					t.Error("values are asked for while control is refused")
				}
			})
		})
	}
}

// A probe of values waits longer each time that it was of no use.
func TestProbesOfValuesBecomeRare(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *miniredis.Miniredis, p *process) {
		settled(t, p)
		p.client.AddHook(slow{wait: time.Second}) // which is longer than the limit of a call
		tried := 0
		for end := time.Now().Add(10 * time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			start := time.Now()
			if _, err := p.Get(t.Context(), []backend.Key{keyIn("c", "k")}); err == nil {
				t.Fatal("Get succeeded")
			}
			if time.Since(start) > 0 {
				tried++
			}
		}
		if tried < 20 || tried > 100 {
			t.Errorf("a link that answers probes alone was tried %d times in ten minutes", tried)
		}
	})
}

// A slow is a hook that takes a while over whatever begins with a read or a write of values.
type slow struct {
	passing
	wait time.Duration
}

func (s slow) over(cmd redis.Cmder) {
	if slices.Contains([]string{"get", "mget", "set"}, cmd.Name()) {
		time.Sleep(s.wait)
	}
}

func (s slow) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		s.over(cmd)
		return next(ctx, cmd)
	}
}

func (s slow) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		s.over(cmds[0])
		return next(ctx, cmds)
	}
}

// A value is kept no longer than its time to live, counted from the call: what it
// takes to send what goes before it, or its own parts, is not added.
func TestNoValueLivesLongerForHavingBeenSentSlowly(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *miniredis.Miniredis, p *process) {
		settled(t, p)
		const wait, ttl = 100 * time.Millisecond, 10 * time.Second
		p.client.AddHook(slow{wait: wait})
		small := make([]backend.Value, 1000)
		for i := range small {
			small[i] = backend.Value{Key: keyIn("small", fmt.Sprint(i)), Data: []byte("x"), TTL: ttl}
		}
		large := func(key string) backend.Value {
			return backend.Value{Key: keyIn("large", key), Data: filled(20*partSize, 1), TTL: ttl}
		}
		for _, c := range []struct {
			name   string
			values []backend.Value
			send   func(values []backend.Value) error
		}{
			{"many", small, func(values []backend.Value) error { return p.Set(t.Context(), values) }},
			{"large", []backend.Value{large("a"), large("b")}, func(values []backend.Value) error { return p.Set(t.Context(), values) }},
			{"swapped", []backend.Value{large("c"), large("d")}, func(values []backend.Value) error {
				var swaps []backend.Swap
				for _, v := range values {
					swaps = append(swaps, backend.Swap{Key: v.Key, New: v.Data, TTL: v.TTL})
				}
				_, err := p.Swap(t.Context(), swaps)
				return err
			}},
		} {
			start := time.Now()
			if err := c.send(c.values); err != nil {
				t.Fatal(err)
			}
			took := time.Since(start)
			for _, v := range c.values {
				asked := time.Since(start)
				_, left, err := p.GetTimed(t.Context(), []backend.Key{v.Key})
				if ends := asked + left[0]; err != nil || ends > ttl+2*wait || ends < ttl-2*wait {
					t.Fatalf("%s: after %v a value is kept until %v after the call, %v; want %v", c.name, took, ends, err, ttl)
				}
			}
		}
		late := large("late")
		late.TTL = 10 * wait
		if err := p.Set(t.Context(), []backend.Value{late}); err != nil {
			t.Fatal(err)
		}
		if mustGet(t, p.Backend, late.Key)[0] != nil {
			t.Error("a value is kept that was over before it was sent")
		}
	})
}

// A call that waits too long for the values of others gets nothing, but the server
// does not count as away; and only so many calls may wait.
func TestLargeValuesThatWaitForOthers(t *testing.T) {
	inBubble(t, func(t *testing.T, server *miniredis.Miniredis, p *process) {
		settled(t, p)
		time.Sleep(time.Minute)
		p.client.AddHook(slow{wait: 200 * time.Millisecond})
		var all sync.WaitGroup
		var mu sync.Mutex
		kept, busy, atOnce := 0, 0, 0
		start := time.Now()
		for i := range 700 {
			all.Go(func() {
				err := p.Set(t.Context(), []backend.Value{{Key: keyIn("c", fmt.Sprint(i)), Data: filled(2*partSize, 1)}})
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					kept++
				case strings.Contains(err.Error(), "too many values"):
					if busy++; time.Since(start) < 100*time.Millisecond {
						atOnce++
					}
				default:
					t.Errorf("Set: %v", err)
				}
			})
		}
		all.Wait()
		if kept+busy != 700 || busy < 600 || atOnce < 150 {
			t.Errorf("of 700 values %d are kept and %d have waited in vain, %d of them not at all", kept, busy, atOnce)
		}
		if n := p.Stats().Failures; n > 0 {
			t.Errorf("%d requests count as failed; the server was busy", n)
		}
		mustSet(t, p.Backend, keyIn("c", "k"), filled(2*partSize, 1))
	})
}
