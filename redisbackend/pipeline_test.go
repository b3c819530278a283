package redisbackend_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache/backend"
)

// busied makes both lanes of values busy, until release is called; then all that was asked for meanwhile goes together.
func busied(t *testing.T, p *process, g *gate, all *sync.WaitGroup) (release func()) {
	t.Helper()
	synctest.Wait() // a lane may yet look for more to send
	get, set := g.hold(g.before, "get"), g.hold(g.before, "set")
	all.Go(func() { _, _ = p.Get(t.Context(), []backend.Key{keyIn("c", "a")}) })
	all.Go(func() { _ = p.Set(t.Context(), []backend.Value{{Key: keyIn("c", "b"), Data: []byte("x")}}) })
	synctest.Wait()
	return func() {
		get()
		set()
	}
}

// What many callers ask for at once goes as one command, and each gets its own.
func TestWhatIsAskedForTogetherIsOneCommand(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *miniredis.Miniredis, p *process) {
		settled(t, p)
		const callers = 20
		for i := range callers {
			mustSet(t, p.Backend, keyIn("c", fmt.Sprint(i)), fmt.Append(nil, "value ", i))
		}
		mustSet(t, p.Backend, keyIn("c", "empty"), []byte{})
		g := newGate(p.client)
		var all sync.WaitGroup
		release := busied(t, p, g, &all)
		for i := range callers {
			all.Go(func() {
				keys := []backend.Key{keyIn("c", fmt.Sprint(i)), keyIn("c", "none"), keyIn("c", "empty")}[:1+2*(i%2)]
				data, err := p.Get(t.Context(), keys)
				if err != nil || string(data[0]) != fmt.Sprint("value ", i) {
					t.Errorf("value %d is %q, %v", i, data, err)
				}
				if len(data) == 3 && (data[1] != nil || data[2] == nil || len(data[2]) > 0) {
					t.Errorf("no value is %q, and an empty one %q", data[1], data[2])
				}
			})
		}
		synctest.Wait()
		release()
		all.Wait()
		if gets, mgets := g.count("get"), g.count("mget"); gets != 1 || mgets != 1 {
			t.Errorf("%d GETs and %d MGETs were sent; want that of the caller before, and one for the others", gets, mgets)
		}
	})
}

// forbidding is a server whose user may not read what has to do with a key called secret.
type forbidding struct{ passing }

type noPerm struct{}

func (noPerm) Error() string {
	return "NOPERM this user has no permissions to access one of the keys used as arguments"
}
func (noPerm) RedisError() {}

func (forbidding) refuses(cmd redis.Cmder) bool {
	return strings.Contains(fmt.Sprint(cmd.Args()), "secret")
}

func (f forbidding) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if f.refuses(cmd) {
			cmd.SetErr(noPerm{})
			return noPerm{}
		}
		return next(ctx, cmd)
	}
}

func (f forbidding) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		for _, cmd := range cmds {
			if f.refuses(cmd) {
				cmd.SetErr(noPerm{})
				err = noPerm{}
			}
		}
		return err
	}
}

// A key that the user may not read concerns its caller alone, and not the callers whose keys go along (P7).
func TestAKeyThatMayNotBeReadConcernsNobodyElse(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *miniredis.Miniredis, p *process) {
		settled(t, p)
		mustSet(t, p.Backend, keyIn("c", "good"), []byte("x"))
		g := newGate(p.client)
		var all sync.WaitGroup
		release := busied(t, p, g, &all)
		p.client.AddHook(forbidding{})
		for _, c := range []struct {
			names []string
			good  bool
		}{
			{[]string{"good"}, true},
			{[]string{"secret"}, false},
			{[]string{"good", "none"}, true},
			{[]string{"good", "secret"}, false},
			{[]string{"good"}, true},
		} {
			var keys []backend.Key
			for _, name := range c.names {
				keys = append(keys, keyIn("c", name))
			}
			all.Go(func() {
				data, err := p.Get(t.Context(), keys)
				if c.good && (err != nil || string(data[0]) != "x") {
					t.Errorf("%q: %q, %v", c.names, data, err)
				} else if !c.good && (err == nil || !strings.Contains(err.Error(), "NOPERM")) {
					t.Errorf("%q: %q, %v; want to hear that it may not be read", c.names, data, err)
				}
			})
		}
		synctest.Wait()
		release()
		all.Wait()
		if n := p.Stats().Failures; n > 0 {
			t.Errorf("%d requests count as failed; the server is well", n)
		}
	})
}

