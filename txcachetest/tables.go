package txcachetest

import (
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/sqlread"
	"github.com/seed-dad15c92/txcache/internal/witness"
)

// WatchTables returns a connector for [database/sql.OpenDB] that reads the statements that
// are sent over connector. It fails the test if a database transaction changes a table, and the
// transaction of the cache that commits it clears nothing in a cache that shows the table
// (CacheOptions.Tables and RowsOf): neither [txcache.Tx.Changed] or ChangedRows names
// the table, nor is the cache cleared, a key of it deleted, or a tag cleared that its values
// may bear. The failure names the statement without its arguments, the table and the caches.
//
// A statement that is in no transaction, or in one that no [txcache.Tx.CommitWith] of
// store commits, has no transaction of the cache. So rows that a test prepares should go over
// another *sql.DB. What is rolled back, also to a savepoint, and what has affected no row is
// not looked at; of a query, as with RETURNING, it is not known how many rows it has affected.
//
// It knows INSERT, UPDATE, DELETE, MERGE, REPLACE, TRUNCATE, COPY and LOAD DATA in the
// dialects of PostgreSQL, MySQL, MariaDB and SQLite, also in WITH. A statement that it cannot read,
// such as CALL, fails the test unless the transaction clears something; then it is
// logged. It does not see what triggers, cascades and functions change, nor
// which table stands behind a view.
//
// If several transactions of store commit at the same time, it is enough that one
// of them clears what shows the table. The connections are those of connector in a
// wrapping: code that asks for the driver's own, by sql.Conn.Raw, gets another type.
func WatchTables(t testing.TB, store *txcache.Store, connector driver.Connector) driver.Connector {
	t.Helper()
	if store == nil || connector == nil {
		t.Fatal("txcache: WatchTables needs a store and a connector")
	}
	w := &tableWatcher{t: t, store: store, committing: map[*witness.Transaction]bool{}, seen: map[string]bool{}}
	if at, watched := tableWatchers.LoadOrStore(store, w); watched {
		return watchedConnector{connector, at.(*tableWatcher)}
	}
	witness.WatchCommits(store, w.commits)
	t.Cleanup(func() {
		tableWatchers.Delete(store)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.ended = true
	})
	return watchedConnector{connector, w}
}

// tableWatchers are those at work, by store: a store tells one of its commits.
var tableWatchers sync.Map

// A tableWatcher compares what statements change with what transactions of the cache clear.
type tableWatcher struct {
	t     testing.TB
	store *txcache.Store

	mu         sync.Mutex
	ended      bool
	committing map[*witness.Transaction]bool
	seen       map[string]bool // failures that were reported
}

// A change is a statement that has changed tables, or one that could not be read.
type change struct {
	sql    string
	tables []string
	err    error
}

// commits is told of each commit.
func (w *tableWatcher) commits(tx witness.Transaction) (end func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.committing[&tx] = true
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.committing, &tx)
	}
}

// committed checks what a transaction of the database has changed. The commit of the
// cache's transaction, if there is one, waits for it.
func (w *tableWatcher) committed(changes []change) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return
	}
	for _, c := range changes {
		if c.err != nil {
			w.unread(c)
		}
		for _, table := range c.tables {
			w.changed(c.sql, table)
		}
	}
}

// changed reports a change of a table that nobody has named. w.mu is held.
func (w *tableWatcher) changed(sql, table string) {
	caches := witness.Showing(w.store, table)
	where := "outside of a transaction of the cache"
	for tx := range w.committing {
		unnamed := (*tx).Unnamed(table)
		if len(unnamed) == 0 {
			return
		}
		if len(unnamed) <= len(caches) {
			caches, where = unnamed, fmt.Sprintf("in a transaction of database %q", (*tx).Database())
		}
	}
	if len(caches) == 0 {
		return
	}
	slices.Sort(caches)
	w.fail(fmt.Sprintf("txcache: table %q was changed %s, and nothing was cleared in the caches %q, which show it; call Tx.Changed or Tx.ChangedRows after: %s", table, where, slices.Compact(caches), short(sql)))
}

// unread reports a statement that could not be read. w.mu is held.
func (w *tableWatcher) unread(c change) {
	if len(witness.Showing(w.store, "")) == 0 {
		return
	}
	what := fmt.Sprintf("txcache: a statement cannot be read: %v: %s", c.err, short(c.sql))
	for tx := range w.committing {
		if (*tx).Clears() {
			w.t.Log(what)
			return
		}
	}
	w.fail(what + "; its transaction clears nothing")
}

// fail fails the test, once with each text. w.mu is held.
func (w *tableWatcher) fail(text string) {
	if !w.seen[text] {
		w.seen[text] = true
		w.t.Errorf("%s", text)
	}
}

// A statementLog is what was done over one connection since the transaction began.
type statementLog struct {
	watcher    *tableWatcher
	open       bool
	changes    []change
	savepoints []openSavepoint
}

type openSavepoint struct {
	name    string
	changes int // how many there were before
}

func (l *statementLog) begin() { *l = statementLog{watcher: l.watcher, open: true} }

// end ends the transaction.
func (l *statementLog) end(committed bool) {
	changes := l.changes
	*l = statementLog{watcher: l.watcher}
	if committed {
		l.watcher.committed(changes)
	}
}

// done notes a statement that has succeeded. affected returns how many rows it has
// affected; nil: that is not known.
func (l *statementLog) done(sql string, affected func() (int64, error)) {
	statements, err := sqlread.Read(sql)
	if err != nil {
		l.note(change{sql: sql, err: err})
	}
	for _, s := range statements {
		switch s.Control {
		case sqlread.Begin:
			l.begin()
			continue
		case sqlread.Commit, sqlread.Rollback:
			l.end(s.Control == sqlread.Commit)
			continue
		case sqlread.Savepoint:
			l.savepoints = append(l.savepoints, openSavepoint{s.Name, len(l.changes)})
			continue
		case sqlread.Release:
			for i, p := range slices.Backward(l.savepoints) {
				if strings.EqualFold(p.name, s.Name) {
					l.savepoints = l.savepoints[:i]
					break
				}
			}
			continue
		case sqlread.RollbackTo:
			for i, p := range slices.Backward(l.savepoints) {
				if strings.EqualFold(p.name, s.Name) {
					l.changes, l.savepoints = l.changes[:p.changes], l.savepoints[:i+1]
					break
				}
			}
			continue
		}
		if s.Counts && len(statements) == 1 && affected != nil {
			if n, err := affected(); err == nil && n == 0 {
				continue
			}
		}
		l.note(change{sql: sql, tables: s.Tables})
	}
}

// note notes a change, which outside of a transaction is committed.
func (l *statementLog) note(c change) {
	c.sql = strings.Join(strings.Fields(c.sql), " ")
	if l.open {
		l.changes = append(l.changes, c)
	} else {
		l.watcher.committed([]change{c})
	}
}
