package command

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/seed-dad15c92/txcache/internal/goldentest"
	"github.com/seed-dad15c92/txcache/internal/redistest"
)

// commands are run one after the other, each against its golden file.
var commands = []struct {
	name  string
	stdin string
	code  int
	args  string // split at spaces; "~" stands for one
	real  bool   // it needs a server that tells of itself and of memory
}{
	{name: "check", args: "check", real: true},
	{name: "check-json", args: "check --json", real: true},
	{name: "databases", args: "databases"},
	{name: "databases-json", args: "databases --json"},
	{name: "caches", args: "caches shop", real: true},
	{name: "caches-sampled", args: "caches shop --sample 5 --json", real: true},
	{name: "keys", args: "keys shop users"},
	{name: "keys-json", args: "keys shop users --limit 1 --json"},
	{name: "get", args: "get shop users 42"},
	{name: "get-json", args: "get shop users i64.42 --json"},
	{name: "get-absent", args: "get shop users 43"},
	{name: "get-contexts", args: "get shop labels save"},
	{name: "get-any", args: "get shop misc anything"},
	{name: "get-nothing", args: "get shop users Ada", code: exitFailed},
	{name: "delete", args: "delete shop users 42"},
	{name: "get-deleted", args: "get shop users 42"},
	{name: "delete-unknown", args: "delete shop uesrs 42", code: exitFailed},
	{name: "clear-tags", args: "clear-tags shop product:7 product:9"},
	{name: "databases-deletes", args: "databases"},
	{name: "clear", args: "clear shop labels misc"},
	{name: "clear-unknown", args: "clear shop uesrs", code: exitFailed},
	{name: "clear-all", args: "clear a~tenant:~* --all --json"},
	{name: "sweep", args: "sweep"},
	{name: "drop-asks", args: "drop shop", stdin: "shop\n"},
	{name: "drop-refused", args: "drop a~tenant:~*", stdin: "a tenant\n", code: exitFailed},
	{name: "drop-unasked", args: "drop a~tenant:~*", code: exitUsage},
	{name: "drop", args: "drop a~tenant:~* --yes"},
	{name: "bench", args: "bench --clients 2 --duration 500ms", real: true},
	{name: "version", args: "version"},
	{name: "usage", args: "clear shop", code: exitUsage},
	{name: "usage-line", args: "get shop users", code: exitUsage},
}

func TestCommandsOverRedis(t *testing.T) {
	testCommands(t, redistest.Start(t).URI(), true)
}

func TestCommandsOverMiniredis(t *testing.T) {
	if *goldentest.Update {
		t.Skip("golden files are written from a real server")
	}
	server := miniredis.RunT(t)
	testCommands(t, "redis://"+server.Addr(), false)
}

func testCommands(t *testing.T, uri string, real bool) {
	w := inWorld(t, onRedis(uri, ""))
	s := w.serve()
	s.fill(t)
	for _, c := range commands {
		t.Run(c.name, func(t *testing.T) {
			if c.real && !real {
				t.Skip("miniredis does not tell enough of itself")
			}
			args := strings.Fields(c.args)
			for i := range args {
				args[i] = strings.ReplaceAll(args[i], "~", " ")
			}
			var terminal bytes.Buffer // which shows what is typed, too
			typed := io.TeeReader(strings.NewReader(c.stdin), &terminal)
			p := &program{in: typed, out: &terminal, messages: &terminal, asks: c.stdin != ""}
			code := p.run(t.Context(), args)
			if code != c.code {
				t.Errorf("exit code %d, expected %d", code, c.code)
			}
			golden(t, w.golden, c.name, args, terminal.String(), code)
		})
	}
}

func TestWatch(t *testing.T) {
	w := inWorld(t, onRedis(redistest.Start(t).URI(), ""))
	s := w.serve()
	s.fill(t)
	for name, args := range map[string][]string{"watch": {"watch"}, "watch-json": {"watch", "shop", "--json"}} {
		ctx, interrupt := context.WithCancel(t.Context())
		reader, writer := io.Pipe()
		var messages strings.Builder
		p := &program{in: strings.NewReader(""), out: writer, messages: &messages}
		ended := make(chan int, 1)
		go func() {
			code := p.run(ctx, args)
			writer.Close()
			ended <- code
		}()
		lines := bufio.NewScanner(reader)
		var all strings.Builder
		next := func(event string) {
			t.Helper()
			if !lines.Scan() {
				t.Fatalf("the output ended before %q: %s", event, messages.String())
			}
			if !strings.Contains(lines.Text(), event) {
				t.Fatalf("saw %q, expected %q", lines.Text(), event)
			}
			all.WriteString(lines.Text() + "\n")
		}
		next("ready")
		if err := s.Update(t.Context(), "shop", s.users.Clear); err != nil {
			t.Fatal(err)
		}
		// Fence and clear follow each other closely: they may come as one.
		if lines.Scan(); strings.Contains(lines.Text(), "fence") {
			next("clear")
		} else if !strings.Contains(lines.Text(), "clear") {
			t.Fatalf("saw %q", lines.Text())
		} else {
			all.WriteString(lines.Text() + "\n")
		}
		w.must("delete", "shop", "users", "i64.42")
		if lines.Scan(); strings.Contains(lines.Text(), "fence") {
			lines.Scan()
		}
		all.WriteString(lines.Text() + "\n")
		w.must("clear-tags", "shop", "product:7", "product:9")
		if lines.Scan(); strings.Contains(lines.Text(), "fence") {
			lines.Scan()
		}
		all.WriteString(lines.Text() + "\n")
		w.must("clear", "shop", "--all")
		if lines.Scan(); strings.Contains(lines.Text(), "fence") {
			lines.Scan()
		}
		all.WriteString(lines.Text() + "\n")
		w.must("drop", "shop", "--yes")
		next("drop")
		if err := s.Sync(t.Context(), "shop"); err != nil {
			t.Fatal(err)
		}
		next("epoch")
		interrupt()
		for lines.Scan() {
			t.Errorf("saw %q after the end", lines.Text())
		}
		if code := <-ended; code != exitOK || messages.Len() > 0 {
			t.Errorf("exit code %d, messages %q", code, messages.String())
		}
		golden(t, w.golden, name, args, all.String(), exitOK)
	}
	if out, messages, code := w.run("", "watch", "--timeout", "100ms"); code != exitOK || messages != "" || !strings.Contains(out, "ready") {
		t.Errorf("with a --timeout: exit code %d, %q, %q", code, out, messages)
	}
}

func TestInterruptedBenchmarkLeavesNothingBehind(t *testing.T) {
	server := redistest.Start(t)
	w := inWorld(t, onRedis(server.URI(), ""))
	ctx, interrupt := context.WithCancel(t.Context())
	var messages strings.Builder
	p := &program{in: strings.NewReader(""), out: io.Discard, messages: &messages}
	ended := make(chan int, 1)
	go func() { ended <- p.run(ctx, []string{"bench", "--duration", "1h"}) }()
	for end := time.Now().Add(20 * time.Second); !strings.Contains(w.must("databases"), "txcache bench"); {
		if time.Now().After(end) {
			t.Fatal("it does not begin")
		}
	}
	interrupt()
	if code := <-ended; code != exitInterrupted {
		t.Errorf("exit code %d, %s", code, messages.String())
	}
	if n := server.Do("DBSIZE"); n != int64(0) {
		t.Errorf("%v keys are left behind", n)
	}
}
