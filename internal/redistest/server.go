package redistest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// patience is how long a server may take to do what a test waits for.
const patience = time.Minute

// A Server is a process of redis-server. Its methods fail the test it was
// started by; they are not safe for concurrent use.
type Server struct {
	Addr string // host and port
	Dir  string // where it keeps its files

	t      testing.TB
	args   []string
	env    []string // besides that of the test
	port   int
	client *redis.Client // for the test's own commands
	cmd    *exec.Cmd
	ended  chan struct{} // closed when cmd has ended
}

// Start runs a server with args, in the form "--option", "value", until the
// test ends. It keeps nothing on disk unless it is told to.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	s := prepare(t, args...)
	s.Restart()
	return s
}

// prepare returns a server that does not run yet.
func prepare(t testing.TB, args ...string) *Server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("TXCACHE_REQUIRE_REDIS") == "1" {
			t.Fatalf("TXCACHE_REQUIRE_REDIS=1, but: %v", err)
		}
		t.Skipf("needs a real server: %v", err)
	}
	port := FreePort(t)
	s := &Server{Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), Dir: t.TempDir(), t: t, port: port}
	s.args = append([]string{
		"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", s.Dir, "--save", "",
		"--appendonly", "no", "--daemonize", "no", "--logfile", filepath.Join(s.Dir, "log"),
		"--enable-debug-command", "yes", "--repl-diskless-sync-delay", "0", "--repl-timeout", "5",
	}, args...)
	s.client = s.NewClient(&redis.Options{Addr: s.Addr, PoolSize: 1}) // CLIENT KILL spares the connection it comes by
	t.Cleanup(s.Kill)
	return s
}

// FreePort returns a port of the loopback interface that nobody listened on a
// moment ago, and whose port for the cluster bus is free too.
func FreePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		bus, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port+10000)))
		l.Close()
		if err == nil {
			bus.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

// NewClient returns a client that is closed with the test and that does not
// repeat what failed.
func (s *Server) NewClient(o *redis.Options) *redis.Client {
	o.MaxRetries, o.DialerRetries = -1, 1
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	c := redis.NewClient(o)
	s.t.Cleanup(func() { _ = c.Close() })
	return c
}

// Restart starts the server, which must not be running, with the files that it
// left behind, and waits until it answers.
func (s *Server) Restart(args ...string) {
	s.t.Helper()
	s.RestartUnready(args...)
	s.Await("to listen", s.listens)
	s.Await("to answer", func(ctx context.Context) error { return s.client.Ping(ctx).Err() })
}

// listens returns an error unless the server takes connections. A client whose connections all were refused
// tries again in a second, and not before.
func (s *Server) listens(context.Context) error {
	conn, err := net.Dial("tcp", s.Addr)
	if err == nil {
		err = conn.Close()
	}
	return err
}

// RestartUnready starts the server and does not wait for it.
func (s *Server) RestartUnready(args ...string) {
	s.t.Helper()
	s.cmd = exec.Command("redis-server", append(append([]string{}, s.args...), args...)...)
	s.cmd.Env = append(os.Environ(), s.env...)
	dieWithTest(s.cmd)
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended, cmd := make(chan struct{}), s.cmd
	s.ended = ended
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
}

// Await calls try until it returns no error.
func (s *Server) Await(what string, try func(context.Context) error) {
	s.t.Helper()
	await(s.t, s.Addr+" "+what, try)
}

func await(t testing.TB, what string, try func(context.Context) error) {
	t.Helper()
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		err = try(ctx)
		cancel()
		if err == nil {
			return
		}
	}
	t.Fatalf("waiting for %s: %v", what, err)
}

// Kill ends the server at once, so that nothing is saved. A server that does
// not run is left alone.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	<-s.ended
	s.cmd = nil
}

// Pause stops the server, which keeps its connections but answers nothing.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Resume lets a paused server run on.
func (s *Server) Resume() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(signal syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(signal); err != nil {
		s.t.Fatal(err)
	}
}

// Do runs a command and returns the reply.
func (s *Server) Do(args ...any) any {
	s.t.Helper()
	v, err := s.client.Do(context.Background(), args...).Result()
	// A Sentinel has a server close its connections whenever it sets it up.
	for tries := 0; errors.Is(err, io.EOF) && tries < 100; tries++ {
		time.Sleep(10 * time.Millisecond)
		v, err = s.client.Do(context.Background(), args...).Result()
	}
	if err != nil {
		s.t.Fatalf("%s: %v: %v", s.Addr, args[0], err)
	}
	return v
}

// Client returns the client of the test's own commands.
func (s *Server) Client() *redis.Client { return s.client }

// Snapshot returns the data as they are now, for Restore.
func (s *Server) Snapshot() []byte {
	s.t.Helper()
	s.Do("save")
	data, err := os.ReadFile(filepath.Join(s.Dir, "dump.rdb"))
	if err != nil {
		s.t.Fatal(err)
	}
	return data
}

// Restore kills the server and starts it with the data of a snapshot, or with
// none if that is nil.
func (s *Server) Restore(snapshot []byte) {
	s.t.Helper()
	s.Kill()
	file := filepath.Join(s.Dir, "dump.rdb")
	err := os.Remove(file)
	if snapshot != nil {
		err = os.WriteFile(file, snapshot, 0o600)
	}
	if err != nil && !os.IsNotExist(err) {
		s.t.Fatal(err)
	}
	s.Restart()
}

// URI returns the address as a service is configured with it.
func (s *Server) URI() string { return fmt.Sprintf("redis://%s/0", s.Addr) }
