package config_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache/config"
)

// odd are passwords that a URI cannot have as they are, or has another meaning for.
var odd = []string{
	"", "swordfish", "^", "|", "[", "]", "{", "}", `"`, `\`, "<", ">", "`", " ", "é", "密码", "🔑", "%", "%41", "%zz", "+", "&", "=", ";", ",", "'",
	"/", "?", "#", "@", ":", "a:b@c/d?e#f", "${HOME}", "$${", "://", "\t", "\n", "\x01", "\x7f", " leading and trailing ", "%2525",
}

// places are where a URI may have a password, and how to read it there.
var places = map[string]func(u *url.URL) string{
	"redis://:${TXCACHE_TEST_ODD}@localhost:6379/0":                                             password,
	"rediss://me:${TXCACHE_TEST_ODD}@localhost":                                                 password,
	"unix://me:${TXCACHE_TEST_ODD}@/run/redis.sock":                                             password,
	"redis+sentinel://me:${TXCACHE_TEST_ODD}@localhost/shop/1":                                  password,
	"redis+cluster://me:${TXCACHE_TEST_ODD}@localhost":                                          password,
	"redis://${TXCACHE_TEST_ODD}:secret@localhost":                                              func(u *url.URL) string { return u.User.Username() },
	"redis+sentinel://localhost/shop?sentinel_password=${TXCACHE_TEST_ODD}":                     func(u *url.URL) string { return u.Query().Get("sentinel_password") },
	"redis+sentinel://localhost/shop?sentinel_username=${TXCACHE_TEST_ODD}&sentinel_password=b": func(u *url.URL) string { return u.Query().Get("sentinel_username") },
}

func password(u *url.URL) string {
	p, _ := u.User.Password()
	return p
}

// checkOdd holds a password from the environment to what the URI makes of it.
func checkOdd(t *testing.T, odd string) {
	t.Helper()
	t.Setenv("TXCACHE_TEST_ODD", odd)
	for place, read := range places {
		c, err := config.Parse(strings.NewReader("[cache.redis]\nuri = '"+place+"'\n"), "odd.toml")
		if err != nil {
			t.Errorf("%q in %s: %v", odd, place, err)
			continue
		}
		u, err := url.Parse(c.Redis.URI)
		if err != nil {
			t.Errorf("%q in %s: %v", odd, place, err)
		} else if got := read(u); got != odd {
			t.Errorf("%q in %s comes as %q", odd, place, got)
		}
	}
}

func TestPasswordFromTheEnvironmentIsTakenAsItIs(t *testing.T) {
	for _, o := range odd {
		checkOdd(t, o)
	}
}

func FuzzPasswordFromTheEnvironment(f *testing.F) {
	for _, o := range odd {
		f.Add(o)
	}
	f.Fuzz(func(t *testing.T, odd string) {
		if odd = strings.ReplaceAll(strings.ToValidUTF8(odd, ""), "\x00", ""); odd != "" { // an environment has no other
			checkOdd(t, odd)
		}
	})
}

// What is not a part of user, password or query is a part of the URI.
func TestPartsOfAURIFromTheEnvironment(t *testing.T) {
	t.Setenv("TXCACHE_TEST_WHOLE", "redis://me:p%2Fw@localhost:7000/3")
	t.Setenv("TXCACHE_TEST_BOTH", "me:p/w:%41@^")
	t.Setenv("TXCACHE_TEST_HOST", "localhost:7000")
	t.Setenv("TXCACHE_TEST_DIR", "b%20c")
	t.Setenv("TXCACHE_TEST_PATH", "/run/a%20b.sock")
	for text, want := range map[string]string{
		"${TXCACHE_TEST_WHOLE}":                             "redis://me:p%2Fw@localhost:7000/3",
		"redis://${TXCACHE_TEST_HOST}/3":                    "redis://localhost:7000/3",
		"redis://a%5Eb@${TXCACHE_TEST_HOST}":                "redis://a%5Eb@localhost:7000",
		"redis://${TXCACHE_TEST_BOTH}@${TXCACHE_TEST_HOST}": "redis://me:p%2Fw%3A%2541%40%5E@localhost:7000",
		"redis://${TXCACHE_TEST_BOTH}x@localhost":           "redis://me%3Ap%2Fw%3A%2541%40%5Ex@localhost",
		"redis://x${TXCACHE_TEST_BOTH}@localhost":           "redis://xme%3Ap%2Fw%3A%2541%40%5E@localhost",
		"unix:///run/a=${TXCACHE_TEST_DIR}?db=1":            "unix:///run/a=b%20c?db=1",
		"unix://${TXCACHE_TEST_PATH}":                       "unix:///run/a%20b.sock",
		"unix://${TXCACHE_TEST_BOTH}@${TXCACHE_TEST_PATH}":  "unix://me:p%2Fw%3A%2541%40%5E@/run/a%20b.sock",
	} {
		c, err := config.Parse(strings.NewReader("[cache.redis]\nuri = '"+text+"'\n"), "x.toml")
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if c.Redis.URI != want {
			t.Errorf("%s is %s, want %s", text, c.Redis.URI, want)
		}
	}
}

// A URI that has a character that it cannot have says which, and what to do, and
// nothing else of the password.
func TestCharacterThatAURICannotHaveIsNamed(t *testing.T) {
	for char, says := range map[string]string{
		"^": "%5E", "|": "%7C", "[": "%5B", "]": "%5D", "{": "%7B", "}": "%7D", `"`: "%22", `\`: "%5C", "<": "%3C", ">": "%3E", "`": "%60", " ": "%20",
		"é": "not ASCII", "密": "not ASCII", "\t": "control character", "%": "%25", "%4": "%25", "%zz": "%25", "#": "%23", "/": "%2F", "?": "%3F",
	} {
		for _, uri := range []string{"redis://:swordfish" + char + "@localhost", "unix://" + char + "swordfish@/run/redis.sock", "redis+cluster://me:swordfish" + char + "@a,b"} {
			c := config.Default()
			c.Redis.URI = uri
			err := c.Validate()
			if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "fish") {
				t.Errorf("%q gives %v, want it to name %s", uri, err, says)
			}
		}
	}
}
