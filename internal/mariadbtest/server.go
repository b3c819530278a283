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

	"github.com/seed-dad15c92/txcache/internal/servertest"
)

// patience is how long the server may take to greet.
const patience = 10 * time.Second

// A Server is a MariaDB server. Its methods fail the test it was started by; they
// are not safe for concurrent use.
type Server struct {
	Addr string // host and port
	Dir  string // where it keeps its files and its socket
}

// Start runs a server until the test ends, with settings, each in the form
// "name=value", besides those that make it fast and careless: what it has
// committed does not survive a crash of the machine. It has the database "test" and the
// user root, without a password.
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	daemon, err := program("mariadbd", "/usr/sbin/mariadbd")
	var install string
	if err == nil {
		install, err = program("mariadb-install-db", "/usr/bin/mariadb-install-db")
	}
	var p *servertest.Process
	if err == nil {
		p, err = servertest.New(t, "mysql", syscall.SIGKILL)
	}
	if err != nil {
		if os.Getenv("TXCACHE_REQUIRE_MARIADB") == "1" {
			t.Fatalf("TXCACHE_REQUIRE_MARIADB=1, but: %v", err)
		}
		t.Skipf("needs MariaDB: %v", err)
	}
	s := &Server{Addr: p.Addr(), Dir: p.Dir}
	data := "--datadir=" + filepath.Join(p.Dir, "data")
	p.Do(install, "--no-defaults", data, "--auth-root-authentication-method=normal", "--skip-name-resolve")
	args := []string{"--no-defaults", data}
	for _, setting := range append([]string{
		"bind-address=127.0.0.1", "port=" + strconv.Itoa(p.Port), "socket=" + filepath.Join(p.Dir, "socket"), "pid-file=" + filepath.Join(p.Dir, "pid"),
		"innodb-flush-log-at-trx-commit=0", "innodb-buffer-pool-size=64M", "skip-log-bin", "skip-name-resolve", "max-connections=200",
		"character-set-server=utf8mb4",
	}, settings...) {
		args = append(args, "--"+setting)
	}
	p.Start(s.ping, daemon, args...)
	return s
}

// program returns where a program is: on the PATH, or where Debian has it.
func program(name, file string) (string, error) {
	if found, err := exec.LookPath(name); err == nil {
		return found, nil
	}
	_, err := os.Stat(file)
	return file, err
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
