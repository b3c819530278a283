package config_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed-dad15c92/txcache/config"
)

const testdata = "../testdata/config"

func setEnvironment(t *testing.T) {
	t.Helper()
	t.Setenv("TXCACHE_TEST_PREFIX", "filled")
	t.Setenv("TXCACHE_TEST_PASSWORD", "swordfish")
	t.Setenv("TXCACHE_TEST_LATIN1", "caf\xe9")
	os.Unsetenv("TXCACHE_TEST_UNSET")
}

// same compares configurations by their fields alone.
func same(t *testing.T, got, want *config.Config) {
	t.Helper()
	if diff := cmp.Diff(*want, *got, cmpopts.IgnoreUnexported(config.Config{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("wrong configuration (-want +got):\n%s", diff)
	}
}

func TestGoodFiles(t *testing.T) {
	setEnvironment(t)
	tests := map[string]func(*config.Config){
		"../memory":   func(c *config.Config) {},
		"../redis":    func(c *config.Config) { c.Class = "redis" },
		"good/empty":  func(c *config.Config) {},
		"good/dotted": func(c *config.Config) { c.Size, c.Redis.URI, c.Redis.Near = 10, "unix:///run/redis.sock", false },
		"good/full": func(c *config.Config) {
			*c = config.Config{
				Class: "redis", Prefix: "shop", Size: 2048, Sync: config.SyncChannel, Outage: config.OutageCommit,
				ContextIgnoredKeys: []string{"client", "_request"},
				Sizes:              map[string]int{"ir.translation": 10240, "rights": 1},
				Redis: config.Redis{
					URI: "rediss://cache.example.com:6380/3", Duration: 90 * time.Minute, Fence: 150 * time.Second, Lease: 2 * time.Second,
					DialTimeout: time.Second, Timeout: 50 * time.Second, PoolSize: 20,
					CAFile: "/etc/ssl/redis.pem", CertFile: "client.pem", KeyFile: "client.key", ServerName: "redis.internal",
					Username: "shop", Password: "swordfish",
				},
			}
		},
		"good/duration": func(c *config.Config) { c.Sync = "5m" },
		"good/environment": func(c *config.Config) {
			c.Prefix = "filled-${literal}-$HOME"
			c.ContextIgnoredKeys = []string{"a", "filled"}
			c.Redis.URI = "redis://:swordfish@localhost"
		},
		"good/importpath": func(c *config.Config) {
			c.Class = "github.com/seed-dad15c92/txcache/redisbackend"
			c.Redis.URI = "redis+cluster://a.example.com:7000,b.example.com:7001"
		},
		"good/largest": func(c *config.Config) { c.Redis.LargestValue = 16 << 20 },
		"good/own":     func(c *config.Config) { c.Class = "example.com/acme/cache" },
		"good/sql": func(c *config.Config) {
			c.Class = "sql"
			c.SQL = config.SQL{
				Dialect: "postgres", DSN: "postgres://shop:swordfish@db.example.com/shop", Driver: "postgres",
				Table: "cache.clears", Values: "memory",
			}
		},
		"good/windows": func(c *config.Config) { c.Prefix = "bom" },
	}
	files, err := filepath.Glob(testdata + "/good/*.toml")
	if err != nil || len(files)+2 != len(tests) {
		t.Fatalf("%d good files, expected %d: %v", len(files), len(tests)-2, err)
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := config.Load(filepath.Join(testdata, name+".toml"))
			if err != nil {
				t.Fatal(err)
			}
			want := config.Default()
			change(want)
			same(t, got, want)
			if err := got.Validate(); err != nil {
				t.Errorf("parsed, but not valid: %v", err)
			}
		})
	}
}

// Each bad file begins with a comment that holds the lines of its error.
func TestBadFilesNameFileLineAndKey(t *testing.T) {
	setEnvironment(t)
	files, err := filepath.Glob(testdata + "/bad/*.toml")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d bad files: %v", len(files), err)
	}
	for _, path := range files {
		name := filepath.Base(path)
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for line := range strings.Lines(string(text)) {
				comment, ok := strings.CutPrefix(line, "# ")
				if !ok {
					break
				}
				want = append(want, strings.TrimRight(comment, "\n"))
			}
			c, err := config.Parse(strings.NewReader(string(text)), name)
			if err == nil {
				t.Fatalf("accepted: %v", c)
			}
			if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
				t.Errorf("wrong error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnErrorOfTheFileIsToldByLoad(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing.toml")
	if _, err := config.Load(missing); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), missing) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := config.Load(t.TempDir()); err == nil {
		t.Error("a directory was read as a file")
	}
	if _, err := config.Parse(iotest.ErrReader(fs.ErrClosed), "x.toml"); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("failing reader: %v", err)
	}
	huge := strings.NewReader(strings.Repeat("#", 256<<10) + "#")
	if _, err := config.Parse(huge, "x.toml"); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("huge file: %v", err)
	}
	largest := strings.NewReader(strings.Repeat("#", 256<<10))
	if _, err := config.Parse(largest, "x.toml"); err != nil {
		t.Errorf("largest file: %v", err)
	}
}

