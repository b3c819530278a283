package sqlbackendtest_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache/internal/postgrestest"
	"github.com/seed-dad15c92/txcache/sqlbackend"
)

// Where there are many clears, the state is read by a scan of the index, which alone passes by the rows that folds have
// left dead, also while the table has not been vacuumed and the planner knows nothing of it.
func TestManyClearsAreReadByTheIndex(t *testing.T) {
	uri := postgrestest.Start(t).URI("postgres")
	p := (&engine{sqlbackend.Postgres, "pgx", uri, uri, uri}).place(t)
	p.db.SetMaxOpenConns(1) // which has prepared all statements
	b := p.backend()
	if _, err := b.Sync(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	p.exec("ALTER TABLE " + p.table + " SET (autovacuum_enabled = off)")
	p.exec("INSERT INTO " + p.table + " (database, token, n, clears) SELECT 'shop', i, 1, '[]' FROM generate_series(1, 2000) i")
	p.exec("DELETE FROM " + p.table + " WHERE clears = '[]'")
	if plan := p.planOfState(false); plan == "" || strings.Contains(plan, "Limit") {
		t.Errorf("at first the state is read by %s", plan)
	}
	var plan string
	for i := 0; plan == ""; i++ { // until folds have followed each other closely
		for j := range 40 {
			p.exec("INSERT INTO "+p.table+" (database, token, n, clears) VALUES ('shop', $1, 1, '[\"a\"]')", int64(1)<<50+int64(1000*i+j))
		}
		for range 10 {
			if s, err := b.Sync(t.Context(), "shop"); err != nil || s.AllFenced {
				t.Fatal(s, err)
			}
		}
		plan = p.planOfState(true)
	}
	if !strings.Contains(plan, "->  Index Scan") {
		t.Errorf("after many clears the state is read by\n%s", plan)
	}
}

// planOfState returns how the server executes the statement of the state, of which there is one for few clears and one
// for many; "" if it was not prepared.
func (p *place) planOfState(many bool) (plan string) {
	p.t.Helper()
	var name string
	var arguments int // the last is the database, the others are tokens
	err := p.db.QueryRow("SELECT name, cardinality(parameter_types) FROM pg_prepared_statements WHERE statement LIKE 'SELECT token%' AND statement LIKE '%transaction_isolation%' AND (statement LIKE '%LIMIT%') = $1 LIMIT 1", many).Scan(&name, &arguments)
	if err == sql.ErrNoRows {
		return ""
	}
	if err != nil {
		p.t.Fatal(err)
	}
	rows, err := p.db.QueryContext(context.Background(), fmt.Sprintf("EXPLAIN EXECUTE %q (%s'shop')", name, strings.Repeat("1, ", arguments-1)))
	if err != nil {
		p.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			p.t.Fatal(err)
		}
		plan += line + "\n"
	}
	if err := rows.Err(); err != nil {
		p.t.Fatal(err)
	}
	return plan
}
