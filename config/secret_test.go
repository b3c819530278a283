package config_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/config"
)

// renderings returns v as the verbs of fmt and the handlers of slog show it. The
// verbs %p and %w are left out: for what is no pointer and no error package fmt
// asks no method and prints the fields. Nothing here can hinder it; go vet does.
func renderings(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	holder := struct{ V any }{v}
	for _, verb := range "vsqxXdtbcoOUeEfFgGT" {
		for _, flags := range []string{"", "+", "#", " ", "10.3"} {
			fmt.Fprintf(&b, "%"+flags+string(verb)+"\n", v)
			fmt.Fprintf(&b, "%"+flags+string(verb)+"\n", holder)
			fmt.Fprintf(&b, "%"+flags+string(verb)+"\n", []any{v})
		}
	}
	for _, log := range []*slog.Logger{slog.New(slog.NewTextHandler(&b, nil)), slog.New(slog.NewJSONHandler(&b, nil))} {
		log.Info("shown", "value", v, "held", holder, "list", []any{v}, slog.Group("group", "value", v))
	}
	text, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	b.Write(text)
	if s, ok := v.(fmt.GoStringer); ok {
		b.WriteString(s.GoString())
	}
	return b.String()
}

// leaks reports the pieces of secret, in the clear or as %x writes them, that
// text holds.
func leaks(text string, pieces ...string) (found []string) {
	for _, p := range pieces {
		for _, s := range []string{p, fmt.Sprintf("%x", p), fmt.Sprintf("%X", p), fmt.Sprintf("% x", p)} {
			if strings.Contains(text, s) {
				found = append(found, p)
			}
		}
	}
	return found
}

func TestNoVerbAndNoHandlerShowsADSN(t *testing.T) {
	c := config.Default()
	c.SQL = config.SQL{Dialect: "postgres", DSN: "host=db user=shop password=swordfish"}
	for _, v := range []any{c, *c, c.SQL, &c.SQL} {
		text := renderings(t, v)
		if found := leaks(text, "swordfish", "host=db"); found != nil || !strings.Contains(text, "postgres") {
			t.Errorf("%T shows %q, or not the dialect", v, found)
		}
	}
}

func TestNoVerbAndNoHandlerShowsAPassword(t *testing.T) {
	for _, uri := range []string{"redis://:swordfish@localhost", "redis://:swordfish@not valid"} {
		c := config.Default()
		c.Redis.URI, c.Redis.Password = uri, "swordfish"
		for _, v := range []any{c, *c, c.Redis, &c.Redis} {
			shown := renderings(t, v)
			if found := leaks(shown, "swordfish"); found != nil {
				t.Errorf("%s: %T leaks", uri, v)
			}
			if !strings.Contains(shown, "dial_timeout") {
				t.Errorf("%T shows nothing", v)
			}
		}
	}
}

func TestNoPieceOfAURIShowsAPassword(t *testing.T) {
	const first, second = "Sw0rdfishA", "Sw0rdfishB"
	separators := []string{"", "/", "?", "#", "@", ":", "%", "%zz", "[", " ", "\x00", "\n", ",", "&", "=", "://", `"`, "'", "${", "é"}
	for _, scheme := range []string{"redis", "rediss", "unix", "redis+sentinel", "redis+cluster", "http", ""} {
		for _, sep := range separators {
			password := first + sep + second
			for _, uri := range []string{
				scheme + "://:" + password + "@localhost:6379/0",
				scheme + "://user:" + password + "@localhost",
				scheme + "://" + password + "@localhost",
				scheme + "://user:12" + sep + password + "@localhost/0",
				scheme + "://:" + password + "@/run/redis.sock",
				scheme + "://localhost?password=" + password,
				scheme + ":" + password + "@localhost",
			} {
				c := config.Default()
				c.Redis.URI = uri
				c.Redis.Password = password
				c.Redis.PoolSize = -1
				shown := c.String() + c.Redis.String() + c.Validate().Error()
				if found := leaks(shown, first, second); found != nil {
					t.Fatalf("%q leaks %q", uri, found)
				}
			}
		}
	}
}