func TestDeepNestingIsAnErrorNotACrash(t *testing.T) {
	nested := func(levels int) string { return "x = " + strings.Repeat("[", levels) + strings.Repeat("]", levels) }
	// Each header adds two levels: the array and its element.
	headers := func(n int) (text string) {
		for i := range n {
			text += "[[x" + strings.Repeat(".x", i) + "]]\n"
		}
		return text
	}
	for text, want := range map[string]string{
		"x = " + strings.Repeat("[", 100<<10): "found the end of the file",
		headers(17):                           "found too many levels",
		headers(16):                           "unknown key",
		nested(100 << 10):                     "found too many levels",
		nested(33):                            "found too many levels",
		nested(32):                            "unknown key",
	} {
		_, err := config.Parse(strings.NewReader(text), "deep.toml")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %.200v, want %s", err, want)
		}
		if want == "unknown key" && strings.Contains(err.Error(), "levels") {
			t.Errorf("32 levels: %v", err)
		}
	}
}

// The line of a table is that of its header, or of the first of its dotted keys.
func TestLineOfATable(t *testing.T) {
	for text, line := range map[string]int{
		"[cache]\n\nnope.b = 1\nnope.a = 2\n":                 3,
		"[cache]\n\nnope.a = 1\nnope.b = 2\nnope.c = 3\n":     3,
		"[cache]\n\nnope.b.c = 1\nnope.a = 2\nnope.b.a = 3\n": 3,
		"[cache.nope.y]\na = 1\n\n[cache.nope]\nb = 2\n":      4,
		"[cache]\n[cache.nope]\n\nb = 2\n":                    2,
	} {
		for range 10 { // the keys of a table are gone over in any order
			_, err := config.Parse(strings.NewReader(text), "x.toml")
			if want := fmt.Sprintf("txcache: x.toml:%d: cache.nope: unknown key", line); err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%s\ngives %v, want %s", text, err, want)
			}
		}
	}
}

// Keys are not expanded, even where they are names of caches.
func TestKeysAreNotExpanded(t *testing.T) {
	setEnvironment(t)
	c, err := config.Parse(strings.NewReader("[cache.sizes]\n\"${TXCACHE_TEST_PREFIX}\" = 5\n"), "x.toml")
	if err != nil || c.Sizes["${TXCACHE_TEST_PREFIX}"] != 5 {
		t.Errorf("%v, %v", c, err)
	}
}

// A value of 60 bytes is shown whole, a longer one up to there.
func TestLongValuesAreShownInPart(t *testing.T) {
	shown := strings.Repeat("x", 60)
	for value, want := range map[string]string{
		shown:                  `"` + shown + `"`,
		shown + "x":            `"` + shown + `..."`,
		shown[:59] + "é":       `"` + shown[:59] + `..."`,
		shown[:58] + "é":       `"` + shown[:58] + `é"`,
		shown[:58] + "é" + "x": `"` + shown[:58] + `é..."`,
	} {
		_, err := config.Parse(strings.NewReader("[cache]\nsync = '"+value+"'\n"), "x.toml")
		if want := "txcache: x.toml:2: cache.sync: " + want + " is not a duration"; err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q gives %v, want %s", value, err, want)
		}
	}
}

