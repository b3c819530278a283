package mariadbtest

import (
	"bytes"
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
)

// patience is how long the server may take to start, and to end.
const patience = 60 * time.Second

// A Server is a MariaDB server. Its methods fail the test it was started by; they
// are not safe for concurrent use.
type Server struct {
	Addr string // host and port
	Dir  string // where it keeps its files and its socket

	t       testing.TB
	daemon  string
	install string
	port    int
	account *account
	cmd     *exec.Cmd
	ended   chan struct{} // closed when cmd has ended
}

// Start runs a server until the test ends, with settings, each in the form
// "name=value", besides those that make it fast and careless: what it has
// committed does not survive a crash of the machine. It has the database "test" and the
// user root, who needs no password.
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	s, err := prepare(t)
	if err != nil {
		if os.Getenv("TXCACHE_REQUIRE_MARIADB") == "1" {
			t.Fatalf("TXCACHE_REQUIRE_MARIADB=1, but: %v", err)
		}
		t.Skipf("needs MariaDB: %v", err)
	}
	s.initialise()
	s.run(settings)
	s.await()
	return s
}

// prepare returns a server that has no files yet.
func prepare(t testing.TB) (*Server, error) {
	t.Helper()
	s := &Server{t: t}
	var err error
	if s.daemon, err = program("mariadbd", "/usr/sbin/mariadbd"); err != nil {
		return nil, err
	}
	if s.install, err = program("mariadb-install-db", "/usr/bin/mariadb-install-db"); err != nil {
		return nil, err
	}
	if s.account, err = serverAccount(); err != nil {
		return nil, err
	}
	// A folder of the test's own could not be entered by another account.
	if s.Dir, err = os.MkdirTemp("", "mariadbtest"); err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = os.RemoveAll(s.Dir) })
	if err := s.account.own(s.Dir); err != nil {
		return nil, err
	}
	if s.port, err = freePort(); err != nil {
		return nil, err
	}
	s.Addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port))
	return s, nil
}

// program returns where a program is: on the PATH, or where Debian has it.
func program(name, file string) (string, error) {
	if found, err := exec.LookPath(name); err == nil {
		return found, nil
	}
	_, err := os.Stat(file)
	return file, err
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func (s *Server) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = s.Dir
	cmd.Env = append(os.Environ(), "TMPDIR="+s.Dir) // servers that share one delete each other's temporary tables
	cmd.SysProcAttr = s.account.attributes()
	return cmd
}

func (s *Server) data() string { return filepath.Join(s.Dir, "data") }

func (s *Server) initialise() {
	s.t.Helper()
	cmd := s.command(s.install, "--no-defaults", "--datadir="+s.data(), "--auth-root-authentication-method=normal", "--skip-name-resolve")
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("mariadb-install-db: %v\n%s", err, out)
	}
}

// run starts the server and does not wait for it.
func (s *Server) run(settings []string) {
	s.t.Helper()
	args := []string{"--no-defaults", "--datadir=" + s.data()}
	for _, setting := range append([]string{
		"bind-address=127.0.0.1", "port=" + strconv.Itoa(s.port), "socket=" + filepath.Join(s.Dir, "socket"), "pid-file=" + filepath.Join(s.Dir, "pid"),
		"innodb-flush-log-at-trx-commit=0", "innodb-buffer-pool-size=64M", "skip-log-bin", "skip-name-resolve", "max-connections=200",
		"character-set-server=utf8mb4",
	}, settings...) {
		args = append(args, "--"+setting)
	}
	log, err := os.Create(filepath.Join(s.Dir, "log"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close() // the server has it by then
	s.cmd = s.command(s.daemon, args...)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.ended = make(chan struct{})
	go func() {
		_ = s.cmd.Wait()
		close(s.ended)
	}()
	s.t.Cleanup(s.stop)
}

// stop ends the server.
func (s *Server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGKILL)
	select {
	case <-s.ended:
	case <-time.After(patience):
		s.t.Error("mariadbd does not end")
	}
}

// await waits until the server takes connections.
func (s *Server) await() {
	s.t.Helper()
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if err = s.ping(); err == nil {
			return
		}
		select {
		case <-s.ended:
			log, _ := os.ReadFile(filepath.Join(s.Dir, "log"))
			s.t.Fatalf("mariadbd has ended:\n%s", log)
		default:
		}
	}
	s.t.Fatalf("waiting for mariadbd: %v", err)
}

var errStarting = errors.New("it does not take connections yet")

// ping waits for the greeting with which the server begins, as the chapter on
// connecting of the MariaDB protocol describes it: a header of four bytes, then the
// version of the protocol, 10.
func (s *Server) ping() error {
	conn, err := net.DialTimeout("tcp", s.Addr, patience)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	var greeting [5]byte
	if _, err := io.ReadFull(conn, greeting[:]); err != nil {
		return err
	}
	if !bytes.Equal(greeting[4:], []byte{10}) {
		return errStarting
	}
	return nil
}

// DSN returns the address of one of its databases, as go-sql-driver is configured with it. Every
// server has the database "test".
func (s *Server) DSN(database string) string {
	return fmt.Sprintf("root@tcp(%s)/%s", s.Addr, database)
}