func TestNoErrorShowsASecret(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	secret := fmt.Sprintf("S%019d", rng.Uint64())
	digits := secret[1:]
	t.Setenv("TXCACHE_TEST_SECRET", secret)
	t.Setenv("TXCACHE_TEST_URL", "redis://:"+url.QueryEscape(secret)+"@local host:x")

	values := []string{
		`"${TXCACHE_TEST_SECRET}"`, `"redis://:${TXCACHE_TEST_SECRET}@%%%"`, `"${TXCACHE_TEST_URL}"`, `["${TXCACHE_TEST_SECRET}"]`, `{ a = "${TXCACHE_TEST_SECRET}" }`,
	}
	// In the file itself only these two keys hold secrets; so do malformed lines.
	literals := []string{
		secret, `"` + secret, `"` + secret + `" ` + secret, `'` + secret, `"\` + secret + `"`, `"\x` + secret + `"`, `"\uD800` + secret + `"`,
		digits, "0" + digits, digits + "__0", digits + ".", digits + ".e", "1e" + digits, "+0x" + digits, "9" + digits + digits, "0x" + digits + digits,
		"0b2" + digits, "2021-13-" + digits, "[" + secret, "[1 " + secret, "{" + secret, "{ a = " + secret + " }", `"` + secret + "\x01\"", `"` + secret + "\xff\"",
		`"redis://:` + secret + `@%%%"`, `"` + secret + `${"`, `"""` + secret, `[["` + secret + `"]]`, "-" + secret, "." + digits, "t" + secret,
	}
	keys := []string{
		"cache.class", "cache.prefix", "cache.size", "cache.sync", "cache.outage", "cache.context_ignored_keys", "cache.sizes", "cache.sizes.x", "cache.redis",
		"cache.redis.uri", "cache.redis.duration", "cache.redis.fence", "cache.redis.near", "cache.redis.dial_timeout", "cache.redis.timeout",
		"cache.redis.pool_size", "cache.redis.ca_file", "cache.redis.server_name", "cache.redis.username", "cache.redis.password", "cache.unknown", "unknown",
	}
	failed := 0
	check := func(text string) {
		c, err := config.Parse(strings.NewReader(text), "secret.toml")
		if err == nil {
			err = c.Validate()
		}
		if err == nil {
			return
		}
		failed++
		if found := leaks(err.Error(), secret, digits); found != nil {
			t.Errorf("%s\nleaks %q:\n%v", text, found, err)
		}
	}
	for _, key := range keys {
		for _, value := range values {
			check(key + " = " + value)
			check("cache.redis.pool_size = -1\n" + key + " = " + value)
		}
	}
	for _, key := range []string{"uri", "password"} {
		for _, value := range literals {
			check("[cache.redis]\n" + key + " = " + value)
			check("cache = { redis = { " + key + " = " + value + " } }")
		}
	}
	if failed < 150 {
		t.Errorf("only %d errors: the test looks at too few", failed)
	}
}

func TestNoErrorOfASectionShowsTheEnvironment(t *testing.T) {
	t.Setenv("TXCACHE_TEST_SECRET", "swordfish")
	for _, key := range []string{"Plain", "wait", "since", "host", "ratio", "on", "tags", "pools", "weights", "unknown", "address.x"} {
		c := parse(t, "[cache]\nclass = \"acme\"\n[cache.acme]\n"+key+" = \"${TXCACHE_TEST_SECRET}\"\n")
		if err := c.Section("acme", &section{}); err == nil || strings.Contains(err.Error(), "swordfish") {
			t.Errorf("%s: got %v", key, err)
		}
		if err := c.Unread(); err != nil {
			t.Error(err)
		}
		if shown := renderings(t, c); leaks(shown, "swordfish") != nil {
			t.Errorf("%s: shown", key)
		}
	}
}

func TestEveryTextualFormIsString(t *testing.T) {
	c := config.Default()
	c.Redis.Password = "swordfish"
	for _, v := range []interface {
		fmt.Stringer
		fmt.GoStringer
		slog.LogValuer
		json.Marshaler
	}{c, *c, c.Redis, &c.Redis} {
		text, err := v.MarshalJSON()
		var marshalled string
		if err := errors.Join(err, json.Unmarshal(text, &marshalled)); err != nil {
			t.Fatal(err)
		}
		for form, got := range map[string]string{"%v": fmt.Sprint(v), "GoString": v.GoString(), "LogValue": v.LogValue().String(), "JSON": marshalled} {
			if got != v.String() {
				t.Errorf("%T: %s is\n%s", v, form, got)
			}
		}
	}
}

func TestAnInvalidURIIsNotShown(t *testing.T) {
	c := config.Default()
	for uri, want := range map[string]string{"localhost": `uri = "***"`, "": `uri = ""`} {
		if c.Redis.URI = uri; !strings.Contains(c.Redis.String(), want) {
			t.Errorf("%q shows as\n%s", uri, c.Redis)
		}
	}
}

func TestStringHasTheTermThatIsUsed(t *testing.T) {
	c := config.Default()
	if c.Sync = config.SyncLease; !strings.Contains(c.String(), "term = \"1s\"\nwait = \"2s\"\n") {
		t.Errorf("got\n%s", c)
	}
	if c.Redis.Wait = time.Second; !strings.Contains(c.String(), "term = \"500ms\"\nwait = \"1s\"\n") {
		t.Errorf("got\n%s", c)
	}
}

func TestStringIsTheConfigurationInEffect(t *testing.T) {
	c := config.Default()
	c.Class, c.ContextIgnoredKeys = "redis", []string{"${literal}"}
	c.Sizes["ir.rule"] = 5
	c.Redis.URI = "redis+sentinel://user:swordfish@a:1,b:2/main/0?sentinel_password=x"
	c.Redis.Username = "me"
	want := `[cache]
class = "redis"
prefix = "txcache"
size = 1024
overlay_size = 0
memory = "25%"
sync = "begin"
outage = "refuse"
context_ignored_keys = ["$${literal}"]
[cache.sizes]
"ir.rule" = 5
[cache.redis]
uri = "redis+sentinel://***@a:1,b:2/main/0?***"
duration = "12h0m0s"
fence = "1m0s"
lease = "0s"
term = "0s"
wait = "0s"
near = true
dial_timeout = "200ms"
timeout = "500ms"
pool_size = 0
largest_value = "64MB"
username = "me"
`
	if got := c.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := c.Redis.String(); !strings.HasSuffix(want, strings.TrimPrefix(got, "[cache]\n")) {
		t.Errorf("Redis shows as\n%s", got)
	}
	if c.ContextIgnoredKeys[0] != "${literal}" || !strings.Contains(c.Redis.URI, "swordfish") {
		t.Error("showing a configuration changes it")
	}
}
