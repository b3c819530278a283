package redisbackend_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

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
	t.Parallel()
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
