package command

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache/internal/redistest"
)

func TestServerThatIsAway(t *testing.T) {
	server := redistest.Start(t)
	server.Kill()
	w := inWorld(t, onRedis(server.URI(), ""))
	for _, line := range []string{
		"check", "databases", "caches shop", "keys shop users", "get shop users 42", "clear shop users", "clear shop --all",
		"drop shop --yes", "sweep", "watch", "watch shop --json", "bench --duration 100ms",
	} {
		out, messages, code := w.run("", strings.Fields(line)...)
		if code != exitUnavailable || !strings.HasPrefix(messages, "txcache: ") || strings.Count(messages, "\n") > 3 {
			t.Errorf("%s: exit code %d, messages %q", line, code, messages)
		}
		if line != "check" && out != "" {
			t.Errorf("%s: prints %q", line, out)
		}
	}
}

// A clear that a service would try again later is lost with the command.
func TestClearThatWaitsIsAFailure(t *testing.T) {
	server := redistest.Start(t)
	server.Kill()
	w := inWorld(t, onRedis(server.URI(), `outage = "commit"`))
	out, messages, code := w.run("", "clear", "shop", "users")
	if code != exitUnavailable || out != "" || !strings.Contains(messages, "not tried again") {
		t.Errorf("exit code %d, output %q, messages %q", code, out, messages)
	}
}

func TestReplica(t *testing.T) {
	master, replica := redistest.Start(t), redistest.Start(t)
	host, port, _ := strings.Cut(master.Addr, ":")
	replica.Do("REPLICAOF", host, port)
	w := inWorld(t, onRedis(replica.URI(), ""))
	out, messages, code := w.run("", "check")
	if code != exitUnavailable || !strings.Contains(out, "slave") || !strings.Contains(messages, "replica") {
		t.Errorf("exit code %d, %s, messages %q", code, out, messages)
	}
}

func TestRightsThatAreMissing(t *testing.T) {
	server := redistest.Start(t)
	server.Do("ACL", "SETUSER", "app", "on", ">s3cret", "~*", "&*", "+@all", "-publish", "-memory", "-pttl")
	w := inWorld(t, onRedis(server.URI(), "")+"username = \"app\"\npassword = \"s3cret\"\n")
	out, _, code := w.run("", "check", "--json")
	var r checkResult
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	if code != exitFailed || len(r.Problems) == 0 || !strings.Contains(out, "cannot announce a change") {
		t.Errorf("exit code %d, problems %q", code, r.Problems)
	}
	server.Do("ACL", "SETUSER", "app", "+publish")
	w.must("check")
	w.serve().fill(t)
	if out := w.must("caches", "shop"); !strings.Contains(out, "unknown") {
		t.Errorf("without MEMORY, caches prints\n%s", out)
	}
	if out := w.must("get", "shop", "users", "42"); !strings.Contains(out, "Ada") || strings.Contains(out, "Removed") {
		t.Errorf("without PTTL, get prints\n%s", out)
	}
}

func TestClassMemory(t *testing.T) {
	w := inWorld(t, "[cache]\n")
	if out := w.must("check"); !strings.Contains(out, "Class memory needs no server.") {
		t.Errorf("check prints\n%s", out)
	}
	for _, line := range []string{"databases", "caches shop", "keys shop users", "get shop users 42", "clear shop users", "drop shop --yes", "sweep", "watch", "bench"} {
		_, messages, code := w.run("", strings.Fields(line)...)
		if code != exitFailed || !strings.Contains(messages, "cannot be seen or changed from outside") {
			t.Errorf("%s: exit code %d, messages %q", line, code, messages)
		}
	}
}

func TestUsage(t *testing.T) {
	w := inWorld(t, onRedis("redis://localhost:1", ""))
	for line, says := range map[string]string{
		"nothing":                         `unknown command "nothing"`,
		"check shop":                      "only where each has an SQL database of its own",
		"databases shop":                  "only where each has an SQL database of its own",
		"check shop acme":                 "at most 1 arg",
		"caches":                          "accepts 1 arg",
		"caches shop --sample 0":          "--sample is 0",
		"get shop users":                  "accepts 3 arg",
		"clear":                           "at least 1 arg",
		"clear shop users --all":          "either",
		"bench --clients 0":               "--clients is 0",
		"bench --duration 1":              "missing unit",
		"bench --duration 1us":            "--duration is",
		"check --timeout -1s":             "negative",
		"check --nothing":                 "unknown flag",
		"check --config missing.toml":     `no configuration file "missing.toml"`,
		"drop shop":                       "--yes",
		"databases --config unknown.toml": "no configuration file",
	} {
		out, messages, code := w.run("", strings.Fields(line)...)
		if code != exitUsage || out != "" || !strings.Contains(messages, says) {
			t.Errorf("%s: exit code %d, output %q, messages %q; expected %q", line, code, out, messages, says)
		}
	}
	for range 2 { // a pipe can be read once
		r, pipe, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if _, err := pipe.WriteString("[cache]\nsize = 77\n"); err != nil || pipe.Close() != nil {
			t.Fatal(err)
		}
		path := fmt.Sprintf("/dev/fd/%d", r.Fd())
		if _, err := os.Stat(path); err != nil {
			break
		}
		if out := w.must("check", "--config", path); !strings.Contains(out, "77\n") {
			t.Errorf("from a pipe, check prints\n%s", out)
		}
	}
	w.configure("[cache]\nsize = -1\n")
	if _, messages, code := w.run("", "check"); code != exitUsage || !strings.Contains(messages, "cache.toml:2") {
		t.Errorf("a wrong configuration: exit code %d, messages %q", code, messages)
	}
	w.configure("[cache]\nclass = \"example.com/mine\"\n")
	if _, messages, code := w.run("", "check"); code != exitUsage || !strings.Contains(messages, "not built in") {
		t.Errorf("a class of one's own: exit code %d, messages %q", code, messages)
	}
	for _, line := range []string{"", "--help", "help bench"} {
		if out := w.must(strings.Fields(line)...); !strings.Contains(out, "Usage:") || !strings.Contains(out, "Examples:") {
			t.Errorf("%q prints %q", line, out)
		}
	}
}

