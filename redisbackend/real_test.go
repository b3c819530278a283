package redisbackend_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/backend/backendtest"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/redistest"
	"github.com/seed-dad15c92/txcache/redisbackend"
)

// rules runs the rules on a server, each under a prefix of its own. But for one, they run at the same
// time, and beside those of other servers, as most of them wait: for leases, in real time.
func rules(t *testing.T, uri string, mode config.Sync, staleness time.Duration) {
	check := func(rule backendtest.Rule) error {
		cfg := settings(uri)
		cfg.Sync = mode
		if mode == config.SyncLease {
			cfg.Redis.Term, cfg.Redis.Wait = 20*time.Millisecond, 40*time.Millisecond
		}
		return rule.Check(t.Context(), backendtest.Authority{
			Open:      func(ctx context.Context) (backend.Backend, error) { return redisbackend.Open(ctx, cfg) },
			Lease:     time.Second,
			Advance:   time.Sleep,
			Staleness: staleness,
		})
	}
	run := func(t *testing.T, rule backendtest.Rule, err error) {
		t.Run(rule.Name, func(t *testing.T) {
			if errors.Is(err, backendtest.ErrSkipped) {
				t.Skip(err)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	first, all := apart()
	run(t, first, check(first))
	t.Parallel()
	errs := make([]error, len(all))
	var running sync.WaitGroup
	places := make(chan bool, 4)
	for i, rule := range all {
		places <- true
		running.Go(func() {
			errs[i] = check(rule)
			<-places
		})
	}
	running.Wait()
	for i, rule := range all {
		run(t, rule, errs[i])
	}
}

// apart returns the rule that looks for goroutines that are left behind, which would find those of other tests,
// and the rules that may run beside others.
func apart() (alone backendtest.Rule, all []backendtest.Rule) {
	all = backendtest.Rules()
	i := slices.IndexFunc(all, func(r backendtest.Rule) bool { return r.Name == "close-ends-every-goroutine" })
	return all[i], slices.Delete(slices.Clone(all), i, i+1)
}

// patient is a limit for calls of a server that is busy with other tests.
const patient = 10 * time.Second

// settings returns a configuration that nobody else uses. Its limits are wide,
// for a machine that is busy with other tests.
func settings(uri string) *config.Config {
	cfg := config.Default()
	cfg.Prefix = "test-" + string(backend.NewToken())
	cfg.Redis.URI = uri
	cfg.Redis.DialTimeout, cfg.Redis.Timeout = time.Second, 3*time.Second
	return cfg
}

func open(t *testing.T, cfg *config.Config) *redisbackend.Backend {
	t.Helper()
	b, err := redisbackend.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// isCombined skips, in a short run, a kind of server and a way to learn of changes that other tests try apart.
func isCombined(t *testing.T) {
	if testing.Short() {
		t.Skip("this kind of server is tried with sync = \"lease\", and this sync on a single server; without -short it runs")
	}
}

func TestRulesOverRedis(t *testing.T) { rules(t, redistest.Start(t).URI(), config.SyncBegin, 0) }
func TestRulesOverCluster(t *testing.T) {
	isCombined(t)
	rules(t, redistest.StartCluster(t).URI(), config.SyncBegin, 0)
}
func TestRulesOverSentinel(t *testing.T) {
	isCombined(t)
	rules(t, redistest.StartSentinels(t).URI(), config.SyncBegin, 0)
}

func TestRulesOverRedisByLease(t *testing.T) {
	rules(t, redistest.Start(t).URI(), config.SyncLease, 0)
}
func TestRulesOverClusterByLease(t *testing.T) {
	rules(t, redistest.StartCluster(t).URI(), config.SyncLease, 0)
}
func TestRulesOverSentinelByLease(t *testing.T) {
	rules(t, redistest.StartSentinels(t).URI(), config.SyncLease, 0)
}
func TestRulesOverRedisByChannel(t *testing.T) {
	rules(t, redistest.Start(t).URI(), config.SyncChannel, 200*time.Millisecond)
}

func mustSync(t *testing.T, b *redisbackend.Backend, name string) *backend.State {
	t.Helper()
	s, err := b.Sync(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustClear(t *testing.T, b *redisbackend.Backend, name string, caches ...string) *backend.State {
	t.Helper()
	f := backend.Fence{ID: backend.NewToken(), Lease: time.Minute}
	for _, c := range caches {
		f.Caches = append(f.Caches, backend.Generation{Cache: c})
	}
	s, err := b.Clear(t.Context(), name, f)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// awaitSync waits until Sync succeeds.
func awaitSync(t *testing.T, b *redisbackend.Backend, name string) *backend.State {
	t.Helper()
	var s *backend.State
	err := errors.New("not tried")
	for end := time.Now().Add(20 * time.Second); err != nil && time.Now().Before(end); {
		if s, err = b.Sync(t.Context(), name); err != nil {
			time.Sleep(20 * time.Millisecond)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What was lost is never believed (P6): no token of before comes back.
func TestLostMetadataStartsANewEpoch(t *testing.T) {
	server := redistest.Start(t)
	for _, loss := range []struct {
		name string
		lose func(hash string)
	}{
		{"hash deleted", func(hash string) { server.Do("del", hash) }},
		{"a cache's field deleted", func(hash string) { server.Do("hdel", hash, "ca") }},
		{"epoch deleted", func(hash string) { server.Do("hdel", hash, "e") }},
		{"base deleted", func(hash string) { server.Do("hdel", hash, "b") }},
		{"count deleted", func(hash string) { server.Do("hdel", hash, "n") }},
		{"fences deleted", func(hash string) { server.Do("hdel", hash, "f") }},
		{"version spoilt", func(hash string) { server.Do("hset", hash, "e", "epoch x") }},
		{"version beyond all numbers", func(hash string) {
			beyond := strings.Repeat("9", 400)
			server.Do("hset", hash, "e", "epoch "+beyond, "s", beyond+" 0 0 0") // as if both were right
		}},
		{"a token emptied", func(hash string) { server.Do("hset", hash, "ca", "") }},
		{"base emptied", func(hash string) { server.Do("hset", hash, "b", "") }},
		{"a name spoilt", func(hash string) { server.Do("hdel", hash, "ca"); server.Do("hset", hash, "c%zz", "token") }},
		{"the log's mark lost", func(hash string) { server.Do("hdel", hash, "s") }},
		{"the log's mark spoilt", func(hash string) { server.Do("hset", hash, "s", "9 1 0") }},
		{"the log's mark out of order", func(hash string) { server.Do("hset", hash, "s", "9 1 2 0") }},
		{"an entry spoilt", func(hash string) { server.Do("hset", hash, "w1", "9") }},
		{"an entry renamed", func(hash string) { server.Do("hdel", hash, "w1"); server.Do("hset", hash, "w2", "9 a@t") }},
		{"of another run", func(hash string) { server.Do("hset", hash, "r", "another") }},
		{"another type", func(hash string) { server.Do("set", hash, "no hash") }},
		{"everything flushed", func(string) { server.Do("flushall") }},
		{"restarted empty", func(string) { server.Restore(nil) }},
	} {
		t.Run(loss.name, func(t *testing.T) {
			cfg := settings(server.URI())
			b := open(t, cfg)
			mustSync(t, b, "shop")
			old := mustClear(t, b, "shop", "a")
			loss.lose(cfg.Prefix + ":shop:@")
			now := awaitSync(t, open(t, cfg), "shop")
			if now.Epoch == old.Epoch || now.Base == old.Base || now.Token("a") == old.Token("a") || now.Token("a") == old.Base {
				t.Errorf("a server that comes later finds %+v, after %+v", now, old)
			}
			if got := awaitSync(t, b, "shop"); got.Epoch != now.Epoch || got.Version <= old.Version {
				t.Errorf("the server that was there finds %+v, want epoch %s and a version above %d", got, now.Epoch, old.Version)
			}
		})
	}
}

func TestAnOlderSnapshotStartsANewEpoch(t *testing.T) {
	for _, first := range []string{"shop", "other"} {
		t.Run("new connections made for "+first, func(t *testing.T) {
			server := redistest.Start(t)
			cfg := settings(server.URI())
			one, two := open(t, cfg), open(t, cfg)
			before := mustSync(t, one, "shop")
			for range 3 {
				mustSync(t, two, "shop")
				mustSync(t, two, "other")
			}
			snapshot := server.Snapshot()
			cleared := mustClear(t, one, "shop", "a")
			server.Restore(snapshot)
			// The second server has seen nothing of the clear: what it knows of
			// the database is what the snapshot says.
			now := awaitSync(t, two, first)
			if first != "shop" {
				now = awaitSync(t, two, "shop")
			}
			if now.Token("a") == before.Token("a") || now.Token("a") == cleared.Token("a") {
				t.Errorf("after the restart: %+v, before the clear: %+v", now, before)
			}
			if got := awaitSync(t, one, "shop"); got.Epoch != now.Epoch {
				t.Errorf("the server that cleared is in epoch %s, the other in %s", got.Epoch, now.Epoch)
			}
		})
	}
}

func TestFailoverToAReplicaThatMissedAClear(t *testing.T) {
	t.Parallel()
	s := redistest.StartSentinels(t)
	cfg := settings(s.URI())
	one, two := open(t, cfg), open(t, cfg)
	before := mustSync(t, one, "shop")
	mustSync(t, two, "shop")
	s.AwaitInSync()
	s.Replica.Pause()
	cleared := mustClear(t, one, "shop", "a")
	s.Master.Kill()
	s.Replica.Resume()
	s.AwaitFailover()
	now := awaitSync(t, two, "shop")
	if now.Token("a") == before.Token("a") || now.Token("a") == cleared.Token("a") {
		t.Errorf("after the failover: %+v, before the clear: %+v", now, before)
	}
}

func TestClusterFailoverToAReplicaThatMissedAClear(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t)
	cfg := settings(c.URI())
	one, two := open(t, cfg), open(t, cfg)
	names := map[int]string{} // a database on each master
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{c.Masters[0].Addr}})
	t.Cleanup(func() { _ = client.Close() })
	for i := 0; len(names) < len(c.Masters); i++ {
		name := "shop" + string(rune('a'+i))
		node, err := client.MasterForKey(t.Context(), cfg.Prefix+":"+name+":@")
		if err != nil {
			t.Fatal(err)
		}
		for j, m := range c.Masters {
			if m.Addr == node.Options().Addr {
				names[j] = name
			}
		}
	}
	before := map[int]*backend.State{}
	for i, name := range names {
		before[i] = mustSync(t, one, name)
		mustSync(t, two, name)
	}
	c.Masters[1].Do("wait", 1, 5000)
	c.Replicas[1].Pause()
	cleared := mustClear(t, one, names[1], "a")
	c.Masters[1].Kill()
	c.Replicas[1].Resume()
	c.AwaitFailover(1)
	now := awaitSync(t, two, names[1])
	if now.Token("a") == before[1].Token("a") || now.Token("a") == cleared.Token("a") {
		t.Errorf("after the failover: %+v, before the clear: %+v", now, before[1])
	}
	for _, i := range []int{0, 2} {
		if got := awaitSync(t, two, names[i]); got.Epoch != before[i].Epoch {
			t.Errorf("the database %s, on another master, went from epoch %s to %s", names[i], before[i].Epoch, got.Epoch)
		}
	}
}

func TestTLSWithAClientCertificate(t *testing.T) {
	s := redistest.StartTLS(t)
	cfg := settings("rediss://" + s.TLSAddr)
	cfg.Redis.CAFile, cfg.Redis.CertFile, cfg.Redis.KeyFile, cfg.Redis.ServerName = s.CAFile, s.CertFile, s.KeyFile, s.ServerName
	mustSync(t, open(t, cfg), "shop")

	t.Chdir(filepath.Dir(s.CAFile)) // paths are relative to the working directory, and read when the backend is opened
	cfg.Redis.CAFile, cfg.Redis.CertFile, cfg.Redis.KeyFile = filepath.Base(s.CAFile), filepath.Base(s.CertFile), filepath.Base(s.KeyFile)
	relative := open(t, cfg)
	t.Chdir("/")
	mustSync(t, relative, "shop")
	cfg.Redis.CAFile, cfg.Redis.CertFile, cfg.Redis.KeyFile = s.CAFile, s.CertFile, s.KeyFile

	cfg.Redis.ServerName = "other.test"
	if _, err := open(t, cfg).Sync(t.Context(), "shop"); err == nil {
		t.Error("a server with a certificate for another name is trusted")
	}
}
