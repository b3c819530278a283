package sqlbackend

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync/atomic"
	"time"

	"github.com/seed-dad15c92/txcache/internal/cause"
	"github.com/seed-dad15c92/txcache/internal/limits"
	"github.com/seed-dad15c92/txcache/internal/querier"
)

// DefaultTable is the name of the table if Options.Table is empty.
const DefaultTable = "txcache_clear"

//go:embed ddl/*.sql
var files embed.FS

// DDL returns the statements that create a table, which may have the name of a schema
// in front, for migration tools. An empty table is the default one. It panics if
// New would refuse the dialect or the table.
func DDL(dialect Dialect, table string) string {
	ddl, err := ddlOf(dialect, table)
	if err != nil {
		panic(err)
	}
	return ddl
}

func ddlOf(dialect Dialect, table string) (string, error) {
	quoted, err := quoteTable(dialect, table)
	if err != nil {
		return "", err
	}
	text, err := files.ReadFile("ddl/" + dialect.String() + ".sql")
	if err != nil || table == "" || table == DefaultTable {
		return string(text), err
	}
	schema, name := "", table
	if dot := strings.IndexByte(table, '.'); dot >= 0 {
		schema, name = dialect.quote(table[:dot])+".", table[dot+1:]
	}
	// An index of SQLite is in the schema of its table, whose name it does not take.
	text = []byte(strings.ReplaceAll(string(text), DefaultTable+"_database ON "+DefaultTable, schema+dialect.quote(name+"_database")+" ON "+dialect.quote(name)))
	return strings.ReplaceAll(string(text), DefaultTable, quoted), nil
}

// quoteTable returns the name of a table as an identifier, if it can be one.
func quoteTable(dialect Dialect, table string) (string, error) {
	if _, ok := dialects[dialect]; !ok {
		return "", fmt.Errorf("txcache: sql: there is no %s; expected Postgres, MySQL or SQLite", dialect)
	}
	if table == "" {
		table = DefaultTable
	}
	if err := limits.Table(table); err != nil {
		return "", fmt.Errorf("txcache: sql: the table %q %w", table, err)
	}
	parts := strings.Split(table, ".")
	for i, part := range parts {
		parts[i] = dialect.quote(part)
	}
	return strings.Join(parts, "."), nil
}

// A pool is where the table of some databases is.
type pool struct {
	db    *sql.DB
	state stateSQL // selects the isolation level

	inserts atomic.Bool // folds insert their sums, as the user may not update the table
}

// prepare makes sure that the table is there, and learns how the database calls the
// isolation level.
func (b *Backend) prepare(ctx context.Context, db *sql.DB) (*pool, error) {
	if err := b.create(ctx, db); err != nil {
		return nil, err
	}
	p := &pool{db: db, state: b.sql.state}
	for _, level := range b.sql.isolated {
		var found string
		if err := db.QueryRowContext(ctx, "SELECT "+level).Scan(&found); err == nil {
			p.state = b.sql.levels[level]
			break
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// create creates the table unless it is there. CREATE TABLE IF NOT EXISTS fails on
// PostgreSQL if two processes do it at once; so what counts is whether the table is there in the end.
func (b *Backend) create(ctx context.Context, db *sql.DB) error {
	for tries := 0; ; tries++ {
		missing := b.probe(ctx, db)
		if missing == nil {
			return nil
		}
		if !isMissing(missing) && number(missing) != 1142 { // denied, as MySQL says of a table that is not there too
			return fmt.Errorf("txcache: sql: reading table %s: %w", b.table, cause.Of(missing))
		}
		err := b.createOnce(ctx, db)
		if err == nil {
			continue
		}
		if tries < 5 && ctx.Err() == nil {
			select {
			case <-ctx.Done():
			case <-time.After(time.Duration(tries+1) * 20 * time.Millisecond):
			}
			continue
		}
		return fmt.Errorf("txcache: sql: table %s cannot be read: %w; and it cannot be created: %w; these are the statements that create it:\n%s", b.table, cause.Of(missing), cause.Of(err), b.ddl)
	}
}

func (b *Backend) probe(ctx context.Context, db *sql.DB) error {
	rows, err := db.QueryContext(ctx, b.sql.probe)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
	}
	return rows.Err()
}

func (b *Backend) createOnce(ctx context.Context, db querier.Handle) error {
	var text strings.Builder
	for line := range strings.Lines(b.ddl) {
		if !strings.HasPrefix(line, "--") {
			text.WriteString(line)
		}
	}
	for statement := range strings.SplitSeq(text.String(), ";\n") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// isMissing reports whether a statement failed because there is no such table, or schema.
// Drivers tell it by the SQLSTATE, as the method of that name or the number of MySQL,
// and SQLite only by its text.
func isMissing(err error) bool {
	if state := sqlState(err); state != "" {
		return state == "42P01" || state == "3F000"
	}
	if n := number(err); n != 0 {
		return n == 1146
	}
	return strings.Contains(err.Error(), "no such table")
}

// sqlState returns the SQLSTATE of an error, "" if it has no method of that name.
func sqlState(err error) string {
	var s interface{ SQLState() string }
	if errors.As(err, &s) {
		return s.SQLState()
	}
	return ""
}

// number returns that of an error of MySQL, as go-sql-driver has it, or 0.
func number(err error) uint64 {
	if v := reflect.Indirect(reflect.ValueOf(err)); v.Kind() == reflect.Struct {
		if n := v.FieldByName("Number"); n.IsValid() && n.CanUint() && v.FieldByName("SQLState").IsValid() {
			return n.Uint()
		}
	}
	switch of := err.(type) {
	case interface{ Unwrap() error }:
		return number(of.Unwrap())
	case interface{ Unwrap() []error }:
		for _, err := range of.Unwrap() {
			if n := number(err); n != 0 {
				return n
			}
		}
	}
	return 0
}

// column returns the name of a database as the table has it: as it is if it is
// short and of printable ASCII characters without spaces, and else with the others escaped as in URLs. A collation
// may ignore trailing spaces, a connection may not have a character, and an index has a
// bound. A longer one is a digest.
func column(database string) string {
	const hex = "0123456789ABCDEF"
	escaped := make([]byte, 0, len(database))
	for i := range len(database) {
		if c := database[i]; c > ' ' && c < 0x7f && c != '%' {
			escaped = append(escaped, c)
		} else {
			escaped = append(escaped, '%', hex[c>>4], hex[c&15])
		}
	}
	if len(escaped) > 190 {
		return "%sha256-" + digest(database)
	}
	return string(escaped)
}
