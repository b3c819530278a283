package servertest

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// patience is how long a server may take to start, and to end.
const patience = 60 * time.Second

// A Process is a server, which may not run yet. Its methods fail the test it was made
// for; they are not safe for concurrent use.
type Process struct {
	Dir  string // where the server keeps its files
	Port int    // at which it listens

	t       testing.TB
	account *account
	end     syscall.Signal
	cmd     *exec.Cmd
	ended   chan struct{} // closed when cmd has ended
}

// New returns a server that does not run. user is the account that it runs as if the
// test is root's, and end the signal that ends it at once, with all its processes.
func New(t testing.TB, user string, end syscall.Signal) (*Process, error) {
	t.Helper()
	p := &Process{t: t, end: end}
	var err error
	if p.account, err = find(user); err != nil {
		return nil, err
	}
	// A folder of the test's own could not be entered by another account.
	if p.Dir, err = os.MkdirTemp("", "servertest"); err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = os.RemoveAll(p.Dir) })
	if err := p.account.own(p.Dir); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p.Port = l.Addr().(*net.TCPAddr).Port
	return p, l.Close()
}

// Addr returns the host and port at which the server listens.
func (p *Process) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.Port)) }

// Command returns a command that runs in the folder of the server, as its account.
func (p *Process) Command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = p.Dir
	cmd.Env = append(os.Environ(), "TMPDIR="+p.Dir) // servers that share one may delete each other's temporary files
	cmd.SysProcAttr = p.account.attributes(p.end)
	return cmd
}

// Do runs a command to its end.
func (p *Process) Do(program string, args ...string) {
	p.t.Helper()
	if out, err := p.Command(program, args...).CombinedOutput(); err != nil {
		p.t.Fatalf("%s: %v\n%s", filepath.Base(program), err, out)
	}
}

// Start starts the server, and waits until ping succeeds. The server ends with the test.
func (p *Process) Start(ping func() error, program string, args ...string) {
	p.t.Helper()
	name := filepath.Join(p.Dir, "log")
	log, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	defer log.Close() // the server has it by then
	cmd, ended := p.Command(program, args...), make(chan struct{})
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	p.cmd, p.ended = cmd, ended
	p.t.Cleanup(p.Stop)
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if err = ping(); err == nil {
			return
		}
		select {
		case <-ended:
			text, _ := os.ReadFile(name)
			p.t.Fatalf("%s has ended:\n%s", filepath.Base(program), text)
		default:
		}
	}
	p.t.Fatalf("waiting for %s: %v", filepath.Base(program), err)
}

// Stop ends the server at once. It does nothing if the server has ended.
func (p *Process) Stop() {
	p.t.Helper()
	_ = p.cmd.Process.Signal(p.end)
	select {
	case <-p.ended:
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		p.t.Errorf("%s does not end", filepath.Base(p.cmd.Path))
	}
}
