package config_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache/config"
)

// What TOML 1.0 lets a file define in several places, and what it does not. The
// line of an error is that of the second definition.
func TestNothingIsDefinedTwice(t *testing.T) {
	for text, twice := range map[string]string{
		"[cache]\nsizes.a = 1\nsizes.b = 2\n":                                                        "",
		"cache.size = 1\n[cache.sizes]\na = 1\n":                                                     "",
		"cache.sizes.a = 1\ncache.size = 2\ncache.sizes.b = 3\n":                                     "",
		"[cache.sizes]\na = 1\n[cache]\nsize = 2\n":                                                  "",
		"[cache]\nclass = \"own\"\nx.a.b = 1\n[cache.x.c]\nd = 2\n":                                  "",
		"[cache]\nclass = \"own\"\n[[cache.x.y]]\na.b = 1\n[[cache.x.y]]\na.b = 2\n":                 "",
		"[cache]\nsize = 1 # [cache]\nprefix = \"\"\"\n[cache]\nsize = 2\n\"\"\"\"\"\n":              "",
		"[cache]\nprefix = '''\n[cache]\\'''\ncontext_ignored_keys = [\"]\\\"[\", # [cache]\n'{']\n": "",
		"[cache]\nprefix = \"a\\\"\" # \"\nsize = 1\n":                                               "",
		"[cache]\nprefix = '''a''''' # '\nsize = 1\n":                                                "",

		"[cache]\nredis.near = true\nprefix = \"\\\"\"\n[cache.redis]\n":             "cache.redis",
		"[cache]\nredis.near = true\nprefix = \"\"\"a\"\"\"\"\n[cache.redis]\n":      "cache.redis",
		"[cache]\nredis.near = true\nprefix = \"\"\"a\"\"\"\"\"\n[cache.redis]\n":    "cache.redis",
		"[cache]\nredis.near = true\nprefix = '''a'''''\n[cache.redis]\n":            "cache.redis",
		"[cache]\nredis.near = true\nprefix = 'a\\'\n[cache.redis]\n":                "cache.redis",
		"[cache]\nredis.near = true\n[cache.redis]\n":                                "cache.redis",
		"[cache]\n\"redis\".near = true\n[cache.'redis']\n":                          "cache.redis",
		"[cache]\n\"r\\u0065dis\".near = true\n[ cache . redis ]\n":                  "cache.redis",
		"[cache]\r\nredis.near = true\r\n[cache.redis]\r\n":                          "cache.redis",
		"cache.redis.near = true\nprefix = 1\n[cache.redis]\n":                       "cache.redis",
		"cache.redis.near = true\n\n[cache]\n":                                       "cache",
		"[cache.redis]\n[cache]\nredis.near = true\n":                                "cache.redis",
		"[cache.x.y]\n[cache]\nx.y.a = 1\n":                                          "cache.x.y",
		"[cache]\nx.a.b = 1\n[cache.x.a]\n":                                          "cache.x.a",
		"[cache]\nredis = { near = true }\nredis.pool_size = 1\n":                    "cache.redis",
		"[cache]\nx = { a = { b = 1 } }\nx.a.c = 1\n":                                "cache.x",
		"[cache]\n\nx = { a = { b = 1 }, a.c = 1 }\n":                                "cache.x.a",
		"[cache]\nx = [{ a = 1 }]\nx.b = 1\n":                                        "cache.x",
		"[cache]\nredis.near = true\nredis = { pool_size = 1 }\n":                    "cache.redis",
		"[cache]\nredis.near = true\nredis = 1\n":                                    "cache.redis",
		"[cache]\nsize = 1 # '\nredis.near = true\nprefix='a' # \"\n[cache.redis]\n": "cache.redis",
	} {
		_, err := config.Parse(strings.NewReader(text), "x.toml")
		want := ""
		if twice != "" {
			want = fmt.Sprintf("txcache: x.toml:%d: %s: is defined twice; expected it once", strings.Count(text, "\n"), twice)
		}
		switch {
		case twice == "" && err != nil:
			t.Errorf("%s\nis refused: %v", text, err)
		case twice != "" && (err == nil || err.Error() != want):
			t.Errorf("%s\ngives %v, want %s", text, err, want)
		}
	}
}
