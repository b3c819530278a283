package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// Who stops a server waits for the requests that it has begun to serve.
func TestShutdownFinishesRequests(t *testing.T) {
	s := start(t, 1, options{})[0]
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, l, s.handler) }()

	// The change waits for the database, which somebody else is writing to.
	db := s.tenants["shop-a"]
	other, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Rollback()
	answered := make(chan int, 1)
	go func() {
		code, _ := instance{s.shop, "http://" + l.Addr().String()}.send(t, "PUT", "/api/products/1/prices", `{"retail":4711}`)
		answered <- code
	}()
	await(t, "the change has begun", func() bool { return db.Stats().InUse > 1 })
	cancel()
	await(t, "no new connection is taken", func() bool {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	select {
	case code := <-answered:
		t.Errorf("the change was answered with %d before it could be made", code)
	case err := <-ended:
		t.Errorf("the server ended before its last request: %v", err)
	default:
	}
	if err := other.Rollback(); err != nil {
		t.Fatal(err)
	}
	if code := <-answered; code != http.StatusOK {
		t.Errorf("status %d, want 200", code)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	s.must(t, "GET", "/api/products/1", "", 200, `"cents":4711`)
}

// A change is made also if the client that asked for it goes away meanwhile.
func TestChangeOutlivesItsClient(t *testing.T) {
	s := start(t, 1, options{})[0]
	db := s.tenants["shop-a"]
	other, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Rollback()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		req, err := http.NewRequestWithContext(ctx, "PUT", s.url+"/api/products/1/prices", strings.NewReader(`{"retail":4711}`))
		if err == nil {
			req.Host = "shop-a.localhost"
			_, err = http.DefaultClient.Do(req)
		}
		ended <- err
	}()
	await(t, "the change has begun", func() bool { return db.Stats().InUse > 1 })
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the client got %v", err)
	}
	if err := other.Rollback(); err != nil {
		t.Fatal(err)
	}
	await(t, "the change is made", func() bool {
		_, answer := s.send(t, "GET", "/api/products/1", "")
		return strings.Contains(answer, `"cents":4711`)
	})
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("within a minute not: %s", what)
		}
	}
}

// The service opens, serves, and ends when it is told to.
func TestServeCommand(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close() // for the service to take
	memory, err := filepath.Abs("memory.toml")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"-listen", address, "-data", "new/folder", "-config", memory}, io.Discard, io.Discard)
	}()
	await(t, "the service answers", func() bool {
		res, err := http.Get("http://" + address + "/healthz")
		if err == nil {
			res.Body.Close()
		}
		return err == nil && res.StatusCode == http.StatusOK
	})
	instance{nil, "http://" + address}.must(t, "GET", "shop-c:/api/products/1", "", 200, "chair")
	cancel()
	if code := <-ended; code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
}

func TestWrongCommandLines(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		text string
	}{
		{[]string{"-h"}, 0, "-tenants"},
		{[]string{"-nonsense"}, 2, "-nonsense"},
		{[]string{"more"}, 2, `unexpected argument "more"`},
		{[]string{"-tenants", "a,../b"}, 1, `"../b"`},
		{[]string{"-tenants", "a,a"}, 1, `"a"`},
		{[]string{"-tenants", ""}, 1, `""`},
		{[]string{"-config", "nowhere.toml"}, 2, "nowhere.toml"},
		{[]string{"-data", file}, 1, "file"},
		{[]string{"-listen", taken.Addr().String()}, 1, "address already in use"},
		{[]string{"-postgres", "postgres://shop:secret@127.0.0.1:1/shop"}, 1, "127.0.0.1"},
		{[]string{"-postgres", "postgres://shop:secret@[/"}, 1, "-postgres"},
	} {
		var errs bytes.Buffer
		args := c.args
		if !slices.Contains(args, "-data") {
			args = append(slices.Clone(args), "-data", t.TempDir())
		}
		if c.args[0] == "more" {
			args = c.args
		}
		if code := run(t.Context(), args, io.Discard, &errs); code != c.code || !strings.Contains(errs.String(), c.text) || strings.Contains(errs.String(), "secret") {
			t.Errorf("shop %s: exit code %d, want %d with %q:\n%s", strings.Join(args, " "), code, c.code, c.text, &errs)
		}
	}
}

// docker-compose.yml is YAML, and its servers are of this program, each at a port of its own.
func TestComposeFile(t *testing.T) {
	text, err := os.ReadFile("docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Services map[string]struct {
			Image, Command string
			Build          struct{ Context, Dockerfile string }
			Ports          []string
		}
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	ports := map[string]bool{}
	for name, service := range file.Services {
		if service.Image != "" {
			continue
		}
		if _, err := os.Stat(filepath.Join(service.Build.Context, service.Build.Dockerfile)); err != nil {
			t.Error(err)
		}
		flags := flag.NewFlagSet(name, flag.ContinueOnError)
		var o options
		serviceFlags(flags, &o)
		listen := flags.String("listen", "", "")
		if err := flags.Parse(strings.Fields(service.Command)); err != nil || *listen != ":8080" || !strings.Contains(o.postgres, "@postgres:5432/") {
			t.Errorf("%s is started with %q: %v", name, service.Command, err)
		}
		for _, port := range service.Ports {
			ports[port] = true
		}
	}
	if len(ports) != 2 || file.Services["postgres"].Image == "" {
		t.Errorf("the ports are %v, want those of two servers over PostgreSQL", ports)
	}
}
