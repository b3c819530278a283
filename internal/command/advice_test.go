package command

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache/internal/redistest"
)

func TestCheckSaysWhatToDo(t *testing.T) {
	server := redistest.Start(t)
	for name, c := range map[string]struct {
		uri, more string
		set       []any
		says, not string
	}{
		"a database that is not there": {"redis://" + server.Addr + "/99", "", nil, "Change the number at the end of cache.redis.uri", "rights"},
		"a wrong scheme":               {"redis+cluster://" + server.Addr, "", nil, "Use the scheme redis ", "rights"},
		"no password":                  {server.URI(), "", []any{"CONFIG", "SET", "requirepass", "s3cret"}, "Set cache.redis.password", "rights"},
		"a wrong password":             {server.URI(), "password = \"wr0ng\"\n", nil, "knows no such user and password", "rights"},
		"a right that is missing":      {"redis://app:s3cret@" + server.Addr, "", []any{"ACL", "SETUSER", "app", "on", ">s3cret", "~*", "&*", "+@all", "-publish"}, "lacks rights", "databases"},
	} {
		t.Run(name, func(t *testing.T) {
			w := inWorld(t, onRedis(c.uri, "")+c.more)
			if c.set != nil {
				server.Do(c.set...)
			}
			if name == "a wrong password" {
				server.Do("CONFIG", "SET", "requirepass", "s3cret")
			}
			defer server.Client().ConfigSet(t.Context(), "requirepass", "")
			for _, line := range []string{"check", "clear shop users --force"} {
				_, messages, code := w.run("", strings.Fields(line)...)
				if code == exitOK && line == "check" || code != exitOK && (!strings.Contains(messages, c.says) || strings.Contains(messages, c.not) || strings.Count(messages, "txcache:") != 1) {
					t.Errorf("%s: exit code %d, messages %q", line, code, messages)
				}
			}
		})
	}
}

func TestCheckRemarks(t *testing.T) {
	server := redistest.Start(t)
	remarks := func(text string) string {
		t.Helper()
		w := inWorld(t, text)
		var r checkResult
		if err := json.Unmarshal([]byte(w.must("check", "--json")), &r); err != nil {
			t.Fatal(err)
		}
		all := strings.Join(r.Remarks, "\n")
		if out := w.must("check"); strings.Count(out, "Remark: ") != len(r.Remarks) || len(r.Problems) > 0 || strings.Contains(out+all, "s3cret") {
			t.Errorf("%q, %q in\n%s", r.Remarks, r.Problems, out)
		}
		return all
	}
	plain := onRedis(server.URI(), "")
	for setting, says := range map[string]string{
		"maxmemory 0": "no maxmemory", "maxmemory 100mb": "takes no new values", "maxmemory-policy allkeys-lru": "evict the generations",
	} {
		name, value, _ := strings.Cut(setting, " ")
		server.Do("CONFIG", "SET", "maxmemory-policy", "noeviction")
		server.Do("CONFIG", "SET", name, value)
		if got := remarks(plain); !strings.Contains(got, says) {
			t.Errorf("%s: remarks %q", setting, got)
		}
	}
	server.Do("CONFIG", "SET", "maxmemory", "100mb")
	server.Do("CONFIG", "SET", "maxmemory-policy", "volatile-lru")
	if got := remarks(plain); got != "" {
		t.Errorf("nothing is wrong; remarks %q", got)
	}

	t.Setenv("SECRET_PASSWORD", "s3cret")
	server.Do("ACL", "SETUSER", "app", "on", ">s3cret", "~*", "&*", "+@all")
	withPasswords := []string{
		plain + "password = \"s3cret\"\n", // which the server takes, as it takes any
		onRedis("redis://:${SECRET_PASSWORD}@"+server.Addr, ""),
		onRedis("redis://app:s3cret@"+server.Addr, ""),
	}
	for _, text := range withPasswords {
		if got := remarks(text); !strings.Contains(got, "asks for no password") {
			t.Errorf("%s\nremarks %q", text, got)
		}
	}
	server.Do("CONFIG", "SET", "requirepass", "s3cret")
	for _, text := range withPasswords {
		if got := remarks(text); got != "" {
			t.Errorf("%s\nremarks %q", text, got)
		}
	}
}

// A command line that is not understood is answered with how it goes.
func TestUsageLines(t *testing.T) {
	w := inWorld(t, onRedis("redis://localhost:1", ""))
	for line, usage := range map[string]string{
		"get acme users":     "Usage: txcache get DATABASE CACHE KEY [flags]\nSee txcache get --help.\n",
		"keys acme":          "Usage: txcache keys DATABASE CACHE [flags]\n",
		"caches":             "Usage: txcache caches DATABASE [flags]\n",
		"clear":              "Usage: txcache clear DATABASE CACHE... [flags]\n",
		"drop a b":           "Usage: txcache drop DATABASE [flags]\n",
		"watch a b":          "Usage: txcache watch [DATABASE] [flags]\n",
		"check a b":          "Usage: txcache check [DATABASE] [flags]\n",
		"bench --duration 1": "Usage: txcache bench [flags]\n",
		"nothing":            "See txcache --help.\n",
	} {
		if _, messages, code := w.run("", strings.Fields(line)...); code != exitUsage || !strings.Contains(messages, usage) {
			t.Errorf("%s: exit code %d, messages %q", line, code, messages)
		}
	}
}
