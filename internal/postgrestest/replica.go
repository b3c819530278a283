package postgrestest

import (
	"os"
	"path/filepath"
	"strconv"
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
	standby.process.Do(standby.program("pg_basebackup"), "--host", "127.0.0.1", "--port", strconv.Itoa(s.process.Port), "--username", "postgres",
		"--pgdata", standby.data(), "--write-recovery-conf", "--wal-method", "stream", "--checkpoint", "fast", "--no-sync")
	standby.run(settings)
	return standby
}

// Crash ends the server as a crash of it does, with all its sessions. What it has committed last may
// be lost, as the server writes it a moment later.
func (s *Server) Crash() {
	s.t.Helper()
	s.process.Stop()
}

// Restart starts a server again that has ended, at the same address.
func (s *Server) Restart() {
	s.t.Helper()
	_ = os.Remove(filepath.Join(s.data(), "postmaster.pid"))
	s.run(s.settings)
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
	s.process.Do("/bin/cp", "-a", from, to)
}

// TakeOver makes a standby the primary, at the address of one that has crashed.
func (s *Server) TakeOver(from *Server) {
	s.t.Helper()
	s.Crash()
	s.process.Port, s.Addr = from.process.Port, from.Addr
	s.Restart()
	s.process.Do(s.program("pg_ctl"), "promote", "--pgdata", s.data())
}
