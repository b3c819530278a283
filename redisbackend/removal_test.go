package redisbackend_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/redistest"
	"github.com/seed-dad15c92/txcache/redisbackend"
)

// fill writes n values of one generation, many at a time.
func fill(t testing.TB, b *redisbackend.Backend, name, cache string, token backend.Token, n int) {
	t.Helper()
	for start := 0; start < n; start += 2000 {
		values := make([]backend.Value, 0, 2000)
		for i := start; i < min(n, start+2000); i++ {
			key := backend.Key{Database: name, Cache: cache, Schema: "s", Token: token, Key: strconv.Itoa(i)}
			values = append(values, backend.Value{Key: key, Data: []byte("some data")})
		}
		if err := b.Set(t.Context(), values); err != nil {
			t.Fatal(err)
		}
	}
}

func keys(t *testing.T, server *redistest.Server, pattern string) (keys []string) {
	t.Helper()
	iter := server.Client().Scan(t.Context(), 0, pattern, 10_000).Iterator()
	for iter.Next(t.Context()) {
		keys = append(keys, iter.Val())
	}
	if err := iter.Err(); err != nil {
		t.Fatal(err)
	}
	return keys
}

// pings sends a PING each millisecond, over a connection of its own, until the
// function is called that it returns. That returns how long they took, sorted.
func pings(t *testing.T, server *redistest.Server) (end func() []time.Duration) {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: server.Addr})
	ctx, cancel := context.WithCancel(t.Context())
	var took []time.Duration
	var sender sync.WaitGroup
	sender.Go(func() {
		defer client.Close()
		for ctx.Err() == nil {
			start := time.Now()
			if err := client.Ping(t.Context()).Err(); err != nil {
				t.Error(err)
				return
			}
			took = append(took, time.Since(start))
			time.Sleep(time.Millisecond)
		}
	})
	return func() []time.Duration {
		cancel()
		sender.Wait()
		if len(took) == 0 {
			t.Fatal("no PING was sent")
		}
		slices.Sort(took)
		return took
	}
}

// small fails the test if a command of a drop looked at more keys, or removed more, than any may: then
// a server is kept for about a millisecond, whatever else its machine does.
func small(t *testing.T, server *redistest.Server) {
	t.Helper()
	const page, batch = 4096, 16
	commands, err := server.Client().SlowLogGet(t.Context(), -1).Result()
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string]int{}
	for _, c := range commands {
		name := c.Args[0]
		calls[name]++
		switch {
		case name == "unlink" && len(c.Args) > 1+batch:
			t.Errorf("an UNLINK has %d keys at least, want %d at most", len(c.Args)-1, batch)
		case name == "scan":
			if n, err := strconv.Atoi(c.Args[len(c.Args)-1]); err != nil || n > page {
				t.Errorf("a SCAN is %q, want a COUNT of %d at most", c.Args, page)
			}
		}
	}
	if calls["scan"] == 0 || calls["unlink"] == 0 {
		t.Errorf("the server knows of %v", calls)
	}
}

