package command

import (
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/limits"
	"github.com/seed-dad15c92/txcache/internal/redistest"
)

// changes are the commands that change something.
var changes = []string{"clear shop users", "delete shop users 42", "clear-tags shop product:7", "drop shop --yes"}

// hash is the key of the hash of "shop".
const hash = "txcache:shop:@"

// A command returns when no server can use an earlier state without asking, as a server does (P3): it
// waits for those that are registered, whatever its file says, and, if that has a wait, for those
// that a new hash does not know.
func TestCommandsWaitForMembers(t *testing.T) {
	const wait = 300 * time.Millisecond
	with := "wait = \"" + wait.String() + "\"\n"
	server := redistest.Start(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr})
	defer client.Close()
	for name, c := range map[string]struct {
		members string        // as in the hash
		sync    string        // in the file
		wait    string        // in the file
		least   time.Duration // that the command takes
		says    string
		changes []string
	}{
		"a member that does not answer": {"7\ngone 1 7", "", with, wait, "does not answer", changes},
		"no member is known":            {"1\n? 0 1", "", with, wait, "", changes},
		"without a wait in the file":    {"7\ngone 1 7", "", "", limits.DefaultWait, "must be set", changes[:1]},
		"the servers are members":       {"1\n? 0 1", `sync = "lease"`, "", limits.DefaultWait, "", changes[:1]},
	} {
		t.Run(name, func(t *testing.T) {
			for _, line := range c.changes {
				w := inWorld(t, onRedis(server.URI(), c.sync)+c.wait)
				w.serve().fill(t)
				if err := client.HSet(t.Context(), hash, "m", c.members).Err(); err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				_, messages, code := w.run("", strings.Fields(line+" -v")...)
				// It cannot know that the members are gone before it has waited since its own first answer.
				if took := time.Since(start); code != exitOK || took < c.least || !strings.Contains(messages, c.says) {
					t.Errorf("%s: exit code %d after %v, expected %v at least: %s", line, code, took, c.least, messages)
				}
				if left, err := client.HGet(t.Context(), hash, "m").Result(); err != nil && err != redis.Nil || strings.Contains(left, "gone") || strings.Contains(left, "?") {
					t.Errorf("%s: it has returned and the members are %q, %v", line, left, err)
				}
			}
		})
	}
}

func TestDatabasesShowsMembers(t *testing.T) {
	w := inWorld(t, onRedis(redistest.Start(t).URI(), `sync = "lease"`))
	s := w.serve()
	for end := time.Now().Add(time.Minute); !strings.Contains(w.must("databases", "--json"), `"members": 1`); {
		if time.Now().After(end) {
			t.Fatal("no member is shown")
		}
		for range 5 {
			if err := s.View(t.Context(), "shop", func(*txcache.Tx) error { return nil }); err != nil {
				t.Fatal(err)
			}
		}
	}
}
