package redisbackend_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/inspect"
	"github.com/seed-dad15c92/txcache/internal/redistest"
	"github.com/seed-dad15c92/txcache/redisbackend"
)

const partSize = 64 << 10 // up to which a value is kept as it is

func keyIn(cache, key string) backend.Key {
	return backend.Key{Database: "shop", Cache: cache, Schema: "s", Token: "t", Key: key}
}

// filled returns n bytes that differ from those of another seed, and of one
// part from those of another.
func filled(n int, seed byte) []byte {
	data := make([]byte, n)
	for i := range data {
		data[i] = seed + byte(i*7+i>>13)
	}
	return data
}

func mustSet(t *testing.T, b *redisbackend.Backend, key backend.Key, data []byte) {
	t.Helper()
	if err := b.Set(t.Context(), []backend.Value{{Key: key, Data: data}}); err != nil {
		t.Fatalf("Set of %d bytes: %v", len(data), err)
	}
}

func mustGet(t *testing.T, b *redisbackend.Backend, keys ...backend.Key) [][]byte {
	t.Helper()
	data, err := b.Get(t.Context(), keys)
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	return data
}

// Values come back whatever their length, alone and with others, and so does
// what looks like the summary of one; each can be swapped.
func TestValuesOfEveryLength(t *testing.T) {
	inBubble(t, func(t *testing.T, server *miniredis.Miniredis, p *process) {
		other := over(t, dialing(server), nil)
		large := keyIn("c", "large")
		mustSet(t, p.Backend, large, filled(2*partSize, 1))
		summary, err := server.Get("txcache:shop:c@s:t:large")
		if err != nil || len(summary) > 100 {
			t.Fatalf("a large value is kept as %d bytes: %v", len(summary), err)
		}
		all := map[string][]byte{"like a summary": []byte(summary), "like another": append([]byte(summary[:len(summary)-1]), 'x')}
		for _, n := range []int{0, 1, partSize - 1, partSize, partSize + 1, 2 * partSize, 3*partSize - 1, 1_000_000} {
			all[fmt.Sprint(n)] = filled(n, 2)
		}
		var keys []backend.Key
		for name, data := range all {
			keys = append(keys, keyIn("c", name))
			mustSet(t, p.Backend, keys[len(keys)-1], data)
		}
		together := mustGet(t, other.Backend, keys...)
		for i, key := range keys {
			want := all[key.Key]
			if alone := mustGet(t, other.Backend, key)[0]; alone == nil || !bytes.Equal(alone, want) || !bytes.Equal(together[i], want) {
				t.Errorf("%s: of %d bytes that were set come %d alone, %d with others", key.Key, len(want), len(alone), len(together[i]))
			}
			for _, s := range []struct {
				old, new, found []byte
			}{
				{nil, []byte("x"), want},                       // something is there
				{[]byte("x"), []byte("y"), want},               // and it is not this
				{want, filled(100_000, 3), want},               // it is what is expected
				{want, nil, filled(100_000, 3)},                // which it was
				{filled(100_000, 3), want, filled(100_000, 3)}, // as it was before
				{want, nil, want},
				{nil, want, nil},
			} {
				found, err := other.Swap(t.Context(), []backend.Swap{{Key: key, Old: s.old, New: s.new}})
				if err != nil || (found[0] == nil) != (s.found == nil) || !bytes.Equal(found[0], s.found) {
					t.Errorf("%s: Swap of %d bytes by %d finds %d, %v; want %d", key.Key, len(s.old), len(s.new), len(found[0]), err, len(s.found))
				}
			}
		}
	})
}

