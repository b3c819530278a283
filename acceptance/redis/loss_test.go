package redis_test

import (
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/redistest"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// Two servers in one mode, in a deployment of their own.
type pair struct {
	mode
	cfg  *config.Config
	a, b member
}

// pairs opens two servers in each mode.
func pairs(t *testing.T, uri string) []pair {
	t.Helper()
	var all []pair
	for _, m := range modes {
		cfg := m.of(settings(uri))
		all = append(all, pair{m, cfg, join(t, cfg), join(t, cfg)})
	}
	return all
}

// first makes both read the value 1.
func (p pair) first(t *testing.T) {
	t.Helper()
	p.a.publish(t, "db", 1)
	for _, m := range []member{p.a, p.b} {
		storetest.Within(t, p.late, p.name+": both read the first value", func() bool { v, ok := m.get(t, "db"); return ok && v == 1 })
	}
}

// second clears the first value and sets the value 2.
func (p pair) second(t *testing.T) {
	t.Helper()
	p.a.clear(t, "db")
	p.a.publish(t, "db", 2)
	storetest.Hit(t, storetest.BeginReadOnly(t, p.a.Store, "db"), p.a.c, "x", 2, p.name+": it is the newest")
}

// neverAgain fails if a value that was cleared comes back anywhere, also on a
// server that comes new, and if the cache is of no use from now on.
func (p pair) neverAgain(t *testing.T) {
	t.Helper()
	all := []member{p.a, p.b, join(t, p.cfg)}
	for _, m := range all {
		m.awaitState(t, "db")
		storetest.Within(t, p.late, p.name+": the first value is gone", func() bool { v, ok := m.get(t, "db"); return !ok || v != 1 })
	}
	for range 50 {
		for i, m := range all {
			v, ok := m.get(t, "db")
			// What was not cleared may be left where nobody has been asked since.
			if ok && (v == 1 || p.late == 0) {
				t.Errorf("%s: server %d reads %d, which was lost", p.name, i, v)
			}
		}
	}
	p.a.clear(t, "db")
	p.a.publish(t, "db", 3)
	for _, m := range all {
		storetest.Within(t, p.late, p.name+": the cache is in use again", func() bool { v, ok := m.get(t, "db"); return ok && v == 3 })
	}
	for range 50 {
		for _, m := range all {
			storetest.Hit(t, storetest.BeginReadOnly(t, m.Store, "db"), m.c, "x", 3, p.name+": it is the newest")
		}
	}
}

// P6: whatever becomes of what Redis knows, no value that was cleared comes back.
func TestRedisP6LostMetadataIsAMiss(t *testing.T) {
	for _, loss := range []struct {
		name string
		lose func(server *redistest.Server, before []byte, hashes []string)
	}{
		{"hash deleted", func(s *redistest.Server, _ []byte, hashes []string) {
			for _, hash := range hashes {
				s.Do("del", hash)
			}
		}},
		{"everything flushed", func(s *redistest.Server, _ []byte, _ []string) { s.Do("flushall") }},
		{"restarted empty", func(s *redistest.Server, _ []byte, _ []string) { s.Restore(nil) }},
		{"restarted from an older snapshot", func(s *redistest.Server, before []byte, _ []string) { s.Restore(before) }},
		{"saved, killed, started", func(s *redistest.Server, _ []byte, _ []string) { s.Restore(s.Snapshot()) }},
	} {
		t.Run(loss.name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			all := pairs(t, server.URI())
			var hashes []string
			for _, p := range all {
				p.first(t)
				hashes = append(hashes, p.cfg.Prefix+":db:@")
			}
			before := server.Snapshot()
			for _, p := range all {
				p.second(t)
			}
			loss.lose(server, before, hashes)
			for _, p := range all {
				p.neverAgain(t)
			}
		})
	}
}

// P6, scenario 11: the replica that takes over has missed the last clear.
func TestRedisP6FailoverThatMissedAClear(t *testing.T) {
	storetest.Slow(t)
	t.Parallel()
	s := redistest.StartSentinels(t)
	all := pairs(t, s.URI())
	for _, p := range all {
		p.first(t)
	}
	s.AwaitInSync()
	s.Replica.Pause()
	for _, p := range all {
		p.second(t)
	}
	s.Master.Kill()
	s.Replica.Resume()
	s.AwaitFailover()
	for _, p := range all {
		p.neverAgain(t)
	}
}

// A snapshot that is loaded while a fence stands in it does not lift the fence,
// nor does one from before it bring back what the fence was for (P5, P6).
func TestRedisP6RestartDuringACommit(t *testing.T) {
	for _, fenced := range []bool{true, false} {
		t.Run(map[bool]string{true: "snapshot with the fence", false: "snapshot from before"}[fenced], func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			cfg := settings(server.URI())
			cfg.Redis.Timeout, cfg.Redis.DialTimeout, cfg.Redis.Fence = time.Second, time.Second, 3*time.Second
			p := pair{modes[0], cfg, join(t, cfg), join(t, cfg)}
			p.first(t)
			snapshot := server.Snapshot()
			err := commitDuring(t, p.a, func() {
				if fenced {
					snapshot = server.Snapshot()
				}
				server.Restore(snapshot)
				for _, m := range []member{p.a, p.b} {
					m.awaitState(t, "db")
					if v, ok := m.get(t, "db"); ok {
						t.Errorf("a server reads %d while a clear is being committed", v)
					}
				}
				p.b.publish(t, "db", 1) // the old row
			})
			if err != nil {
				t.Fatal(err)
			}
			storetest.Within(t, storetest.Recovery, "the clear arrives", func() bool { return p.a.Waiting() == 0 })
			for i, m := range []member{p.a, p.b} {
				if v, ok := m.get(t, "db"); ok {
					t.Errorf("server %d reads %d after the clear", i, v)
				}
			}
		})
	}
}
