package command

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/codec"
	"github.com/seed-dad15c92/txcache/internal/redistest"
	"github.com/seed-dad15c92/txcache/redisbackend"
)

// generation returns the token that caches shows for a cache of shop.
func (w *world) generation(cache string) string {
	w.t.Helper()
	var r cachesResult
	if err := json.Unmarshal([]byte(w.must("caches", "shop", "--exact", "--json")), &r); err != nil {
		w.t.Fatal(err)
	}
	for _, c := range r.Caches {
		if c.Name == cache {
			return c.Generation
		}
	}
	w.t.Fatalf("there is no cache %s in %+v", cache, r)
	return ""
}

func (w *world) shows(want string, args ...string) {
	w.t.Helper()
	if out := w.must(args...); !strings.Contains(out, want) {
		w.t.Errorf("%q prints\n%s\nwithout %q", args, out, want)
	}
}

func TestGenerationThatIsOver(t *testing.T) {
	w := inWorld(t, onRedis(redistest.Start(t).URI(), ""))
	w.serve().fill(t)
	old := w.generation("labels") // users was there before it was cleared
	if _, _, code := w.run("", "get", "shop", "users", "7"); code != exitFailed {
		t.Error("a value that was cleared is shown as present")
	}
	w.shows("which is over", "get", "shop", "users", "7", "--token", old)
	w.shows("Main Street", "get", "shop", "users", "7", "--token", old)
	w.must("drop", "shop", "--yes")
	if _, messages, code := w.run("", "get", "shop", "users", "7"); code != exitFailed || !strings.Contains(messages, "keeps no generations") {
		t.Errorf("a database that was dropped: exit code %d, messages %q", code, messages)
	}
	w.shows("keeps no generations", "caches", "shop")
}

func TestFenceIsShown(t *testing.T) {
	w := inWorld(t, onRedis(redistest.Start(t).URI(), ""))
	w.serve().fill(t)
	cfg, err := config.Load("cache.toml")
	if err != nil {
		t.Fatal(err)
	}
	b, err := redisbackend.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	f := backend.Fence{ID: backend.NewToken(), Caches: []backend.Generation{{Cache: "users"}}, Lease: time.Minute}
	if err := b.Fence(t.Context(), "shop", f); err != nil {
		t.Fatal(err)
	}
	w.shows("fenced", "caches", "shop")
	w.shows(string(f.ID), "caches", "shop")
	w.shows("a fence stands", "get", "shop", "users", "42")
	w.shows(`"fences": 1`, "databases", "--json")
}

func TestWhatIsNoValue(t *testing.T) {
	server := redistest.Start(t)
	w := inWorld(t, onRedis(server.URI(), ""))
	w.serve().fill(t)
	c := codec.New[user]()
	key := "txcache:shop:users@" + c.Schema() + ":" + w.generation("users") + ":i64.42"
	expired, err := c.Append(nil, ada, time.Now().Add(-time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	for want, data := range map[string][]byte{
		"Being loaded":                c.AppendLease(nil, "somebody"),
		"Malformed, a miss":           []byte("\xc1\x82\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xdd\xff\xff\xff\xff"),
		", expired":                   expired,
		"Known to be absent":          c.AppendAbsent(nil, time.Time{}),
		"Malformed, a miss for servi": {},
	} {
		server.Do("SET", key, data, "EX", 1000)
		w.shows(want, "get", "shop", "users", "42")
	}
}