// Those whose keys go along with one that may not be read wait for one more round trip, however many they are (P7).
func TestAKeyThatMayNotBeReadDelaysNobodyForLong(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *miniredis.Miniredis, p *process) {
		settled(t, p)
		mustSet(t, p.Backend, keyIn("c", "good"), []byte("x"))
		g := newGate(p.client)
		var all sync.WaitGroup
		release := busied(t, p, g, &all)
		const trip = 10 * time.Millisecond
		p.client.AddHook(forbidding{})
		p.client.AddHook(slow{wait: trip})
		all.Go(func() { _, _ = p.Get(t.Context(), []backend.Key{keyIn("c", "secret")}) })
		for range 100 {
			all.Go(func() {
				start := time.Now()
				data, err := p.Get(t.Context(), []backend.Key{keyIn("c", "good")})
				if took := time.Since(start); err != nil || string(data[0]) != "x" || took > 5*trip {
					t.Errorf("%q, %v after %v", data, err, took)
				}
			})
		}
		synctest.Wait()
		release()
		all.Wait()
		if n := p.Stats().Failures; n > 0 {
			t.Errorf("%d requests count as failed; the server is well", n)
		}
	})
}

// A value does not come with the time of the one before it because another caller of the process sets it meanwhile:
// what goes together is set before it is read.
func TestAValueThatIsSetMeanwhileComesWithItsOwnTime(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *miniredis.Miniredis, p *process) {
		settled(t, p)
		key := keyIn("c", "k")
		if err := p.Set(t.Context(), []backend.Value{{Key: key, Data: []byte("long"), TTL: time.Hour}}); err != nil {
			t.Fatal(err)
		}
		g := newGate(p.client)
		var all sync.WaitGroup
		release := busied(t, p, g, &all)
		all.Go(func() {
			data, left, err := p.GetTimed(t.Context(), []backend.Key{key})
			if err != nil || data[0] == nil || string(data[0]) != "long" && left[0] > time.Second {
				t.Errorf("%q, which is kept for %v, %v", data, left, err)
			}
		})
		synctest.Wait() // it is asked for first
		all.Go(func() {
			if err := p.Set(t.Context(), []backend.Value{{Key: key, Data: []byte("short"), TTL: time.Second}}); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		release()
		all.Wait()
		if n := g.count("pttl"); n != 1 {
			t.Errorf("the time was asked for %d times", n)
		}
	})
}

// A call that has given up has no say in what others wait for, when its answer comes after all (P7).
func TestAnAnswerThatComesTooLateIsNobodyElses(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *miniredis.Miniredis, p *process) {
		settled(t, p)
		mustSet(t, p.Backend, keyIn("c", "b"), []byte("x"))
		mustSet(t, p.Backend, keyIn("c", "c"), []byte("y"))
		synctest.Wait()
		for range 20 { // as a waiter may be used again, or not
			g := newGate(p.client)
			late, others := g.hold(g.before, "get"), g.hold(g.before, "mget")
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			if _, err := p.Get(ctx, []backend.Key{keyIn("c", "a")}); err == nil {
				t.Fatal("Get has an answer that nobody gave")
			}
			cancel()
			var all sync.WaitGroup
			all.Go(func() {
				data, err := p.Get(t.Context(), []backend.Key{keyIn("c", "b"), keyIn("c", "c")})
				if err != nil || string(data[0]) != "x" || string(data[1]) != "y" {
					t.Errorf("%q, %v; want what was asked for", data, err)
				}
			})
			synctest.Wait()
			late()
			synctest.Wait()
			others()
			all.Wait()
		}
	})
}
