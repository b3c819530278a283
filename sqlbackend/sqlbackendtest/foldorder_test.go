package sqlbackendtest_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache/internal/mariadbtest"
	"github.com/seed-dad15c92/txcache/sqlbackend"
)

// What TestSnapshotsOfMariaDBAreCausalIfTheFoldReadsFirst shows of the database, the Backend
// does: a fold begins a transaction of its own at read committed, reads, deletes what it has
// read, and inserts.
func TestFoldReadsFirst(t *testing.T) {
	dsn := mariadbtest.Start(t, "log-output=TABLE").DSN("test")
	e := &engine{dialect: sqlbackend.MySQL, driver: "mysql", dsn: dsn, readDSN: dsn}
	p := e.place(t)
	b := p.backend()
	for range 3 {
		must(b.Clear(t.Context(), "shop", clearOf(must(b.Sync(t.Context(), "shop"))(t), "a")))(t)
	}
	p.exec("SET GLOBAL general_log = ON")
	if err := b.Fold(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	p.exec("SET GLOBAL general_log = OFF")
	rows, err := p.db.QueryContext(t.Context(), "SELECT argument FROM mysql.general_log WHERE command_type IN ('Query', 'Execute') ORDER BY event_time")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var log []string
	for rows.Next() {
		var statement string
		if err := rows.Scan(&statement); err != nil {
			t.Fatal(err)
		}
		log = append(log, statement)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	at := 0
	for _, want := range []string{"SELECT COALESCE(GET_LOCK(", "SET TRANSACTION ISOLATION LEVEL READ COMMITTED", "START TRANSACTION", "SELECT id, ", "UPDATE ", "DELETE FROM ", "COMMIT", "SELECT COALESCE(RELEASE_LOCK("} {
		i := slices.IndexFunc(log[at:], func(s string) bool { return strings.HasPrefix(s, want) })
		if i < 0 || i > 0 && at > 0 {
			t.Fatalf("after %d statements want %s:\n%s", at, want, strings.Join(log, "\n"))
		}
		at += i + 1
	}
}
