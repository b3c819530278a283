package redisbackend

import (
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache/config"
)

// A password that the environment gives reaches the client as it is, whichever
// kind of server it is for.
func FuzzPasswordReachesTheClient(f *testing.F) {
	for _, password := range []string{"swordfish", "%41", "^ |[]{}\"\\<>`", "é密🔑", "/?#@:&=+;,%", "${A} $${"} {
		f.Add(password)
	}
	f.Fuzz(func(t *testing.T, password string) {
		if password = strings.ReplaceAll(strings.ToValidUTF8(password, ""), "\x00", ""); password == "" {
			return // an environment has no other; an empty one is none
		}
		t.Setenv("TXCACHE_TEST_PASSWORD", password)
		for _, uri := range []string{
			"redis://me:${TXCACHE_TEST_PASSWORD}@localhost", "unix://me:${TXCACHE_TEST_PASSWORD}@/run/redis.sock", "redis+cluster://me:${TXCACHE_TEST_PASSWORD}@a,b",
			"redis+sentinel://me:${TXCACHE_TEST_PASSWORD}@a,b/shop?sentinel_username=me&sentinel_password=${TXCACHE_TEST_PASSWORD}",
		} {
			cfg, err := config.Parse(strings.NewReader("cache.redis.uri = '"+uri+"'"), "x.toml")
			if err != nil {
				t.Fatalf("%q in %s: %v", password, uri, err)
			}
			o, err := clientOptions(&cfg.Redis)
			if err != nil {
				t.Fatalf("%q in %s: %v", password, uri, err)
			}
			if o.Username != "me" || o.Password != password {
				t.Errorf("%q in %s: the client has user %q, password %q", password, uri, o.Username, o.Password)
			}
			if o.MasterName != "" && (o.SentinelUsername != "me" || o.SentinelPassword != password) {
				t.Errorf("%q in %s: sentinels are told user %q, password %q", password, uri, o.SentinelUsername, o.SentinelPassword)
			}
		}
	})
}