// A value of which a part is not what it was is a miss (P9), and one that can be
// loaded and set again.
func TestALargeValueThatIsIncomplete(t *testing.T) {
	inBubble(t, func(t *testing.T, server *miniredis.Miniredis, p *process) {
		key, data := keyIn("c", "k"), filled(3*partSize+10, 1)
		for name, spoil := range map[string]func(part string){
			"missing":   func(part string) { server.Del(part) },
			"shorter":   func(part string) { _ = server.Set(part, "x") },
			"longer":    func(part string) { _ = server.Set(part, strings.Repeat("x", partSize+1)) },
			"another":   func(part string) { _ = server.Set(part, strings.Repeat("x", partSize)) },
			"no string": func(part string) { server.Del(part); _, _ = server.Push(part, "x") },
		} {
			mustSet(t, p.Backend, key, data)
			var parts []string
			for _, k := range server.Keys() {
				if strings.HasPrefix(k, "txcache:shop:c@s:t:k!") {
					parts = append(parts, k)
				}
			}
			if len(parts) != 4 {
				t.Fatalf("the parts are %q, want four", parts)
			}
			spoil(parts[1])
			if got := mustGet(t, p.Backend, key)[0]; got != nil {
				t.Errorf("%s: %d bytes are found, want a miss", name, len(got))
			}
			found, err := p.Swap(t.Context(), []backend.Swap{{Key: key, New: []byte("mark")}})
			if err != nil || found[0] != nil {
				t.Errorf("%s: Swap in the place of nothing finds %q, %v", name, found[0], err)
			}
			if got := mustGet(t, p.Backend, key)[0]; string(got) != "mark" {
				t.Errorf("%s: after Swap there is %q", name, got)
			}
			for _, part := range parts {
				server.Del(part)
			}
		}
	})
}

// A summary that somebody else has written is a miss, and nothing is allocated
// for the length that it tells (P9).
func TestASummaryThatLies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := bubbleServer(t)
		p := over(t, dialing(server), &redisbackend.Options{LargestValue: 1_000_000})
		key := keyIn("c", "k")
		mustSet(t, p.Backend, key, filled(partSize+1, 1))
		summary, _ := server.Get("txcache:shop:c@s:t:k")
		for _, length := range []uint64{0, 1, partSize, 1_000_000, 1_000_001, 1 << 40, 1 << 63, 1<<64 - 1} {
			lie := []byte(summary)
			binary.BigEndian.PutUint64(lie[len(lie)-40:], length)
			_ = server.Set("txcache:shop:c@s:t:k", string(lie))
			g := newGate(p.client)
			if got := mustGet(t, p.Backend, key)[0]; got != nil {
				t.Errorf("a length of %d: %d bytes are found", length, len(got))
			}
			if n := g.count("get"); length > 1_000_000 && n != 1 {
				t.Errorf("a length of %d, which is above the limit: %d strings are read, want the summary alone", length, n)
			}
		}
	})
}

// What cannot be kept is no reason not to keep the rest, and nobody else's matter.
func TestAValueThatCannotBeKept(t *testing.T) {
	server := redistest.Start(t)
	cfg := settings(server.URI())
	cfg.Redis.LargestValue = 1_000_000
	b := open(t, cfg)
	if n := b.Largest(); n != 1_000_000 {
		t.Errorf("Largest is %d", n)
	}
	set := func(sizes ...int) (kept []int, err error) {
		var keys []backend.Key
		var values []backend.Value
		for i, n := range sizes {
			keys = append(keys, backend.Key{Database: "shop", Cache: "c", Token: backend.NewToken(), Key: fmt.Sprint(i)})
			values = append(values, backend.Value{Key: keys[i], Data: filled(n, 1)})
		}
		err = b.Set(t.Context(), values)
		for i, data := range mustGet(t, b, keys...) {
			if data != nil {
				kept = append(kept, i)
			}
		}
		return kept, err
	}
	if kept, err := set(10, 1_000_001, 1_000_000, 20); err == nil || !strings.Contains(err.Error(), "1000001 bytes") || fmt.Sprint(kept) != "[0 2 3]" {
		t.Errorf("beyond the setting: %v are kept, %v", kept, err)
	}
	used := server.Client().Info(t.Context(), "memory").Val()
	used = used[strings.Index(used, "used_memory:")+len("used_memory:"):]
	var now int
	fmt.Sscan(used, &now)
	server.Do("config", "set", "maxmemory", now+500_000)
	kept, err := set(10, 900_000, 20)
	if err == nil || !strings.Contains(err.Error(), "OOM") || fmt.Sprint(kept) != "[0 2]" {
		t.Errorf("beyond the memory of the server: %v are kept, %v", kept, err)
	}
	if b.Stats().Failures > 0 {
		t.Errorf("%d requests count as failed", b.Stats().Failures)
	}
}

