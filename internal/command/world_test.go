package command

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A world is a folder with a configuration, in which commands are run.
type world struct {
	t      *testing.T
	golden string // the folder of golden files
}

// inWorld returns one with a cache.toml of that text, in the present folder from
// now on.
func inWorld(t *testing.T, text string) *world {
	t.Helper()
	golden, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t, golden}
	t.Chdir(t.TempDir())
	w.configure(text)
	return w
}

func (w *world) configure(text string) {
	w.t.Helper()
	if err := os.WriteFile("cache.toml", []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// onRedis is a configuration of the server at uri. Its limits are wide, for a
// machine that is busy.
func onRedis(uri string, more string) string {
	return fmt.Sprintf("[cache]\nclass = \"redis\"\n%s\n[cache.redis]\nuri = %q\ndial_timeout = \"1s\"\ntimeout = \"5s\"\n", more, uri)
}

// run runs a command line at a terminal where stdin is typed, if that is not "".
func (w *world) run(stdin string, args ...string) (out, messages string, code int) {
	w.t.Helper()
	var stdout, stderr bytes.Buffer
	p := &program{in: bytes.NewBufferString(stdin), out: &stdout, messages: &stderr, asks: stdin != ""}
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	code = p.run(ctx, args)
	return stdout.String(), stderr.String(), code
}

// must runs a command line that succeeds.
func (w *world) must(args ...string) string {
	w.t.Helper()
	out, messages, code := w.run("", args...)
	if code != exitOK || messages != "" {
		w.t.Fatalf("%q: exit code %d: %s", args, code, messages)
	}
	return out
}

type address struct {
	Street string
	Number int
}

type user struct {
	Name    string
	Admin   bool
	Balance float64
	Since   time.Time
	Address *address
	Tags    map[string]int
	Photo   []byte
}

var ada = user{
	Name: "Ada", Admin: true, Balance: 12.5, Since: time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC),
	Address: &address{"Main Street", 7}, Tags: map[string]int{"maths": 1, "poetry": 2}, Photo: []byte{1, 2, 3},
}

// A service is one that uses the caches of a world.
type service struct {
	*txcache.Store
	users  *txcache.Cache[int64, user]
	labels *txcache.Cache[string, string]
	misc   *txcache.Cache[string, any]
}

// serve opens a service by the world's configuration.
func (w *world) serve() *service {
	w.t.Helper()
	cfg, err := config.Load("cache.toml")
	if err != nil {
		w.t.Fatal(err)
	}
	store, err := txcache.OpenConfig(w.t.Context(), cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := store.Close(); err != nil {
			w.t.Error(err)
		}
	})
	s := &service{Store: store}
	s.users = txcache.Must(txcache.NewCache[int64, user](store, "users", &txcache.CacheOptions{ContextFree: true, Duration: time.Hour}))
	s.labels = txcache.Must(txcache.NewCache[string, string](store, "labels", nil))
	s.misc = txcache.Must(txcache.NewCache[string, any](store, "misc", &txcache.CacheOptions{ContextFree: true}))
	return s
}

// fill makes two databases as a service leaves them.
func (s *service) fill(t *testing.T) {
	t.Helper()
	view := func(database string, fn func(tx *txcache.Tx) error) {
		t.Helper()
		if err := s.View(t.Context(), database, fn); err != nil {
			t.Fatal(err)
		}
	}
	view("shop", func(tx *txcache.Tx) error {
		for i := range int64(40) {
			s.users.Set(tx, i, ada)
		}
		return nil
	})
	if err := s.Update(t.Context(), "shop", s.users.Clear); err != nil {
		t.Fatal(err)
	}
	view("shop", func(tx *txcache.Tx) error {
		s.users.Set(tx, 42, ada)
		s.users.SetAbsent(tx, 43)
		s.labels.Set(tx, "save", "Save")
		s.labels.Set(tx.WithUser(1).WithContext(map[string]any{"lang": "fr"}), "save", "Enregistrer")
		s.misc.Set(tx, "anything", map[string]any{"list": []any{1, "two", nil}, "at": ada.Since, "for": time.Minute})
		return nil
	})
	view("a tenant: *", func(tx *txcache.Tx) error {
		s.labels.Set(tx, "save", "Sichern")
		return nil
	})
}
