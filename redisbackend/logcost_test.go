package redisbackend_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/redistest"
	"github.com/seed-dad15c92/txcache/redisbackend"
)

// A countingConn counts what it receives.
type countingConn struct {
	net.Conn
	received *atomic.Int64
}

func (c countingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.received.Add(int64(n))
	return n, err
}

// counting returns the options of a client of server that counts what it receives.
func counting(server *redistest.Server) (o *redis.Options, received *atomic.Int64) {
	received = &atomic.Int64{}
	return &redis.Options{Addr: server.Addr, Dialer: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		return countingConn{conn, received}, err
	}}, received
}

// crowded fills a database with 300 caches that were cleared by name, and so many deletes
// that are remembered, one for each of as many commits.
func crowded(t testing.TB, b *redisbackend.Backend, name string, deletes int) {
	t.Helper()
	f := backend.Fence{ID: backend.NewToken(), Lease: time.Minute}
	for i := range 300 {
		f.Caches = append(f.Caches, backend.Generation{Cache: fmt.Sprintf("cache.of.the.service.%03d", i)})
	}
	if _, err := b.Clear(t.Context(), name, f); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for w := range 8 {
		all.Go(func() {
			for i := w; i < deletes; i += 8 {
				if _, err := b.Clear(t.Context(), name, deleting(f.Caches[i%300].Cache, uint64(i))); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

// A change costs another process one round trip and little more than what changed,
// whatever the size of the state.
func TestADeleteCostsNotTheSizeOfTheState(t *testing.T) {
	server := redistest.Start(t)
	writer := over(t, &redis.Options{Addr: server.Addr}, &redisbackend.Options{Timeout: patient})
	crowded(t, writer.Backend, "shop", 10_000)
	for _, mode := range []struct {
		name    string
		channel bool
	}{{"begin", false}, {"channel", true}} {
		t.Run(mode.name, func(t *testing.T) {
			o, received := counting(server)
			start := time.Now()
			reader := over(t, o, &redisbackend.Options{Timeout: patient})
			mustSync(t, reader.Backend, "shop")
			t.Logf("a process that knows nothing receives %d bytes, and has the state after %v", received.Load(), time.Since(start))
			if mode.channel {
				_ = reader.Close()
				o, received = counting(server)
				reader = over(t, o, &redisbackend.Options{Channel: true, Timeout: patient})
				for !reader.Stats().Listening {
					time.Sleep(time.Millisecond)
				}
			}
			for range 20 { // every connection has been checked
				mustSync(t, reader.Backend, "shop")
				mustSync(t, reader.Backend, "warm")
			}
			for _, c := range []struct {
				deletes, trips int
				bytes          int64
			}{{1, 1, 300}, {2, 1, 400}, {100, 2, 10_000}, {1000, 2, 100_000}} {
				trips := reader.Stats().RoundTrips
				before := received.Load()
				var last *backend.State
				for i := range c.deletes {
					last = mustDelete(t, writer.Backend, "shop", "cache.of.the.service.007", uint64(i)<<32)
				}
				if mode.channel { // the announcements count as well
					time.Sleep(20 * time.Millisecond)
					before = received.Load()
				}
				start := time.Now()
				s := mustSync(t, reader.Backend, "shop")
				took, bytes := time.Since(start), received.Load()-before
				if n, _ := s.Deletes.Of("cache.of.the.service.007").Last(uint64(c.deletes-1) << 32); n != last.Number {
					t.Fatalf("the last delete is known as %d, want %d", n, last.Number)
				}
				t.Logf("a process that is %d deletes behind receives %d bytes in %d round trips, and has the state after %v", c.deletes, bytes, reader.Stats().RoundTrips-trips, took)
				if n := reader.Stats().RoundTrips - trips; bytes > c.bytes || !mode.channel && n > uint64(c.trips) {
					t.Errorf("after %d deletes: %d bytes in %d round trips; want %d and %d at most", c.deletes, bytes, n, c.bytes, c.trips)
				}
			}
		})
	}
}

// However much is deleted, what is remembered is bounded, on the server and in a process (P13).
func TestDeletesAreBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("50 000 commits take a while; without -short it runs")
	}
	t.Parallel()
	server := redistest.Start(t)
	o := &redis.Options{Addr: server.Addr}
	b := over(t, o, &redisbackend.Options{Timeout: patient})
	crowded(t, b.Backend, "shop", 50_000)
	fresh := over(t, &redis.Options{Addr: server.Addr}, &redisbackend.Options{Timeout: patient})
	for whose, s := range map[string]*backend.State{"writer": mustSync(t, b.Backend, "shop"), "newcomer": mustSync(t, fresh.Backend, "shop")} {
		if n := s.Deletes.Len(); n > backend.MaxDeletes || n < backend.MaxDeletes/2 {
			t.Errorf("the %s remembers %d deletes", whose, n)
		}
	}
	fields, _ := server.Do("hlen", "txcache:shop:@").(int64)
	bytes, _ := server.Do("memory", "usage", "txcache:shop:@").(int64)
	t.Logf("the hash has %d fields and takes %d bytes", fields, bytes)
	if limit := int64(backend.MaxDeletes + 300 + 300 + 10); fields == 0 || fields > limit || bytes > 200*limit {
		t.Errorf("want no more than %d fields, of 200 bytes each", limit)
	}
}

// BenchmarkSyncAfterDelete is a begin after another process has deleted a key, in a
// crowded database; what the delete takes is not counted.
func BenchmarkSyncAfterDelete(b *testing.B) {
	server := redistest.Start(b)
	clients := [2]*redisbackend.Backend{}
	for i := range clients {
		client := clientOf(&redis.Options{Addr: server.Addr})
		b.Cleanup(func() { _ = client.Close() })
		store, err := redisbackend.New(client, nil)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = store.Close() })
		clients[i] = store
	}
	crowded(b, clients[0], "shop", 10_000)
	var took time.Duration
	for i := uint64(0); b.Loop(); i++ {
		mustDelete(b, clients[0], "shop", "cache.of.the.service.007", i)
		start := time.Now()
		if _, err := clients[1].Sync(b.Context(), "shop"); err != nil {
			b.Fatal(err)
		}
		took += time.Since(start)
	}
	b.ReportMetric(float64(took.Nanoseconds())/float64(b.N), "begin-ns")
}