// A poison is a hook that breaks the connection over what has to do with a key
// called poison, as a server does over what exceeds a limit of its own.
type poison struct{}

func (poison) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

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
		// While the lanes are busy, others are collected to be sent together.
		first, second := g.hold(g.before, "mget"), g.hold(g.before, "set")
		var all sync.WaitGroup
		all.Go(func() { _, _ = p.Get(t.Context(), []backend.Key{keyIn("c", "a"), keyIn("c", "b")}) })
		all.Go(func() { _ = p.Set(t.Context(), []backend.Value{{Key: keyIn("c", "c"), Data: []byte("x")}}) })
		synctest.Wait()
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
		first()
		second()
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
		p.client.AddHook(slow{time.Second}) // which is longer than the limit of a call
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

// A slow is a hook that takes a while over each GET and SET.
type slow struct{ wait time.Duration }

func (slow) DialHook(next redis.DialHook) redis.DialHook { return next }

func (s slow) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() == "get" || cmd.Name() == "set" {
			time.Sleep(s.wait)
		}
		return next(ctx, cmd)
	}
}

func (s slow) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if cmds[0].Name() == "set" {
			time.Sleep(s.wait)
		}
		return next(ctx, cmds)
	}
}

// A value is kept no longer than its time to live, counted from the call: what it
// takes to send what goes before it, or its own parts, is not added.
func TestNoValueLivesLongerForHavingBeenSentSlowly(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *miniredis.Miniredis, p *process) {
		settled(t, p)
		const wait, ttl = 100 * time.Millisecond, 10 * time.Second
		p.client.AddHook(slow{wait})
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

// Who waits for others too long gets nothing, but the server is not taken to be
// away; nor may any number wait.
func TestLargeValuesThatWaitForOthers(t *testing.T) {
	inBubble(t, func(t *testing.T, server *miniredis.Miniredis, p *process) {
		settled(t, p)
		time.Sleep(time.Minute)
		p.client.AddHook(slow{200 * time.Millisecond})
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

// What one request asks for is cut by what the values of the cache have been like.
func TestReadsAreCutByBytes(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *miniredis.Miniredis, p *process) {
		keys := map[string][]backend.Key{}
		for cache, n := range map[string]int{"small": 10, "large": 60_000} {
			for i := range 40 {
				key := keyIn(cache, fmt.Sprint(i))
				keys[cache] = append(keys[cache], key)
				mustSet(t, p.Backend, key, filled(n, byte(i)))
			}
		}
		for range 3 {
			for cache, want := range map[string]int{"small": 1, "large": 10} {
				mustGet(t, p.Backend, keys[cache]...)
				g := newGate(p.client)
				for i, data := range mustGet(t, p.Backend, keys[cache]...) {
					if len(data) == 0 || data[0] != byte(i) {
						t.Fatalf("%s: in place %d is another value, of %d bytes", cache, i, len(data))
					}
				}
				if n := g.count("mget"); n != want {
					t.Errorf("%s: 40 values come in %d requests, want %d", cache, n, want)
				}
			}
		}
	})
}

// What one request sets is cut by bytes and by count.
func TestWritesAreCut(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *miniredis.Miniredis, p *process) {
		for n, most := range map[int]int{10: 256, 60_000: 4} {
			w := &pipelines{}
			p.client.AddHook(w)
			var values []backend.Value
			for i := range 1000 {
				values = append(values, backend.Value{Key: keyIn("c", fmt.Sprint(i)), Data: filled(n, 1)})
			}
			if err := p.Set(t.Context(), values); err != nil {
				t.Fatal(err)
			}
			if w.most != most {
				t.Errorf("of %d bytes each %d values go together, want %d", n, w.most, most)
			}
		}
	})
}

// pipelines is a hook that knows the longest pipeline.
type pipelines struct{ most int }

func (*pipelines) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (*pipelines) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }
func (w *pipelines) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		w.most = max(w.most, len(cmds))
		return next(ctx, cmds)
	}
}

