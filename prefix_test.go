package txcache_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/config"
)

func init() {
	for class, err := range map[string]error{
		"example.com/failing":  errors.New("no route to host"),
		"example.com/prefixed": errors.New("txcache: example: no route to host"),
		"example.com/wrapped":  fmt.Errorf("open: %w", errors.New("txcache: example: no route to host")),
	} {
		txcache.Register(class, func(context.Context, *config.Config) (backend.Backend, error) { return nil, err })
	}
	txcache.Register("example.com/strict", func(_ context.Context, cfg *config.Config) (backend.Backend, error) {
		return nil, cfg.Section("strict", &struct{ Wait int }{})
	})
}

// Every line of an error says once whose it is, at its beginning, and shows no
// secret.
func TestErrorsSayOnceWhoseTheyAre(t *testing.T) {
	t.Setenv("TXCACHE_TEST_SECRET", "sw/ordf^ish")
	const away = "[cache]\nclass = 'redis'\n[cache.redis]\nuri = 'redis://:${TXCACHE_TEST_SECRET}@127.0.0.1:1'\n"
	check := func(what string, err error) {
		t.Helper()
		if err == nil {
			t.Errorf("%s: no error", what)
			return
		}
		for line := range strings.SplitSeq(err.Error(), "\n") {
			if !strings.HasPrefix(line, "txcache: ") || strings.Count(line, "txcache:") != 1 {
				t.Errorf("%s: %s", what, line)
			}
		}
		for _, secret := range []string{"ordf", "swordfish"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%s: shows the secret: %v", what, err)
			}
		}
	}
	open := func(text string) (*txcache.Store, error) {
		path := filepath.Join(t.TempDir(), "cache.toml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return txcache.Open(t.Context(), path)
	}
	for what, text := range map[string]string{
		"no TOML":               "[cache\n",
		"a key twice":           "[cache]\nsize = 1\nsize = 2\n",
		"a table twice":         "[cache]\nredis.uri = '${TXCACHE_TEST_SECRET}'\n[cache.redis]\n",
		"an unknown key":        "[cache]\nszie = 1\n",
		"several problems":      "[cache]\nsize = 0\nsync = 1\n[cache.redis]\nuri = '${TXCACHE_TEST_SECRET}'\nfence = '1'\n",
		"a variable":            "[cache]\nprefix = '${TXCACHE_TEST_UNSET}'\n",
		"a malformed URI":       "[cache.redis]\nuri = 'redis://:swordfish^@localhost'\n",
		"an unknown class":      "[cache]\nclass = 'example.com/nobody'\n",
		"an unread section":     "[cache]\nclass = 'example.com/nobody'\n[cache.other]\na = 1\n",
		"a wrong section":       "[cache]\nclass = 'example.com/strict'\n[cache.strict]\nwait = '${TXCACHE_TEST_SECRET}'\n",
		"a class that fails":    "[cache]\nclass = 'example.com/failing'\n",
		"one with a prefix":     "[cache]\nclass = 'example.com/prefixed'\n",
		"one with it within":    "[cache]\nclass = 'example.com/wrapped'\n",
		"no authorities":        "[cache]\nclass = 'redis'\n[cache.redis]\nuri = 'rediss://localhost'\nca_file = 'missing.pem'\n",
		"no certificate":        "[cache]\nclass = 'redis'\n[cache.redis]\nuri = 'rediss://localhost'\ncert_file = 'missing.pem'\nkey_file = 'missing.pem'\n",
		"a parameter":           "[cache]\nclass = 'redis'\n[cache.redis]\nuri = 'redis://localhost?swordfish=1'\n",
		"no master":             "[cache]\nclass = 'redis'\n[cache.redis]\nuri = 'redis+sentinel://localhost'\n",
		"a database of cluster": "[cache]\nclass = 'redis'\n[cache.redis]\nuri = 'redis+cluster://localhost?db=3'\n",
	} {
		_, err := open(text)
		check(what, err)
	}
	_, err := txcache.Open(t.Context(), "missing.toml")
	check("no file", err)
	_, err = txcache.OpenConfig(t.Context(), nil)
	check("no configuration", err)

	s, err := open(away)
	if err != nil {
		t.Fatal(err)
	}
	users := txcache.Must(txcache.NewCache[int, string](s, "users", nil))
	_, err = txcache.NewCache[int, string](s, "users", nil)
	check("a cache twice", err)
	_, err = txcache.NewCache[*int, string](s, "pointers", nil)
	check("a key that is none", err)
	for range 2 { // the breaker is open then
		check("sync", s.Sync(t.Context(), "shop"))
		check("clear", s.Clear(t.Context(), "shop", "users"))
		check("clear all", s.ClearAll(t.Context(), "shop"))
		check("drop", s.Drop(t.Context(), "shop"))
		check("commit", s.Update(t.Context(), "shop", users.Clear))
	}
	check("clear of nothing", s.Clear(t.Context(), "shop"))
	check("clear in a view", s.View(t.Context(), "shop", users.Clear))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	check("clear after close", s.Clear(t.Context(), "shop", "users"))
	check("drop after close", s.Drop(t.Context(), "shop"))
	check("begin after close", s.View(t.Context(), "shop", func(*txcache.Tx) error { return nil }))
}
