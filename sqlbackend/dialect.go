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

// statements are those of one table.
type statements struct {
	state    string            // as long as it is not known what is the isolation level
	levels   map[string]string // that select the level, by its expression
	rows     string
	record   string
	delete   string // of all
	pack     string // puts a sum into a row
	fold     string // of some: their ids follow
	probe    string
	isolated []string // expressions of the isolation level, to be tried
}

func newStatements(d Dialect, table string) *statements {
	database := d.quote("database")
	known := "?" + strings.Repeat(", ?", leftOut-1)
	columns := "token, n, CASE WHEN token IN (" + known + ") THEN '' ELSE clears END"
	from := " FROM " + table + " WHERE " + database + " = ?"
	s := &statements{
		state:  d.parameters("SELECT " + columns + ", ''" + from),
		levels: map[string]string{},
		rows:   d.parameters("SELECT id, " + columns + from + " ORDER BY id LIMIT " + fmt.Sprint(maxFold)),
		record: d.parameters("INSERT INTO " + table + " (" + database + ", token, n, clears) VALUES (?, ?, ?, ?)"),
		delete: d.parameters("DELETE" + from),
		pack:   d.parameters("UPDATE " + table + " SET token = ?, n = ?, clears = ? WHERE " + database + " = ? AND id = ?"),
		fold:   d.parameters("DELETE" + from + " AND id IN ("),
		probe:  "SELECT id, " + database + ", token, n, clears FROM " + table + " WHERE 1 = 0",
	}
	switch d {
	case Postgres:
		s.isolated = []string{"current_setting('transaction_isolation')"}
	case MySQL:
		s.isolated = []string{"@@transaction_isolation", "@@tx_isolation"}
	case SQLite:
		s.isolated = []string{"'" + snapshot + "'"}
	}
	for _, level := range s.isolated {
		s.levels[level] = d.parameters("SELECT " + columns + ", " + level + from)
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
