package redis_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/codec"
	"github.com/seed-dad15c92/txcache/internal/redistest"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// keysOf returns the keys of a server that start with prefix, sorted.
func keysOf(t testing.TB, server *redistest.Server, prefix string) []string {
	t.Helper()
	var keys []string
	all := server.Client().Scan(t.Context(), 0, prefix+"*", 1000).Iterator()
	for all.Next(t.Context()) {
		keys = append(keys, all.Val())
	}
	if err := all.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// valueKeys returns those of them that hold values.
func valueKeys(t testing.TB, server *redistest.Server, prefix string) []string {
	t.Helper()
	return slices.DeleteFunc(keysOf(t, server, prefix), func(key string) bool { return strings.HasSuffix(key, ":@") })
}

// hostilePayloads returns what may be found in place of a good payload.
func hostilePayloads(good string) map[string]string {
	header, body := good[:codec.HeaderSize], good[codec.HeaderSize:]
	past := header[:2] + string(binary.BigEndian.AppendUint64(nil, uint64(time.Now().Add(-time.Second).UnixNano()))) + header[10:]
	bad := map[string]string{
		"empty":                  "",
		"zeros":                  strings.Repeat("\x00", 1000),
		"JSON":                   `{"a": 1}`,
		"no envelope":            body,
		"expired":                past + body,
		"negative expiry":        header[:2] + strings.Repeat("\xff", 8) + header[10:] + body,
		"another format":         "\x02" + good[1:],
		"trailing byte":          good + "\x00",
		"twice":                  good + good,
		"map of 4 billion":       header + "\xdf\xff\xff\xff\xff",
		"array of 4 billion":     header + "\xdd\xff\xff\xff\xff",
		"bytes of 4 GB":          header + "\xc6\xff\xff\xff\xff",
		"string of 4 GB":         header + "\xdb\xff\xff\xff\xff",
		"extension of 4 GB":      header + "\xc9\xff\xff\xff\xff\x01",
		"promises within":        header + strings.Repeat("\xdd\xff\xff\xff\xff", 1000),
		"nested arrays":          header + strings.Repeat("\x91", 1_000_000),
		"nested maps":            header + strings.Repeat("\x81\xa1a", 300_000),
		"nested interfaces":      header + strings.Repeat("\x92\x35\x91", 300_000),
		"a function's worth":     header + "\xc1",
		"ten megabytes of noise": strings.Repeat("\xdc\x01\x7f\xa3 noise", 1<<20),
	}
	for n := range good {
		bad[fmt.Sprintf("first %d bytes", n)] = good[:n]
	}
	for i := range body {
		for _, c := range []byte{0xc1, 0xdd, 0xdf, 0xff} {
			if body[i] != c {
				bad[fmt.Sprintf("byte %d is %#x", i, c)] = header + body[:i] + string([]byte{c}) + body[i+1:]
			}
		}
	}
	return bad
}

// A hoard is a cache of one type, with a value that a key of it has.
type hoard struct {
	name string
	open func(t *testing.T, s *txcache.Store, name string) (get func() (any, bool), set func(), stats func() txcache.Stats)
}

func hoardOf[V any](name string, value V) hoard {
	return hoard{name, func(t *testing.T, s *txcache.Store, name string) (func() (any, bool), func(), func() txcache.Stats) {
		c := storetest.NewCache[string, V](t, s, name, txcache.CacheOptions{})
		get := func() (any, bool) {
			tx := storetest.BeginReadOnly(t, s, "db")
			defer tx.Rollback()
			found := c.GetMany(t.Context(), tx, []string{"none", "x"})
			v, ok := c.Get(t.Context(), tx, "x")
			if _, too := found["x"]; too != ok {
				t.Errorf("GetMany finds a value: %v, Get: %v", too, ok)
			}
			return v, ok
		}
		return get, func() { storetest.Publish(t, s, "db", c, "x", value) }, c.Stats
	}}
}

// P9: whatever is found under the key of a value, it is a miss or, where it is
// well-formed, a value of the cache's type; it takes no memory beyond its size;
// and the next Set repairs it.
func TestRedisP9HostilePayloads(t *testing.T) {
	type record struct {
		Name string
		Tags map[string]any
		Next *record
	}
	server := redistest.Start(t)
	cfg := settings(server.URI())
	cfg.Redis.Near = false // which would hide what is in Redis
	s := join(t, cfg)
	for _, h := range []hoard{
		hoardOf("number", 42),
		hoardOf("text", "text"),
		hoardOf("bytes", []byte("bytes")),
		hoardOf("map", map[string]any{"a": 1, "b": []any{"c", nil}}),
		hoardOf("struct", record{"Ada", map[string]any{"a": 1.5}, &record{Name: "Grace"}}),
		hoardOf("time", time.Date(2024, 1, 2, 3, 4, 5, 6, time.UTC)),
		hoardOf("anything", any([]any{"a", map[string]any{"b": 1}})),
	} {
		t.Run(h.name, func(t *testing.T) {
			before := valueKeys(t, server, cfg.Prefix)
			get, set, stats := h.open(t, s.Store, h.name)
			set()
			keys := slices.DeleteFunc(valueKeys(t, server, cfg.Prefix), func(key string) bool { return slices.Contains(before, key) })
			if len(keys) != 1 {
				t.Fatalf("a value has the keys %q", keys)
			}
			key, client := keys[0], server.Client()
			good := client.Get(t.Context(), key).Val()
			if len(good) < 10 {
				t.Fatalf("the payload is %q", good)
			}
			want, ok := get()
			if !ok {
				t.Fatal("the good payload is a miss")
			}
			for name, bad := range hostilePayloads(good) {
				client.Set(t.Context(), key, bad, time.Minute)
				counted := stats()
				allocated := allocations(func() {
					if v, ok := get(); ok && strings.Contains(name, "byte") && fmt.Sprintf("%T", v) != fmt.Sprintf("%T", want) {
						t.Errorf("%s: %T comes out of a cache of %T", name, v, want)
					} else if ok && !strings.HasPrefix(name, "byte ") { // which may make another good one
						t.Errorf("%s: a hit, %v", name, v)
					} else if got := stats(); !ok && name != "expired" && name != "negative expiry" && got.BadPayloads != counted.BadPayloads+2 {
						t.Errorf("%s: %d bad payloads were counted; want 2", name, got.BadPayloads-counted.BadPayloads)
					}
				})
				// The client and the decoder each have it in hand twice.
				if limit := uint64(1<<20 + 10*len(bad)); allocated > limit {
					t.Errorf("%s: reading %d bytes allocates %d; want less than %d", name, len(bad), allocated, limit)
				}
			}
			for name, spoil := range map[string][]any{
				"a list":   {"rpush", key, "a"},
				"a hash":   {"hset", key, "a", "b"},
				"a set":    {"sadd", key, "a"},
				"a stream": {"xadd", key, "*", "a", "b"},
			} {
				client.Del(t.Context(), key)
				server.Do(spoil...)
				if v, ok := get(); ok {
					t.Errorf("%s: a hit, %v", name, v)
				}
				set()
				if v, ok := get(); !ok || fmt.Sprint(v) != fmt.Sprint(want) && h.name != "struct" {
					t.Errorf("%s: after the next Set there is %v, %v; want %v", name, v, ok, want)
				}
				if ttl := client.PTTL(t.Context(), key).Val(); ttl <= 0 {
					t.Errorf("%s: after the next Set the time to live is %v", name, ttl)
				}
			}
			if s := stats(); s.RemoteErrors != 0 {
				t.Errorf("%d calls failed because of what was found", s.RemoteErrors)
			}
		})
	}
}

// A payload of one key's type under the key of another type is a miss too.
func TestRedisP9PayloadOfAnotherType(t *testing.T) {
	server := redistest.Start(t)
	cfg := settings(server.URI())
	cfg.Redis.Near = false
	s := join(t, cfg)
	_, set, _ := hoardOf("", "text").open(t, s.Store, "a")
	set()
	foreign := server.Client().Get(t.Context(), valueKeys(t, server, cfg.Prefix)[0]).Val()
	get, set, _ := hoardOf("", map[int]bool{1: true}).open(t, s.Store, "b")
	set()
	if _, ok := get(); !ok {
		t.Fatal("the good payload is a miss")
	}
	for _, key := range valueKeys(t, server, cfg.Prefix) {
		server.Do("set", key, foreign, "keepttl")
	}
	if v, ok := get(); ok {
		t.Errorf("text comes out of a cache of maps as %v", v)
	}
}

// P9: nonsense in a database's hash makes it start anew, and does not stop the
// service or others.
func TestRedisP9HostileHash(t *testing.T) {
	server := redistest.Start(t)
	cfg := settings(server.URI())
	all := joinMany(t, cfg, 2)
	for name, spoil := range map[string]func(hash string){
		"text":              func(hash string) { server.Do("del", hash); server.Do("set", hash, "text") },
		"list":              func(hash string) { server.Do("del", hash); server.Do("rpush", hash, "a", "b") },
		"a field too many":  func(hash string) { server.Do("hset", hash, "cother", "token") },
		"a bad name":        func(hash string) { server.Do("hdel", hash, "cc"); server.Do("hset", hash, "c%zz", "token") },
		"an empty token":    func(hash string) { server.Do("hset", hash, "cc", "") },
		"an empty base":     func(hash string) { server.Do("hset", hash, "b", "") },
		"a huge version":    func(hash string) { server.Do("hset", hash, "e", "epoch "+strings.Repeat("9", 400)) },
		"a version of 2^63": func(hash string) { server.Do("hset", hash, "e", "epoch "+"9223372036854775808") },
		"infinite version":  func(hash string) { server.Do("hset", hash, "e", "epoch "+"inf") },
		"no number":         func(hash string) { server.Do("hset", hash, "e", "epoch "+"nan") },
		"negative version":  func(hash string) { server.Do("hset", hash, "e", "epoch "+"-5") },
		"fraction":          func(hash string) { server.Do("hset", hash, "e", "epoch "+"1.5") },
		"no version":        func(hash string) { server.Do("hset", hash, "e", "epoch "+"") },
		"no epoch":          func(hash string) { server.Do("hset", hash, "e", " 5") },
		"nonsense fences":   func(hash string) { server.Do("hset", hash, "f", "nonsense\n\n  \x00\xff") },
		"fence without end": func(hash string) { server.Do("hset", hash, "f", "id 99999999999999999999 99999999999999999999 1") },
		"fence of a bad name": func(hash string) {
			server.Do("hset", hash, "f", "id 99999999999999 60000 0 %zz")
		},
		"a megabyte": func(hash string) { server.Do("hset", hash, "f", strings.Repeat("x", 1<<20)) },
	} {
		t.Run(name, func(t *testing.T) {
			db := strings.ReplaceAll(name, " ", "")
			all[0].clear(t, db)
			all[0].publish(t, db, 1)
			storetest.Publish(t, all[0].Store, "neighbour", all[0].c, "x", 5)
			spoil(cfg.Prefix + ":" + db + ":@")
			for _, m := range append(all, join(t, cfg)) {
				m.get(t, db) // a hit or a miss, but it ends
				storetest.Hit(t, storetest.BeginReadOnly(t, m.Store, "neighbour"), m.c, "x", 5, "the neighbour is left alone")
			}
			ctx, cancel := context.WithTimeout(t.Context(), storetest.Recovery)
			defer cancel()
			tx := storetest.Begin(t, all[1].Store, db)
			storetest.Clear(t, tx, all[1].c)
			if err := tx.Commit(ctx); err != nil {
				t.Errorf("a commit that clears: %v", err)
			}
			all[1].publish(t, db, 2)
			for i, m := range append(all, join(t, cfg)) {
				storetest.Hit(t, storetest.BeginReadOnly(t, m.Store, db), m.c, "x", 2, fmt.Sprintf("server %d: a commit has repaired it", i))
			}
		})
	}
}

// allocations returns how many bytes f allocates.
func allocations(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