// Dropping a large database neither blocks the server nor touches another.
func TestDropOfALargeDatabase(t *testing.T) {
	n := 500_000
	if testing.Short() {
		n = 20_000
	}
	server := redistest.Start(t)
	cfg := settings(server.URI())
	b := open(t, cfg)
	neighbours := []string{"shop2", "sho", "shop:", "*", "shop*"}
	for _, name := range neighbours {
		fill(t, b, name, "c", mustSync(t, b, name).Base, 10)
	}
	fill(t, b, "shop", "c", mustSync(t, b, "shop").Base, n)
	for _, key := range keys(t, server, cfg.Prefix+":*@s:*")[:100] {
		if ttl := server.Client().TTL(t.Context(), key).Val(); ttl <= 0 || ttl > cfg.Redis.Duration {
			t.Errorf("%s lives for %v", key, ttl)
		}
	}
	server.Do("config", "set", "latency-tracking-info-percentiles", "50 90")
	server.Do("config", "set", "slowlog-log-slower-than", "0", "slowlog-max-len", "1000000") // it tells of each command
	server.Do("slowlog", "reset")
	server.Do("config", "resetstat")
	waits := pings(t, server)
	if err := b.Drop(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	// A machine that has other work may keep a few of them waiting.
	took := waits()
	if most := took[len(took)*9/10]; most > 20*time.Millisecond {
		t.Errorf("9 of 10 PINGs, of %d, took up to %v beside a drop, want 20 ms", len(took), most)
	}
	small(t, server)
	stats := server.Client().Info(t.Context(), "commandstats").Val()
	if regexp.MustCompile(`cmdstat_(keys|flush)`).MatchString(stats) {
		t.Errorf("commands that block were used:\n%s", stats)
	}
	// Time by the wall clock passes also while another process has the
	// processor, so single commands may look slow that did nothing: of the few of a short run one in ten.
	latency := server.Client().Info(t.Context(), "latencystats").Val()
	for _, name := range []string{"scan", "unlink"} {
		m := regexp.MustCompile(`usec_` + name + `:p50=([\d.]+),p90=([\d.]+)`).FindStringSubmatch(latency)
		if m == nil {
			t.Fatalf("no %s:\n%s", name, latency)
		}
		half, _ := strconv.ParseFloat(m[1], 64)
		most, _ := strconv.ParseFloat(m[2], 64)
		if half > 1500 || most > 5000 && !testing.Short() {
			t.Errorf("%s: half of the calls took the server up to %v µs, and 9 of 10 up to %v µs; want 1500 and 5000", name, half, most)
		}
	}
	if left := keys(t, server, cfg.Prefix+":shop:*"); len(left) > 0 {
		t.Errorf("%d keys are left: %.200v", len(left), left)
	}
	for _, name := range neighbours {
		s := mustSync(t, b, name)
		data, err := b.Get(t.Context(), []backend.Key{{Database: name, Cache: "c", Schema: "s", Token: s.Base, Key: "1"}})
		if err != nil || string(data[0]) != "some data" {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
}

// A server frees a string where it stands, however it is told to remove it, so
// large ones must not be removed together.
func TestDropOfLargeValues(t *testing.T) {
	server := redistest.Start(t)
	b := open(t, settings(server.URI()))
	token := mustSync(t, b, "shop").Base
	const n = 200
	for i := range n {
		key := backend.Key{Database: "shop", Cache: "c", Schema: "s", Token: token, Key: strconv.Itoa(i)}
		if err := b.Set(t.Context(), []backend.Value{{Key: key, Data: make([]byte, 1<<20)}}); err != nil {
			t.Fatal(err)
		}
	}
	server.Do("config", "resetstat")
	if err := b.Drop(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	stats := server.Client().Info(t.Context(), "commandstats").Val()
	m := regexp.MustCompile(`cmdstat_unlink:calls=(\d+),usec=(\d+)`).FindStringSubmatch(stats)
	if m == nil || b.Stats().Removed != n {
		t.Fatalf("%d values were removed of %d:\n%s", b.Stats().Removed, n, stats)
	}
	calls, _ := strconv.Atoi(m[1])
	usec, _ := strconv.Atoi(m[2])
	if usec > calls*5000 {
		t.Errorf("%d calls of UNLINK took the server %d µs, want less than 5 ms each", calls, usec)
	}
}

func TestDropOnAllMasters(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t)
	cfg := settings(c.URI())
	b := open(t, cfg)
	fill(t, b, "shop", "c", mustSync(t, b, "shop").Base, 1000)
	fill(t, b, "other", "c", mustSync(t, b, "other").Base, 1000)
	if err := b.Drop(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	left, others := 0, 0
	for _, m := range c.Masters {
		left += len(keys(t, m, cfg.Prefix+":shop:*"))
		others += len(keys(t, m, cfg.Prefix+":other:*@s:*"))
	}
	if left > 0 || others != 1000 {
		t.Errorf("%d keys are left of the database, and %d of the other, want 1000", left, others)
	}
}

// Sweep removes what no State leads to any more, and nothing else.
func TestSweep(t *testing.T) {
	server := redistest.Start(t)
	cfg := settings(server.URI())
	b := open(t, cfg)
	old := mustSync(t, b, "shop")
	fill(t, b, "shop", "cleared", old.Base, 700)
	fill(t, b, "shop", "kept", old.Base, 30)
	now := mustClear(t, b, "shop", "cleared")
	fill(t, b, "shop", "cleared", now.Token("cleared"), 40)
	fill(t, b, "lost", "c", mustSync(t, b, "lost").Base, 50)
	server.Do("del", cfg.Prefix+":lost:@")
	server.Do("set", cfg.Prefix+":foreign", "x")
	other := settings(server.URI())
	stranger := open(t, other)
	fill(t, stranger, "shop", "c", "dead", 10)

	removed, err := inspectorOf(b).Sweep(t.Context())
	if err != nil || removed != 750 {
		t.Errorf("Sweep: %d, %v, want 750", removed, err)
	}
	for pattern, want := range map[string]int{
		cfg.Prefix + ":shop:kept@*": 30, cfg.Prefix + ":shop:cleared@*": 40, cfg.Prefix + ":lost:*": 0,
		cfg.Prefix + ":foreign": 1, other.Prefix + ":shop:c@*": 10,
	} {
		if got := len(keys(t, server, pattern)); got != want {
			t.Errorf("%d keys match %s, want %d", got, strings.TrimPrefix(pattern, cfg.Prefix), want)
		}
	}
}

// Garbage is removed without being asked for, once there is much of it (P10).
func TestGarbageIsCollected(t *testing.T) {
	server := redistest.Start(t)
	cfg := settings(server.URI())
	b := open(t, cfg)
	const n = 12_000
	fill(t, b, "shop", "c", mustSync(t, b, "shop").Base, n)
	mustClear(t, b, "shop", "c")
	for end := time.Now().Add(30 * time.Second); b.Stats().Removed < n && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	if s := b.Stats(); s.Removed != n || s.Garbage != 0 {
		t.Errorf("after a clear of %d values: %+v", n, s)
	}
}

// Nothing that is published on the channel makes a State wrong: at most it is
// asked for once more.
func TestForeignAnnouncements(t *testing.T) {
	server := redistest.Start(t)
	cfg := settings(server.URI())
	cfg.Sync = config.SyncChannel
	b := open(t, cfg)
	awaitListening(t, b)
	s := mustSync(t, b, "shop")
	for _, message := range []string{
		"", " ", "shop", "shop x", "shop x y", "shop " + string(s.Epoch) + " 0", "shop " + string(s.Epoch) + " 1", "shop nosuch 99999999999999999999",
		"unknown e 1", "% e 1", "%zz e 1", "! e 1", "! x -1", "\x00\xff", strings.Repeat("x", 100_000), "shop e 18446744073709551615",
	} {
		server.Do("publish", cfg.Prefix+":@changes", message)
		if got := mustSync(t, b, "shop"); got != s {
			t.Errorf("after %.20q: %+v, want what was known before", message, got)
		}
	}
	awaitListening(t, b)
}

// While announcements arrive Sync asks nothing, and shows the changes of others.
func TestChannelNeedsNoRoundTrip(t *testing.T) {
	server := redistest.Start(t)
	cfg := settings(server.URI())
	cfg.Sync = config.SyncChannel
	b, other := open(t, cfg), open(t, cfg)
	awaitListening(t, b)
	var first uint64
	quiet := 0
	for i := range 1000 {
		mustSync(t, b, "shop")
		if trips := b.Stats().RoundTrips; i > 0 && trips == first {
			quiet++
		} else {
			first = trips
		}
	}
	if quiet < 900 {
		t.Errorf("%d of 1000 calls needed no round trip", quiet)
	}
	cleared := mustClear(t, other, "shop", "c")
	for end := time.Now().Add(20 * time.Second); mustSync(t, b, "shop").Token("c") != cleared.Token("c"); {
		if time.Now().After(end) {
			t.Fatal("the clear of another is never seen")
		}
	}
	// Its own changes it sees at once.
	for i := range 50 {
		f := backend.Fence{ID: backend.NewToken(), Lease: time.Minute, Caches: []backend.Generation{{Cache: fmt.Sprint("own", i)}}}
		if err := b.Fence(t.Context(), "shop", f); err != nil {
			t.Fatal(err)
		}
		if !mustSync(t, b, "shop").IsFenced(f.Caches[0].Cache) {
			t.Fatal("Sync does not show a fence of its own")
		}
		s, err := b.Clear(t.Context(), "shop", f)
		if err != nil {
			t.Fatal(err)
		}
		if got := mustSync(t, b, "shop"); got.Version < s.Version || got.IsFenced(f.Caches[0].Cache) {
			t.Fatal("Sync does not show a clear of its own")
		}
	}
}

// Announcements that get lost with their connection are made up for.
func TestALostSubscription(t *testing.T) {
	server := redistest.Start(t)
	cfg := settings(server.URI())
	cfg.Sync = config.SyncChannel
	b, other := open(t, cfg), open(t, cfg)
	awaitListening(t, b)
	for i := range 5 {
		mustSync(t, b, "shop")
		server.Do("client", "kill", "type", "pubsub")
		cleared := mustClear(t, other, "shop", fmt.Sprint("c", i))
		for end := time.Now().Add(20 * time.Second); mustSync(t, b, "shop").Token(fmt.Sprint("c", i)) != cleared.Token(fmt.Sprint("c", i)); {
			if time.Now().After(end) {
				t.Fatal("a clear is never seen")
			}
		}
		awaitListening(t, b)
	}
}

// A key that holds something else is a miss, and the next Set repairs it (P9).
func TestForeignDataUnderAValueKey(t *testing.T) {
	server := redistest.Start(t)
	cfg := settings(server.URI())
	b := open(t, cfg)
	key := backend.Key{Database: "shop", Cache: "c", Schema: "s", Token: "t", Key: "k"}
	name := cfg.Prefix + ":shop:c@s:t:k"
	for _, poison := range [][]any{{"rpush", name, "x"}, {"hset", name, "f", "v"}, {"sadd", name, "m"}} {
		server.Do("del", name)
		server.Do(poison...)
		for _, ks := range [][]backend.Key{{key}, {key, key}} {
			if data, err := b.Get(t.Context(), ks); err != nil || data[0] != nil {
				t.Errorf("%v: %q, %v, want a miss", poison[0], data, err)
			}
		}
		if err := b.Set(t.Context(), []backend.Value{{Key: key, Data: []byte("v")}}); err != nil {
			t.Error(err)
		}
		if data, err := b.Get(t.Context(), []backend.Key{key}); err != nil || string(data[0]) != "v" {
			t.Errorf("after Set: %q, %v", data, err)
		}
	}
}
