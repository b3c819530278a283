package redisbackend_test

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache/internal/redistest"
	"github.com/seed-dad15c92/txcache/redisbackend"
)

// A server that takes no writes, as it lacks replicas, takes no registrations. Its answers are as
// good as without Lease. When it takes them again, terms begin.
func TestAServerThatTakesNoRegistrations(t *testing.T) {
	server := redistest.Start(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr, DisableIdentity: true, MaxRetries: -1})
	t.Cleanup(func() { _ = client.Close() })
	b, err := redisbackend.New(client, &redisbackend.Options{Lease: true, Wait: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	begins := func() {
		t.Helper()
		for end := time.Now().Add(time.Minute); b.Stats().Terms == 0; time.Sleep(time.Millisecond) {
			mustSync(t, b, "shop")
			if time.Now().After(end) {
				t.Fatal("no term begins")
			}
		}
	}
	begins()
	server.Do("CONFIG", "SET", "min-replicas-to-write", "1")
	for end := time.Now().Add(300 * time.Millisecond); time.Now().Before(end); time.Sleep(time.Millisecond) {
		mustSync(t, b, "shop")
	}
	if b.Stats().Terms > 0 {
		t.Error("a term begins without a registration")
	}
	server.Do("CONFIG", "SET", "min-replicas-to-write", "0")
	begins()
}
