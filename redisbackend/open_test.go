package redisbackend_test

import (
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/redistest"
)

// A user and a password of the URI, or of the configuration, are those that the
// server is told, whatever way leads to it.
func TestUserAndPassword(t *testing.T) {
	const password = "s:e/c@r?e%41t^|[]{}\"\\<>`é 密"
	user := func(servers ...*redistest.Server) {
		for _, s := range servers {
			s.Do("acl", "setuser", "app", "on", ">"+password, "allkeys", "allchannels", "allcommands")
			s.Do("acl", "setuser", "default", "off")
		}
	}
	login := "app:" + strings.ReplaceAll(url.QueryEscape(password), "+", "%20") + "@"
	for _, c := range []struct {
		name  string
		start func(t *testing.T) (uri string)
	}{
		{"redis", func(t *testing.T) string {
			s := redistest.Start(t)
			user(s)
			return s.URI()
		}},
		{"unix", func(t *testing.T) string {
			socket := filepath.Join(t.TempDir(), "s")
			user(redistest.Start(t, "--unixsocket", socket))
			return "unix://" + socket
		}},
		{"sentinel", func(t *testing.T) string {
			s := redistest.StartSentinels(t)
			s.Sentinel.Do("sentinel", "set", redistest.MasterName, "auth-user", "app")
			s.Sentinel.Do("sentinel", "set", redistest.MasterName, "auth-pass", password)
			user(s.Master, s.Replica)
			return s.URI()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			uri := c.start(t)
			cfg := settings(strings.Replace(uri, "://", "://"+login, 1))
			awaitSync(t, open(t, cfg), "shop")

			t.Setenv("TXCACHE_TEST_PASSWORD", password)
			text := strings.NewReader("cache.redis.uri = '" + strings.Replace(uri, "://", "://app:${TXCACHE_TEST_PASSWORD}@", 1) + "'")
			parsed, err := config.Parse(text, "x.toml")
			if err != nil {
				t.Fatal(err)
			}
			cfg.Redis.URI = parsed.Redis.URI
			awaitSync(t, open(t, cfg), "shop")

			cfg.Redis.URI, cfg.Redis.Username, cfg.Redis.Password = uri, "app", password
			awaitSync(t, open(t, cfg), "shop")

			cfg.Redis.Password = "another"
			if _, err := open(t, cfg).Sync(t.Context(), "shop"); err == nil || strings.Contains(err.Error(), "another") {
				t.Errorf("with another password: %v", err)
			}
		})
	}
}
