package histories_test

import (
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/internal/storetest"
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
		h.outages.Add(1)
		server.Crash()
		h.outages.Add(1)
		server.Restart()
	}
	end()
	h.shaky, h.foreign = false, true
	h.reconnect()
	h.play(duration(t)/2, 16, 8)
	h.sane()
	if h.failed.Load() == 0 {
		t.Error("nobody has seen that the server crashed")
	}
}

// Stores that live on while a standby takes over that has not got what was committed last use
// nothing that it does not show.
func TestFailoverThatLosesCommitsLeavesNothingStale(t *testing.T) {
	e, primary := overPostgres(t)
	h := newHistory(t, newServer(t, e, "a"), newServer(t, e, "b"))
	h.foreign = true
	standby := primary.Standby(t)
	there := (&engine{dialect: e.dialect, driver: e.driver, dsn: standby.URI("postgres")}).open(t)
	h.play(duration(t)/4, 12, 6)
	for _, statement := range []string{"ALTER SYSTEM SET primary_conninfo = ''", "SELECT pg_reload_conf()"} {
		if _, err := there.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	storetest.Within(t, storetest.Recovery, "the standby receives nothing any more", func() bool {
		var receivers int
		err := there.QueryRowContext(t.Context(), "SELECT count(*) FROM pg_stat_wal_receiver").Scan(&receivers)
		return err == nil && receivers == 0
	})
	both := h.commits.Load()
	h.goals = append(h.goals, func() string {
		if h.commits.Load() == both {
			return "nothing was committed that the standby has not got"
		}
		return ""
	})
	h.play(duration(t)/4, 12, 6)
	last, err := read(t.Context(), h.servers[0].db)
	if err != nil {
		t.Fatal(err)
	}
	primary.Crash()
	standby.TakeOver(primary)
	h.reconnect()
	if now, err := read(t.Context(), h.servers[0].db); err != nil || now == last {
		t.Fatalf("nothing was lost: %v, %v", now, err)
	}
	h.play(duration(t)/2, 12, 6)
	h.sane()
}

// reconnect closes the connections that are open, also those that a fold in the background uses now:
// they would go on with a file that is not there any more.
func (h *history) reconnect() {
	for _, s := range h.servers {
		s.db.SetMaxIdleConns(0)
		storetest.Within(h.t, storetest.Recovery, "all connections are closed", func() bool { return s.db.Stats().OpenConnections == 0 })
		s.db.SetMaxIdleConns(40)
	}
}

// Stores that live on while the database is restored from a backup use nothing that the
// backup does not show.
func TestRestoredBackupLeavesNothingStale(t *testing.T) {
	t.Run("postgres", func(t *testing.T) {
		e, server := overPostgres(t)
		restores(t, e, nil, func() (restore func()) {
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
		restores(t, e, nil, func() (restore func()) {
			backup := file + ".backup"
			vacuumInto(t, e, backup)
			return func() { putBack(t, backup, file) }
		})
	})
}

// restores plays a history, makes a backup, plays on, restores the backup, and plays on, twice.
func restores(t *testing.T, e *engine, r *redis, backup func() (restore func())) {
	h := newHistory(t, newServer(t, e, "a"), newServer(t, e, "b"))
	if r != nil {
		h.keepsIn(r)
	}
	h.foreign = true // commits after the backup are gone
	if e.dialect == sqlbackend.SQLite {
		h.rest = 20 * time.Millisecond
	}
	part := func() {
		h.play(duration(t)/5, 12, 4)
		h.reconnect()
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
