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

	"github.com/seed-dad15c92/txcache/internal/servertest"
)

// patience is how long the server may take to answer.
const patience = 10 * time.Second

// A Server is a PostgreSQL server. Its methods fail the test it was started by;
// they are not safe for concurrent use.
type Server struct {
	Addr string // host and port
	Dir  string // where it keeps its files and its socket

	t        testing.TB
	bin      string // folder of the programs, "" for the PATH
	process  *servertest.Process
	settings []string // with which it was started
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
	s.process.Do(s.program("initdb"), "--pgdata", s.data(), "--username", "postgres", "--auth", "trust", "--encoding", "UTF8", "--no-locale", "--no-sync")
	s.run(settings)
	return s
}

// prepare returns a server that has no files yet.
func prepare(t testing.TB) (*Server, error) {
	t.Helper()
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	p, err := servertest.New(t, "postgres", syscall.SIGQUIT)
	if err != nil {
		return nil, err
	}
	return &Server{Addr: p.Addr(), Dir: p.Dir, t: t, bin: bin, process: p}, nil
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

func (s *Server) program(name string) string { return filepath.Join(s.bin, name) }

func (s *Server) data() string { return filepath.Join(s.Dir, "data") }

// run starts the server.
func (s *Server) run(settings []string) {
	s.t.Helper()
	s.settings = settings
	args := []string{"-D", s.data()}
	for _, setting := range append([]string{
		"listen_addresses=127.0.0.1", "port=" + strconv.Itoa(s.process.Port), "unix_socket_directories=" + s.Dir,
		"fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200",
	}, settings...) {
		args = append(args, "-c", setting)
	}
	s.process.Start(s.ping, s.program("postgres"), args...)
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
