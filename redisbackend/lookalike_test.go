package redisbackend_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2/server"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/inspect"
	"github.com/seed-dad15c92/txcache/internal/redistest"
	"github.com/seed-dad15c92/txcache/redisbackend"
)

const (
	someRun = "# Server\r\nredis_version:7.0.15\r\nrun_id:0123456789abcdef\r\n"
	someID  = "master_replid:fedcba9876543210\r\n"
)

func replication(role string) string {
	return "# Replication\r\n" + role + "connected_slaves:0\r\n" + someID + "master_replid2:0\r\n"
}

// identified returns a process over a server that tells of itself what is given.
func identified(t *testing.T, server, replication string) (*process, *redistest.Identity) {
	m := bubbleServer(t)
	i := redistest.Identify(m)
	i.Tell("server", server)
	i.Tell("replication", replication)
	return over(t, dialing(m), nil), i
}

// Only a master is asked for a state, told of a fence, and taken back by the probe:
// in other roles servers take writes that get lost, whatever the role is called (P6).
func TestOnlyAMasterWillDo(t *testing.T) {
	for _, c := range []struct {
		role string // the line of it
		fit  bool
	}{
		{"role:master\r\n", true},
		{"role:Master\r\n", true},
		{"role: master \r\n", true},
		{"role:slave\r\n", false},
		{"role:replica\r\n", false},              // Dragonfly
		{"role:active-replica\r\n", false},       // KeyDB
		{"role:multi-master\r\n", false},         //
		{"role:masterless\r\n", false},           //
		{"role:sentinel\r\n", false},             //
		{"role:slave\r\nrole:master\r\n", false}, // the first counts
		{"xrole:master\r\nrole:slave\r\n", false},
	} {
		t.Run(c.role, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, identity := identified(t, someRun, replication(c.role))
				f := backend.Fence{ID: backend.NewToken(), Lease: time.Minute, All: true}
				_, err := p.Sync(t.Context(), "shop")
				fenced := p.Fence(t.Context(), "shop", f)
				if c.fit {
					if err != nil || fenced != nil {
						t.Errorf("Sync: %v, Fence: %v", err, fenced)
					}
					return
				}
				if err == nil || fenced == nil || !p.Stats().Open {
					t.Fatalf("Sync: %v, Fence: %v; want both refused, and the breaker open", err, fenced)
				}
				if !strings.Contains(err.Error(), "replica") && !strings.Contains(err.Error(), "no master") {
					t.Errorf("the reason is %v; it does not tell the role", err)
				}
				time.Sleep(5 * time.Second)
				if !p.Stats().Open {
					t.Error("the probe takes it for a master")
				}
				identity.Tell("replication", replication("role:master\r\n"))
				time.Sleep(time.Second)
				mustSync(t, p.Backend, "shop") // it was promoted
			})
		})
	}
}

// A master that is made something else while a connection to it lives is noticed by
// all that is done with scripts (P6).
func TestAMasterThatIsDemoted(t *testing.T) {
	for _, role := range []string{"slave", "replica", "active-replica"} {
		synctest.Test(t, func(t *testing.T) {
			p, identity := identified(t, someRun, replication("role:master\r\n"))
			s := mustSync(t, p.Backend, "shop")
			identity.Tell("replication", replication("role:"+role+"\r\n"))
			if err := p.Fence(t.Context(), "shop", fencing(s, "a")); err == nil {
				t.Errorf("%s: a fence was placed", role)
			}
		})
	}
}