// The text of the script for leases is sent when the server does not know it,
// and once.
func TestLeasesGoByDigest(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *miniredis.Miniredis, p *process) {
		g := newGate(p.client)
		var swaps []backend.Swap
		for i := range 1000 {
			swaps = append(swaps, backend.Swap{Key: keyIn("c", fmt.Sprint(i)), New: []byte("mark")})
		}
		for _, old := range [][]byte{nil, []byte("mark")} {
			for i := range swaps {
				swaps[i].Old = old
			}
			found, err := p.Swap(t.Context(), swaps)
			if err != nil {
				t.Fatal(err)
			}
			for i := range found {
				if !bytes.Equal(found[i], old) || (found[i] == nil) != (old == nil) {
					t.Fatalf("swap %d finds %q, want %q", i, found[i], old)
				}
			}
		}
		if n := g.count("eval"); n != 1 {
			t.Errorf("the script was sent %d times, want once", n)
		}
	})
}

// Parts count as memory of a cache, not as values, and go with a drop.
func TestPartsAreNoValues(t *testing.T) {
	server := redistest.Start(t)
	cfg := settings(server.URI())
	b := open(t, cfg)
	token := mustSync(t, b, "shop").Base
	long := strings.Repeat("a key of more than a hundred characters ", 5)
	for i, key := range []string{"large", long, "small"} {
		n := 500_000
		if i == 2 {
			n = 10
		}
		mustSet(t, b, backend.Key{Database: "shop", Cache: "c", Schema: "s", Token: token, Key: key}, filled(n, byte(i)))
	}
	census, err := inspectorOf(b).Caches(t.Context(), "shop", 0)
	if err != nil || len(census.Caches) != 1 {
		t.Fatalf("Caches: %+v, %v", census, err)
	}
	if live := census.Caches[0].Live; live.Values != 3 || live.Bytes < 1_000_000 {
		t.Errorf("three values, two of them large, are counted as %+v", live)
	}
	found, matched, err := inspectorOf(b).Find(t.Context(), "shop", "c", token, 10, func(*inspect.Entry) bool { return true })
	if err != nil || matched != 3 {
		t.Fatalf("Find: %d match, %v", matched, err)
	}
	for _, f := range found {
		if f.Is("small") != (len(f.Data) == 10) || !f.Is("small") && len(f.Data) != 500_000 {
			t.Errorf("%q is found with %d bytes", f.Key, len(f.Data))
		}
	}
	if err := b.Drop(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	if n := b.Stats().Removed; n != 3 {
		t.Errorf("%d values count as removed, want 3", n)
	}
	if left := server.Client().Keys(t.Context(), cfg.Prefix+":shop:*").Val(); len(left) > 0 {
		t.Errorf("%q are left", left)
	}
}

// Large values over a cluster, whose masters share the parts.
func TestLargeValuesInACluster(t *testing.T) {
	c := redistest.StartCluster(t)
	b := open(t, settings(c.URI()))
	var keys []backend.Key
	var values []backend.Value
	var swaps []backend.Swap
	for i := range 20 {
		keys = append(keys, keyIn("c", fmt.Sprint(i)))
		values = append(values, backend.Value{Key: keys[i], Data: filled(1+i*30_000, byte(i))})
		swaps = append(swaps, backend.Swap{Key: keys[i], Old: values[i].Data, New: filled(1+i*20_000, byte(i+1))})
	}
	if err := b.Set(t.Context(), values); err != nil {
		t.Fatal(err)
	}
	for i, data := range mustGet(t, b, keys...) {
		if !bytes.Equal(data, values[i].Data) {
			t.Errorf("value %d comes back with %d bytes, want %d", i, len(data), len(values[i].Data))
		}
	}
	if _, err := b.Swap(t.Context(), swaps); err != nil {
		t.Fatal(err)
	}
	for i, data := range mustGet(t, b, keys...) {
		if !bytes.Equal(data, swaps[i].New) {
			t.Errorf("value %d comes back with %d bytes after Swap, want %d", i, len(data), len(swaps[i].New))
		}
	}
}

func TestLargestValueIsChecked(t *testing.T) {
	client := clientOf(&redis.Options{})
	defer client.Close()
	for n, good := range map[int]bool{-1: false, 0: true, 1: true, 512_000_000: true, 512_000_001: false} {
		b, err := redisbackend.New(client, &redisbackend.Options{LargestValue: n})
		if (err == nil) != good {
			t.Errorf("LargestValue %d: %v", n, err)
		}
		if b != nil {
			_ = b.Close()
		}
	}
}
