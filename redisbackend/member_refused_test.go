package redisbackend_test

import (
	"context"
	"strings"
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
	b, err := redisbackend.New(client, &redisbackend.Options{Lease: true, Wait: 200 * time.Millisecond, Timeout: patient})
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

// A user who may not tell members of a fence is refused it, but the change is announced: it may be done, and
// a process with Channel relies on hearing of it.
func TestAChangeThatMembersAreNotToldOfIsAnnounced(t *testing.T) {
	server := redistest.Start(t)
	server.Do("acl", "setuser", "app", "on", ">secret", "resetchannels", "&txcache:@changes", "allkeys", "allcommands")
	member := over(t, &redis.Options{Addr: server.Addr}, &redisbackend.Options{Lease: true, Timeout: patient})
	awaitListening(t, member.Backend)
	for range 5 {
		mustSync(t, member.Backend, "shop")
	}
	heard := server.Client().Subscribe(t.Context(), "txcache:@changes")
	t.Cleanup(func() { _ = heard.Close() })
	if _, err := heard.Receive(t.Context()); err != nil { // that it listens
		t.Fatal(err)
	}
	app := over(t, &redis.Options{Addr: server.Addr, Username: "app", Password: "secret"}, &redisbackend.Options{Timeout: patient})
	if err := app.Fence(t.Context(), "shop", deleting("c", 1)); err == nil {
		t.Error("a fence is placed of which members are not told")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if m, err := heard.ReceiveMessage(ctx); err != nil || !strings.HasPrefix(m.Payload, "shop ") {
		t.Errorf("heard %v, %v; want the change", m, err)
	}
}
