package postgrestest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// patience is how long the server may take to start.
const patience = 30 * time.Second

// A Server is a PostgreSQL server. Its methods fail the test it was started by;
// they are not safe for concurrent use.
type Server struct {
	Addr string // host and port
	Dir  string // where it keeps its files and its socket

	t       testing.TB
	bin     string // folder of the programs, "" for the PATH
	port    int
	account *account

	settings []string // with which it was started
	cmd      *exec.Cmd
	ended    chan struct{} // closed when cmd has ended
}

// Start runs a server until the test ends, with settings, each in the form
// "name=value", besides those that make it fast and careless: what it has
// committed does not survive a crash of the machine.
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	s, err := prepare(t)
	if err != nil {
		if os.Getenv("TXCACHE_REQUIRE_POSTGRES") == "1" {
			t.Fatalf("TXCACHE_REQUIRE_POSTGRES=1, but: %v", err)
		}
		t.Skipf("needs PostgreSQL: %v", err)
	}
	s.initialise()
	s.run(settings)
	s.await()
	return s
}

// prepare returns a server that has no files yet.
func prepare(t testing.TB) (*Server, error) {
	t.Helper()
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	account, err := serverAccount()
	if err != nil {
		return nil, err
	}
	// A folder of the test's own could not be entered by another account.
	dir, err := os.MkdirTemp("", "postgrestest")
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := account.own(dir); err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	return &Server{
		Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), Dir: dir,
		t: t, bin: bin, port: port, account: account,
	}, nil
}

// programs returns the folder with the programs of the newest PostgreSQL that
// is installed, "" if they are on the PATH.
func programs() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	if len(found) > 0 {
		version := func(file string) int {
			n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(file))))
			return n
		}
		return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })), nil
	}
	for _, program := range []string{"initdb", "postgres"} {
		if _, err := exec.LookPath(program); err != nil {
			return "", err
		}
	}
	return "", nil
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
	if !filepath.IsAbs(program) {
		program = filepath.Join(s.bin, program)
	}
	cmd := exec.Command(program, args...)
	cmd.Dir = s.Dir
	cmd.SysProcAttr = s.account.attributes()
	return cmd
}

func (s *Server) data() string { return filepath.Join(s.Dir, "data") }

func (s *Server) initialise() {
	s.t.Helper()
	cmd := s.command("initdb", "--pgdata", s.data(), "--username", "postgres", "--auth", "trust", "--encoding", "UTF8", "--no-locale", "--no-sync")
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("initdb: %v\n%s", err, out)
	}
}

// run starts the server and does not wait for it.
func (s *Server) run(settings []string) {
	s.t.Helper()
	s.settings = settings
	args := []string{"-D", s.data()}
	for _, setting := range append([]string{
		"listen_addresses=127.0.0.1", "port=" + strconv.Itoa(s.port), "unix_socket_directories=" + s.Dir,
		"fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200",
	}, settings...) {
		args = append(args, "-c", setting)
	}
	log, err := os.OpenFile(filepath.Join(s.Dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close() // the server has it by then
	s.cmd = s.command("postgres", args...)
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

// stop ends the server at once, together with the processes that it started.
func (s *Server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGQUIT)
	select {
	case <-s.ended:
	case <-time.After(patience):
		_ = s.cmd.Process.Kill()
		<-s.ended
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
			s.t.Fatalf("postgres has ended:\n%s", log)
		default:
		}
	}
	s.t.Fatalf("waiting for postgres: %v", err)
}

var errStarting = errors.New("it does not take connections yet")

// ping begins a session, as the chapter on the message flow of PostgreSQL's
// frontend/backend protocol describes it, and ends it when it is let in.
func (s *Server) ping() error {
	conn, err := net.DialTimeout("tcp", s.Addr, patience)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	const protocol = 3 << 16
	text := "user\x00postgres\x00database\x00postgres\x00\x00"
	message := binary.BigEndian.AppendUint32(nil, uint32(8+len(text)))
	message = binary.BigEndian.AppendUint32(message, protocol)
	if _, err := conn.Write(append(message, text...)); err != nil {
		return err
	}
	var kind [1]byte
	if _, err := io.ReadFull(conn, kind[:]); err != nil {
		return err
	}
	if kind[0] != 'R' { // it asks for no password
		return errStarting
	}
	return nil
}

// URI returns the address of one of its databases, as clients are configured
// with it. Every server has the database "postgres".
func (s *Server) URI(database string) string {
	return fmt.Sprintf("postgres://postgres@%s/%s?sslmode=disable", s.Addr, database)
}
