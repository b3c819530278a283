package postgrestest

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// Standby starts a hot standby of s, with streaming replication, which runs until the test
// ends.
func (s *Server) Standby(t testing.TB, settings ...string) *Server {
	t.Helper()
	standby, err := prepare(t)
	if err != nil {
		t.Fatal(err)
	}
	cmd := standby.command("pg_basebackup", "--host", "127.0.0.1", "--port", strconv.Itoa(s.port), "--username", "postgres",
		"--pgdata", standby.data(), "--write-recovery-conf", "--wal-method", "stream", "--checkpoint", "fast", "--no-sync")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("pg_basebackup: %v\n%s", err, out)
	}
	standby.run(settings)
	standby.await()
	return standby
}

// Crash ends the server as a crash of it does, with all its sessions. What it has committed last may
// be lost, as the server writes it a moment later.
func (s *Server) Crash() {
	s.t.Helper()
	_ = s.cmd.Process.Signal(syscall.SIGQUIT)
	<-s.ended
}

// Restart starts a server again that has ended, at the same address.
func (s *Server) Restart() {
	s.t.Helper()
	_ = os.Remove(filepath.Join(s.data(), "postmaster.pid"))
	s.run(s.settings)
	s.await()
}

// Backup copies the files of a server that has ended. The function that it returns puts them back.
func (s *Server) Backup() (restore func()) {
	s.t.Helper()
	backup := filepath.Join(s.Dir, "backup")
	s.copy(s.data(), backup)
	return func() {
		s.t.Helper()
		if err := os.RemoveAll(s.data()); err != nil {
			s.t.Fatal(err)
		}
		s.copy(backup, s.data())
	}
}

func (s *Server) copy(from, to string) {
	s.t.Helper()
	if out, err := s.command("/bin/cp", "-a", from, to).CombinedOutput(); err != nil {
		s.t.Fatalf("cp: %v\n%s", err, out)
	}
}

// TakeOver makes a standby the primary, at the address of one that has crashed.
func (s *Server) TakeOver(from *Server) {
	s.t.Helper()
	s.Crash()
	s.port, s.Addr = from.port, from.Addr
	s.Restart()
	if out, err := s.command("pg_ctl", "promote", "--pgdata", s.data()).CombinedOutput(); err != nil {
		s.t.Fatalf("pg_ctl promote: %v\n%s", err, out)
	}
}
