package histories_test

import (
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/sqlbackend"
)

// A server of the database that crashes in the middle of it all, and loses what it has committed last,
// makes no hit wrong.
func TestCrashOfTheDatabaseLeavesNothingStale(t *testing.T) {
	e, server := overPostgres(t)
	h := newHistory(t, newServer(t, e, "a"), newServer(t, e, "b"))
	h.shaky = true
	end := h.start(16, 8)
	for range 3 {
		time.Sleep(duration(t) / 6)
		server.Crash()
		server.Restart()
	}
	end()
	h.shaky, h.foreign = false, true
	h.play(duration(t)/2, 16, 8)
	h.sane()
	if h.failed.Load() == 0 {
		t.Error("nobody has seen that the server crashed")
	}
}

// Stores that live on while the database is restored from a backup use nothing that the
// backup does not show.
func TestRestoredBackupLeavesNothingStale(t *testing.T) {
	t.Run("postgres", func(t *testing.T) {
		e, server := overPostgres(t)
		restores(t, e, func() (restore func()) {
			server.Crash()
			put := server.Backup()
			server.Restart()
			return func() {
				server.Crash()
				put()
				server.Restart()
			}
		})
	})
	t.Run("sqlite", func(t *testing.T) {
		e, file := overSQLite(t)
		restores(t, e, func() (restore func()) {
			backup := file + ".backup"
			vacuumInto(t, e, backup)
			return func() { putBack(t, backup, file) }
		})
	})
}

// restores plays a history, makes a backup, plays on, restores the backup, and plays on, twice.
func restores(t *testing.T, e *engine, backup func() (restore func())) {
	h := newHistory(t, newServer(t, e, "a"), newServer(t, e, "b"))
	h.foreign = true // commits after the backup are gone
	if e.dialect == sqlbackend.SQLite {
		h.rest = 20 * time.Millisecond
	}
	part := func() {
		h.shaky = false
		h.play(duration(t)/5, 12, 4)
		h.shaky = true // connections are broken at first
		for _, s := range h.servers {
			s.db.SetMaxIdleConns(0)
			s.db.SetMaxIdleConns(40)
		}
	}
	part()
	restore := backup()
	part()
	for range 2 {
		restore()
		part()
	}
	h.sane()
}
