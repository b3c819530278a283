package sqlbackend

import (
	"errors"
	"fmt"
	"strings"
)

// A Dialect is the SQL that a database speaks.
type Dialect int

// The dialects. MySQL is that of MariaDB too.
const (
	Postgres Dialect = iota + 1
	MySQL
	SQLite
)

var dialects = map[Dialect]string{Postgres: "postgres", MySQL: "mysql", SQLite: "sqlite"}

// String returns "postgres", "mysql" or "sqlite".
func (d Dialect) String() string {
	if name, ok := dialects[d]; ok {
		return name
	}
	return fmt.Sprintf("Dialect(%d)", int(d))
}

// UnmarshalText reads what String returns.
func (d *Dialect) UnmarshalText(text []byte) error {
	for dialect, name := range dialects {
		if name == string(text) {
			*d = dialect
			return nil
		}
	}
	return errors.New(`is missing or unknown; expected "postgres", "mysql" or "sqlite"`)
}

// MarshalText returns String.
func (d Dialect) MarshalText() ([]byte, error) {
	if _, ok := dialects[d]; !ok {
		return nil, fmt.Errorf("there is no %s", d)
	}
	return []byte(d.String()), nil
}

// quote returns a part of a name as an identifier.
func (d Dialect) quote(part string) string {
	if d == MySQL {
		return "`" + part + "`"
	}
	return `"` + part + `"`
}

// parameters makes those of a dialect of the ? in a statement.
func (d Dialect) parameters(sql string) string {
	if d != Postgres {
		return sql
	}
	var b strings.Builder
	n := 0
	for _, c := range sql {
		if c == '?' {
			n++
			fmt.Fprintf(&b, "$%d", n)
		} else {
			b.WriteRune(c)
		}
	}
	return b.String()
}

// leftOut is how many rows a statement can leave the content out of.
const leftOut = 4

// A reading is a statement that reads rows, by the number of those whose content it leaves out. Their tokens are its first arguments,
// and the database is the last.
type reading [leftOut + 1]string

// statements are those of one table.
type statements struct {
	state    stateSQL            // as long as it is not known what is the isolation level
	levels   map[string]stateSQL // that select the level, by its expression
	rows     reading
	record   string
	delete   string                                                             // of all
	pack     string                                                             // puts a sum into a row
	fold     func(database string, ids []string) (statement string, args []any) // deletes rows
	probe    string
	isolated []string // expressions of the isolation level, to be tried
}

// A stateSQL is the statement of the state, in two forms that return the same rows.
//
// The planner of PostgreSQL has a small table read from end to end, or by a bitmap, and keeps to that until the
// next vacuum. Both walk through all rows that have died meanwhile. A scan of the index marks
// the dead ones that it meets, and the next one passes them by. The planner takes it for indexed, as it expects that
// not all rows are asked for. With few dead rows it is the slower way.
type stateSQL struct{ plain, indexed reading }

func newStatements(d Dialect, table string) *statements {
	database := d.quote("database")
	from := " FROM " + table + " WHERE " + database + " = ?"
	read := func(before, after string) (r reading) {
		for known := range r {
			clears := "clears"
			if known > 0 {
				clears = "CASE WHEN token IN (?" + strings.Repeat(", ?", known-1) + ") THEN '' ELSE clears END"
			}
			r[known] = d.parameters("SELECT " + before + "token, n, " + clears + after)
		}
		return r
	}
	stateOf := func(level string) stateSQL {
		after := ", " + level + from
		if d != Postgres {
			return stateSQL{read("", after), read("", after)}
		}
		// With a subquery the planner expects the same of each database, and does not plan again at each begin.
		after = strings.TrimSuffix(after, "?") + "(SELECT ?::text)"
		return stateSQL{read("", after), read("", after+" ORDER BY id LIMIT (SELECT 9223372036854775807)")}
	}
	s := &statements{
		state:  stateOf("''"),
		levels: map[string]stateSQL{},
		rows:   read("id, ", from+" ORDER BY id LIMIT "+fmt.Sprint(maxFold)),
		record: d.parameters("INSERT INTO " + table + " (" + database + ", token, n, clears) VALUES (?, ?, ?, ?)"),
		delete: d.parameters("DELETE" + from),
		pack:   d.parameters("UPDATE " + table + " SET token = ?, n = ?, clears = ? WHERE " + database + " = ? AND id = ?"),
		fold: func(database string, ids []string) (string, []any) {
			return "DELETE" + from + " AND id IN (" + strings.Join(ids, ",") + ")", []any{database}
		},
		probe: "SELECT id, " + database + ", token, n, clears FROM " + table + " WHERE 1 = 0",
	}
	switch d {
	case Postgres:
		// One text for any ids: drivers prepare a statement and keep it, in the place of another.
		some := d.parameters("DELETE" + from + " AND id = ANY (?::text::bigint[])")
		s.fold = func(database string, ids []string) (string, []any) {
			return some, []any{database, "{" + strings.Join(ids, ",") + "}"}
		}
		s.isolated = []string{"current_setting('transaction_isolation')"}
	case MySQL:
		s.isolated = []string{"@@transaction_isolation", "@@tx_isolation"}
	case SQLite:
		s.isolated = []string{"'" + snapshot + "'"}
	}
	for _, level := range s.isolated {
		s.levels[level] = stateOf(level)
	}
	if len(s.isolated) == 1 {
		s.state = s.levels[s.isolated[0]]
	}
	return s
}

// snapshot is the level that SQLite always has, as its statement says it.
const snapshot = "snapshot"

// exact reports whether a transaction of that level has one snapshot.
//
// At SERIALIZABLE MySQL has none: it reads the newest rows, and locks them.
func (d Dialect) exact(level string) bool {
	switch level {
	case snapshot, "repeatable read", "REPEATABLE-READ":
		return true
	case "serializable":
		return d == Postgres
	}
	return false
}