func TestMalformedTextIsAnError(t *testing.T) {
	for _, text := range []string{
		"\x00", "\xff\xfe[\x00", "[cache]\nprefix = \"\xff\"", "a = 2021-99-99", "a = 1e999", "a = 99999999999999999999",
		"a = \"\\ud800\"", "a = [1 2]", "a = {b = 1 c = 2}", "a = 1__0", "a = 0x", "a = +0x1", "[]", "= 1", "a = \"\x01\"", "a.b = 1\na = 2", "a = '",
	} {
		_, err := config.Parse(strings.NewReader(text), "x.toml")
		if err == nil {
			t.Errorf("%q was accepted", text)
		} else if !strings.HasPrefix(err.Error(), "txcache: x.toml:1: ") && !strings.HasPrefix(err.Error(), "txcache: x.toml:2: ") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestDefaultIsValidAndFresh(t *testing.T) {
	c := config.Default()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	c.Sizes["x"] = 1
	c.Prefix = "changed"
	if d := config.Default(); len(d.Sizes) != 0 || d.Prefix != "txcache" {
		t.Error("a change of one default shows in the next")
	}
}

func TestValidateNamesTheKeysOfAHandMadeConfig(t *testing.T) {
	tests := map[string]struct {
		change func(*config.Config)
		want   string
	}{
		"prefix": {func(c *config.Config) { c.Prefix = "a\xff" },
			`txcache: cache.prefix: "a\xff" is not valid UTF-8; expected a name of the deployment such as "txcache"`},
		"size": {func(c *config.Config) { c.Sizes["a\xff"] = 1 },
			"txcache: cache.sizes.\"a\xff\": found a name that is empty or not valid UTF-8; expected the name of a cache"},
		"two": {func(c *config.Config) { c.Class, c.Redis.Fence = "", time.Second },
			"txcache: cache.class: \"\" is empty; expected \"memory\", \"redis\", \"sql\" or the import path of a registered backend\n" +
				`txcache: cache.redis.fence: "1s" is shorter than three times cache.redis.timeout (500ms); expected a lease that outlives it`},
		"overflow": {func(c *config.Config) { c.Redis.Timeout, c.Redis.DialTimeout = 1<<62, 1<<63-1 },
			`txcache: cache.redis.fence: "1m" is shorter than three times cache.redis.timeout (1281023h53m38.427387904s); expected a lease that outlives it`},
		"fence exactly three times": {func(c *config.Config) { c.Redis.Fence = 1500 * time.Millisecond }, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := config.Default()
			test.change(c)
			got := ""
			if err := c.Validate(); err != nil {
				got = err.Error()
			}
			if got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
	if new(config.Config).Validate() == nil {
		t.Error("the zero Config is valid")
	}
}

func TestEvery(t *testing.T) {
	for sync, want := range map[config.Sync]time.Duration{
		"5m": 5 * time.Minute, config.SyncBegin: 0, config.SyncChannel: 0, "-5m": 0, "": 0, "60": 0,
	} {
		if got := sync.Every(); got != want {
			t.Errorf("%q: got %v, want %v", sync, got, want)
		}
	}
}

func TestURI(t *testing.T) {
	for uri, wrong := range map[string]string{
		"redis://localhost":                           "",
		"redis://localhost/":                          "",
		"rediss://[::1]:6380/15":                      "",
		"redis://user:p%2Fw@host:65535":               "",
		"unix:///run/redis.sock?db=1":                 "",
		"unix://:pw@/run/redis.sock":                  "",
		"redis+sentinel://a:26379,b:26379/mymaster/0": "",
		"rediss+sentinel://u:p@a,b/mymaster":          "",
		"redis+cluster://a:1,b:2,c:3/0":               "",
		"redis://localhost?db=3":                      "",
		"redis+sentinel://a/mymaster?db=3":            "",
		"redis+sentinel://a/m/1?sentinel_username=x":  "",
		"redis+cluster://a?db=0":                      "",
		"rediss+cluster://a":                          "",
		"":                                            "found nothing",
		"localhost:6379":                              "an unknown scheme",
		"REDIS://localhost":                           "an unknown scheme",
		"redis://":                                    "no host",
		"redis://:6379":                               "no host",
		"redis://a,b/c@d":                             "an @ after the host",
		"redis://a:1,b:2":                             "several hosts",
		"redis+cluster://a:1,,b:2":                    "no host",
		"redis+cluster://a/1":                         "a path",
		"redis://a:0":                                 "a port",
		"redis://a:65536":                             "a port",
		"redis://a:99999999999999999999":              "a port",
		"redis://a:port":                              "malformed",
		"redis://a/-1":                                "the number of a database",
		"redis://a/one":                               "the number of a database",
		"redis://a/1/2":                               "the number of a database",
		"redis://a#b":                                 "a #",
		"redis://a?x=%zz":                             "a malformed query",
		"redis://a?timeout=5s":                        "an unknown parameter",
		"redis+sentinel://a/m?password=x":             "an unknown parameter",
		"redis://a?sentinel_password=x":               "of Sentinels with a scheme that has none",
		"redis://a?db=1&db=2":                         "a parameter twice",
		"redis://a?db=":                               "a db that is not the number of a database",
		"unix:///run/redis.sock?db=one":               "a db that is not the number of a database",
		"redis://a?db=77777777777777777777":           "a db that is not the number of a database",
		"redis://a/1?db=1":                            "in the path and in the query",
		"redis+sentinel://a/m/1?db=1":                 "in the path and in the query",
		"redis+cluster://a?db=3":                      "a db (a cluster has but database 0)",
		"redis+sentinel://a":                          "no name of a master",
		"redis+sentinel://a//1":                       "no name of a master",
		"redis+sentinel://a/m/one":                    "does not end with the number of a database",
		"redis+sentinel://a/m/1/2":                    "does not end with the number of a database",
		"unix://host/run/redis.sock":                  "a host",
		"unix://":                                     "no path",
		"redis://us er@a":                             "%20",
	} {
		c := config.Default()
		c.Redis.URI = uri
		err := c.Validate()
		if wrong == "" && err != nil {
			t.Errorf("%q: %v", uri, err)
		} else if wrong != "" && (err == nil || !strings.Contains(err.Error(), wrong)) {
			t.Errorf("%q: got %v, want %s", uri, err, wrong)
		}
	}
}