// Where a server does not tell its run, and that it is a master, a plain read proves
// nothing: behind the connection there may be another at any time. So every Sync
// asks by a script, which looks at what the server tells (P6).
func TestAServerThatTellsNoRunIsAskedByScripts(t *testing.T) {
	for _, c := range []struct {
		name, server, replication string
		plain                     bool
	}{
		{"Redis", someRun, replication("role:master\r\n"), true},
		{"no run", "# Server\r\nredis_version:7.4.0\r\n", replication("role:master\r\n"), false},
		{"an empty run", "run_id:\r\nredis_version:7.4.0\r\n", replication("role:master\r\n"), false},
		{"no replication ID", someRun, "role:master\r\n", false},
		{"no role", someRun, someID, false},
		{"nothing", "", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, identity := identified(t, c.server, c.replication)
				before := settled(t, p)
				g := newGate(p.client)
				for range 5 {
					if s := mustSync(t, p.Backend, "shop"); s != before {
						t.Errorf("nothing has changed, and Sync returns another state: %+v", s)
					}
				}
				if plain := g.count("hmget") > 0; plain != c.plain {
					t.Errorf("the state was read plainly: %t, want %t", plain, c.plain)
				}
				// The proxy goes on with what is a replica now.
				identity.Tell("replication", replication("role:replica\r\n"))
				if s, err := p.Sync(t.Context(), "shop"); !c.plain && err == nil {
					t.Errorf("a replica answers with %+v", s)
				}
			})
		})
	}
}

// A server that begins to tell its run is another one.
func TestAnotherRunStartsANewEpochWhereverItIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, identity := identified(t, "redis_version:7.4.0\r\n", replication("role:master\r\n"))
		before := mustSync(t, p.Backend, "shop")
		identity.Tell("replication", "role:master\r\nmaster_replid:0000\r\n")
		if now := mustSync(t, p.Backend, "shop"); now.Epoch == before.Epoch {
			t.Error("another master_replid is overlooked where there is no run_id")
		}
	})
}

// A server without scripts is no outage that passes: calls say what is missing, at
// once and for as long as it is, and the log says so once.
func TestAServerWithoutScripts(t *testing.T) {
	for _, answer := range []string{
		"ERR unknown command 'evalsha', with args beginning with: 'secret' ",
		"ERR unknown command `EVALSHA`",
		"ERR unsupported command: EVALSHA",
	} {
		synctest.Test(t, func(t *testing.T) {
			m := bubbleServer(t)
			conn, _ := m.Dial()
			_ = conn.Close()
			m.Server().SetPreHook(func(c *server.Peer, command string, args ...string) bool {
				if !strings.HasPrefix(command, "EVAL") && command != "SCRIPT" {
					return false
				}
				c.WriteError(answer)
				return true
			})
			var log bytes.Buffer
			p := over(t, dialing(m), &redisbackend.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
			f := backend.Fence{ID: backend.NewToken(), Lease: time.Minute, All: true}
			for i := range 3 {
				start := time.Now()
				_, synced := p.Sync(t.Context(), "shop")
				_, cleared := p.Clear(t.Context(), "shop", f)
				for name, err := range map[string]error{
					"Sync": synced, "Clear": cleared, "Fence": p.Fence(t.Context(), "shop", f), "Drop": p.Drop(t.Context(), "shop"),
				} {
					if err == nil || !strings.Contains(err.Error(), "EVAL") || strings.Contains(err.Error(), "secret") || inspect.Unavailable(err) {
						t.Errorf("%s: %v, unavailable: %t; want an error that names what is missing", name, err, inspect.Unavailable(err))
					}
				}
				if took := time.Since(start); took > 0 || p.Stats().Open {
					t.Errorf("round %d took %v, breaker open: %t; want no outage", i, took, p.Stats().Open)
				}
				time.Sleep(time.Second)
			}
			if n := strings.Count(log.String(), "level=ERROR"); n != 1 || strings.Contains(log.String(), "level=WARN") {
				t.Errorf("the log has %d errors, want one, and no warning:\n%s", n, &log)
			}
			// The values of others need no scripts.
			if err := p.Set(t.Context(), []backend.Value{{Key: backend.Key{Database: "shop"}, Data: []byte("x")}}); err != nil {
				t.Error(err)
			}
		})
	}
}

// A real server that is a replica says so.
func TestARealReplicaTellsItsRole(t *testing.T) {
	server := redistest.Start(t)
	b := open(t, settings(server.URI()))
	server.Do("replicaof", "127.0.0.1", "1")
	_, err := b.Sync(t.Context(), "shop")
	if err == nil || !strings.Contains(err.Error(), "the server is a replica") {
		t.Errorf("Sync: %v, want the role as the reason", err)
	}
}