func TestTimeout(t *testing.T) {
	server := redistest.Start(t)
	w := inWorld(t, onRedis(server.URI(), ""))
	w.serve().fill(t)
	_, messages, code := w.run("", "bench", "--duration", "1h", "--timeout", "300ms")
	if code != exitFailed || !strings.Contains(messages, "--timeout 300ms") {
		t.Errorf("exit code %d, messages %q", code, messages)
	}
}

func TestNothingSecretIsShown(t *testing.T) {
	t.Setenv("SECRET_PREFIX", "s3cret-prefix")
	t.Setenv("SECRET_KEY", "s3cret-key")
	t.Setenv("SECRET_PASSWORD", "s3cret-password")
	server := redistest.Start(t)
	server.Do("ACL", "SETUSER", "s3cret-user", "on", ">s3cret-password", "~*", "&*", "+@all")
	uri := strings.Replace(server.URI(), "redis://", "redis://s3cret-user:s3cret-password@", 1)
	for name, text := range map[string]string{
		"URI": onRedis(uri, "prefix = \"${SECRET_PREFIX}\"\ncontext_ignored_keys = [\"${SECRET_KEY}\"]"),
		"fields": onRedis(server.URI(), "") +
			"username = \"s3cret-user\"\npassword = \"${SECRET_PASSWORD}\"\n",
		"plain fields": onRedis(server.URI(), "") + "username = \"s3cret-user\"\npassword = \"s3cret-password\"\n",
		"wrong":        onRedis(strings.Replace(uri, "password@", "password-not@", 1), ""),
		"parts":        onRedis("redis://s3cret-user:${SECRET_PASSWORD}@"+server.Addr, ""),
	} {
		t.Run(name, func(t *testing.T) {
			w := inWorld(t, text)
			for _, line := range []string{"check", "check --json", "databases", "caches shop", "sweep", "clear shop users --force -v", "drop shop --yes --force -v"} {
				out, messages, code := w.run("", strings.Fields(line)...)
				if strings.Contains(out+messages, "s3cret") {
					t.Errorf("%s prints\n%s%s", line, out, messages)
				}
				if (code == exitOK) == (name == "wrong") {
					t.Errorf("%s: exit code %d: %s", line, code, messages)
				}
				if line == "check" && name != "wrong" && !strings.Contains(out, hidden) {
					t.Errorf("%s: nothing is hidden in\n%s", line, out)
				}
			}
		})
	}
}

func TestCompletion(t *testing.T) {
	w := inWorld(t, "")
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		script := w.must("completion", shell)
		if !strings.Contains(script, "txcache") {
			t.Errorf("the script for %s is %q", shell, script)
		}
		if path, err := exec.LookPath(shell); err == nil && shell == "bash" {
			check := exec.Command(path, "-n")
			check.Stdin = strings.NewReader(script)
			if out, err := check.CombinedOutput(); err != nil {
				t.Errorf("bash does not take it: %v: %s", err, out)
			}
		}
	}
}

// What the command needs is no part of a service.
func TestServicesDoNotGetWhatTheCommandNeeds(t *testing.T) {
	goCommand, err := exec.LookPath("go")
	if err != nil {
		t.Skip("the go command tells what a package imports; it is not there")
	}
	deps, err := exec.Command(goCommand, "list", "-deps", "github.com/seed-dad15c92/txcache").Output()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(deps), "github.com/redis/go-redis/v9\n") {
		t.Fatalf("the list is %q", deps)
	}
	for _, module := range []string{"github.com/spf13/", "github.com/schollz/", "golang.org/x/term"} {
		if strings.Contains(string(deps), module) {
			t.Errorf("the root package imports %s", module)
		}
	}
}
