package command

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/internal/redistest"
)

// A shownText is what a command has printed so far.
type shownText struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *shownText) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *shownText) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// interrupted runs a command line, interrupts it as soon as ready says so, and
// returns its exit code.
func interrupted(t *testing.T, p *program, messages *shownText, ready func() bool, args ...string) int {
	t.Helper()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	p.messages = messages
	ended := make(chan int, 1)
	go func() { ended <- p.run(ctx, args) }()
	for end := time.Now().Add(20 * time.Second); !ready(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%q does not come that far: %s", args, messages)
		}
	}
	interrupt()
	select {
	case code := <-ended:
		return code
	case <-time.After(20 * time.Second):
		t.Fatalf("%q goes on after it was interrupted: %s", args, messages)
		return 0
	}
}

func TestInterruptAtAQuestion(t *testing.T) {
	server := redistest.Start(t)
	w := inWorld(t, onRedis(server.URI(), ""))
	w.serve().fill(t)
	in, typing := io.Pipe() // nobody types
	defer typing.Close()
	var messages shownText
	p := &program{in: in, out: io.Discard, asks: true}
	begun := time.Now()
	code := interrupted(t, p, &messages, func() bool { return strings.Contains(messages.String(), "to go on: ") }, "drop", "shop")
	if code != exitInterrupted || !strings.HasSuffix(messages.String(), "\ntxcache: interrupted\n") {
		t.Errorf("exit code %d, messages %q", code, messages.String())
	}
	if took := time.Since(begun); took > grace {
		t.Errorf("it took %v to end", took)
	}
	if out := w.must("databases"); !strings.Contains(out, "shop") {
		t.Errorf("it was dropped: %s", out)
	}
	if _, messages, code := w.runAsking(in, "drop", "shop", "--timeout", "50ms"); code != exitFailed || !strings.Contains(messages, "--timeout 50ms") {
		t.Errorf("with a --timeout: exit code %d, messages %q", code, messages)
	}
}

func (w *world) runAsking(in io.Reader, args ...string) (out, messages string, code int) {
	var stdout, stderr bytes.Buffer
	p := &program{in: in, out: &stdout, messages: &stderr, asks: true}
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	code = p.run(ctx, args)
	return stdout.String(), stderr.String(), code
}

// What no context ends is not waited for.
func TestInterruptOfWhatHangs(t *testing.T) {
	server := redistest.Start(t)
	w := inWorld(t, onRedis(server.URI(), ""))
	w.serve().fill(t)
	t.Run("a pipe that nobody reads", func(t *testing.T) {
		reader, writer := io.Pipe()
		t.Cleanup(func() { reader.CloseWithError(errors.New("the test is over")) })
		var messages shownText
		reached := make(chan struct{})
		p := &program{in: strings.NewReader(""), out: writerFunc(func(b []byte) (int, error) {
			close(reached)
			return writer.Write(b)
		})}
		code := interrupted(t, p, &messages, func() bool {
			select {
			case <-reached:
				return true
			default:
				return false
			}
		}, "databases", "--json")
		if code != exitInterrupted || !strings.Contains(messages.String(), "interrupted") {
			t.Errorf("exit code %d, messages %q", code, messages.String())
		}
	})
	t.Run("a configuration that nobody writes", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "fifo")
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Skipf("there are no named pipes here: %v", err)
		}
		var messages shownText
		p := &program{in: strings.NewReader(""), out: io.Discard}
		code := interrupted(t, p, &messages, func() bool { return true }, "check", "--config", path)
		if code != exitInterrupted {
			t.Errorf("exit code %d, messages %q", code, messages.String())
		}
		f, err := os.OpenFile(path, os.O_WRONLY, 0) // so that the reader ends
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	})
	t.Run("a server that hangs", func(t *testing.T) {
		server.Pause()
		defer server.Resume()
		for _, line := range []string{"databases", "caches shop", "keys shop users", "get shop users 42", "clear shop users", "drop shop --yes", "sweep", "check"} {
			var messages shownText
			p := &program{in: strings.NewReader(""), out: io.Discard}
			begun := time.Now()
			code := interrupted(t, p, &messages, func() bool { return time.Since(begun) > 20*time.Millisecond }, strings.Fields(line)...)
			if code != exitInterrupted {
				t.Errorf("%s: exit code %d, messages %q", line, code, messages.String())
			}
		}
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// A result that could not be written is no success, whichever command it is of.
func TestOutputThatCannotBeWritten(t *testing.T) {
	server := redistest.Start(t)
	w := inWorld(t, onRedis(server.URI(), ""))
	w.serve().fill(t)
	full := func() io.Writer { return writerFunc(func([]byte) (int, error) { return 0, syscall.ENOSPC }) }
	if f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0); err == nil {
		t.Cleanup(func() { f.Close() })
		full = func() io.Writer { return f }
	}
	for _, line := range []string{
		"check", "databases", "caches shop", "keys shop users", "get shop users 42", "clear shop users", "sweep", "watch --timeout 200ms",
		"bench --duration 10ms --clients 1", "version", "help", "help get", "--help", "completion bash", "__complete caches x", "drop shop --yes",
	} {
		for _, format := range []string{"", " --json"} {
			if format != "" && strings.ContainsAny(line[:1], "h-_") || strings.HasPrefix(line, "completion") {
				continue
			}
			if format != "" && strings.HasPrefix(line, "drop") {
				line += " --force"
			}
			var messages shownText
			p := &program{in: strings.NewReader(""), out: full(), messages: &messages}
			code := p.run(t.Context(), strings.Fields(line+format))
			if code != exitFailed || !strings.Contains(messages.String(), "no space left") {
				t.Errorf("%s%s: exit code %d, messages %q", line, format, code, messages.String())
			}
		}
	}
}
