package sqlbackend

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/cause"
	"github.com/seed-dad15c92/txcache/internal/inspect"
	"github.com/seed-dad15c92/txcache/internal/querier"
)

// A checkup tries out what a Backend does, in the name of a database that nobody has.
type checkup struct {
	inspector
	ctx    context.Context
	db     *sql.DB
	column string
	result *inspect.SQLCheckup
}

func (b inspector) Check(ctx context.Context) (*inspect.SQLCheckup, error) {
	result := &inspect.SQLCheckup{Table: b.table, DDL: b.ddl}
	db, release, err := b.db()
	if err != nil {
		return result, err
	}
	defer release()
	c := &checkup{b, ctx, db, column("txcache Check " + string(backend.NewToken())), result}
	if err := c.server(); err != nil {
		return result, err
	}
	missing := false
	if !c.step("read the table", false, func() error {
		err := b.probe(ctx, db)
		missing = err != nil && (isMissing(err) || b.dialect == MySQL && number(err) == 1142 && !c.exists())
		if missing {
			return b.readError(err)
		}
		return err
	}) {
		if result.Missing = missing; missing {
			result.Steps = nil
			c.step("create the table", false, c.createAndUndo)
		}
		return result, ctx.Err()
	}
	c.step("begin a transaction", false, func() error {
		return c.undone(func(q querier.Handle) error {
			_, _, err := b.read(ctx, querier.Of(q), &tenant{column: c.column})
			return err
		})
	})
	if c.step("record a clear", false, c.record) {
		c.step("take back a clear", false, c.undo)
	}
	c.step("fold rows", true, func() error {
		return c.undone(func(q querier.Handle) error {
			_, err := q.ExecContext(ctx, b.sql.pack, int64(1), int64(1), "{}", c.column, int64(0))
			return err
		})
	})
	c.step("drop a database", false, func() error {
		return c.undone(func(q querier.Handle) error {
			_, err := q.ExecContext(ctx, b.sql.delete, c.column)
			return err
		})
	})
	if err := ctx.Err(); err != nil {
		return result, err
	}
	result.Databases, err = b.Clears(ctx)
	return result, err
}

// step does something that a Backend does, takes its time, and reports whether it was done.
func (c *checkup) step(name string, optional bool, do func() error) bool {
	if c.ctx.Err() != nil {
		return false
	}
	start := time.Now()
	err := do()
	c.result.Steps = append(c.result.Steps, inspect.Step{Name: name, Optional: optional, Took: time.Since(start), Err: err})
	return err == nil
}

// facts are the expressions that tell the software, its version, the level of a transaction that
// asks for none, and whether the server takes no changes.
var facts = map[Dialect][3]string{
	Postgres: {"version()", "current_setting('default_transaction_isolation')", "CASE WHEN pg_is_in_recovery() THEN 1 ELSE 0 END"},
	MySQL:    {"version()", "", "@@read_only"},
	SQLite:   {"'SQLite ' || sqlite_version()", "'" + snapshot + "'", "0"},
}

// server learns what the server is, and that it speaks the dialect.
func (c *checkup) server() error {
	start := time.Now()
	if err := c.db.PingContext(c.ctx); err != nil {
		return err
	}
	wrong := func(err error) error {
		if c.ctx.Err() != nil || unavailable(err) {
			return err
		}
		return fmt.Errorf("the database does not understand the dialect %q (%w): %w", c.dialect, errWrong, cause.Of(err))
	}
	ask := func(expression string, into any) error {
		start = time.Now()
		err := c.db.QueryRowContext(c.ctx, "SELECT "+expression).Scan(into)
		c.result.Ping = time.Since(start)
		return err
	}
	var version string
	var replica int64
	if err := ask(facts[c.dialect][0], &version); err != nil {
		return wrong(err)
	}
	c.result.Server = software(version)
	if postgres := strings.HasPrefix(version, "PostgreSQL"); postgres != (c.dialect == Postgres) {
		return fmt.Errorf("the database is %s, and the dialect %q (%w)", c.result.Server, c.dialect, errWrong)
	}
	levels := c.sql.isolated
	if level := facts[c.dialect][1]; level != "" {
		levels = []string{level}
	}
	var err error
	for _, level := range levels {
		if err = ask(level, &c.result.Isolation); err == nil {
			break
		}
	}
	if err == nil {
		err = ask(facts[c.dialect][2], &replica)
	}
	if err != nil {
		return wrong(err)
	}
	c.result.Exact, c.result.Replica = c.dialect.exact(c.result.Isolation), replica != 0
	return nil
}

// software returns the name and version of a server by what version() says.
func software(version string) string {
	first, rest, _ := strings.Cut(version, " ")
	switch {
	case first == "PostgreSQL" || first == "SQLite":
		number, _, _ := strings.Cut(rest, " ")
		return first + " " + number
	case strings.Contains(version, "MariaDB"):
		number, _, _ := strings.Cut(version, "-")
		return "MariaDB " + number
	}
	return "MySQL " + first
}

// undone calls do in a transaction that is rolled back.
func (c *checkup) undone(do func(querier.Handle) error) error {
	err := c.within(c.ctx, &pool{db: c.db}, "", func(q querier.Handle) error {
		if err := do(q); err != nil {
			return err
		}
		return errUndo
	})
	if errors.Is(err, errUndo) {
		return nil
	}
	return err
}

var errUndo = errors.New("the transaction was rolled back")

// record inserts a row and compares what is read with it.
func (c *checkup) record() error {
	const token = int64(mask - 1)
	clears := clearsOf(backend.Fence{Caches: []backend.Generation{{Cache: strings.Repeat("x", 70_000)}, {Cache: "Ω"}}})
	return c.undone(func(q querier.Handle) error {
		if _, err := q.ExecContext(c.ctx, c.sql.record, c.column, token, int64(1), clears); err != nil {
			return err
		}
		rows, err := c.rows(c.ctx, q, &tenant{column: c.column})
		if err != nil {
			return err
		}
		if len(rows) != 1 || rows[0].token != token || rows[0].n != 1 || rows[0].clears != clears {
			return fmt.Errorf("%w: a row that was inserted is read differently or not at all; no trigger may change it, and no row-level security hide it", errWrong)
		}
		other, err := c.rows(c.ctx, q, &tenant{column: strings.ToLower(c.column)})
		if err == nil && len(other) > 0 {
			err = fmt.Errorf("%w: names of databases that differ in upper and lower case are the same to it", errWrong)
		}
		return err
	})
}

// undo looks whether what was recorded was rolled back.
func (c *checkup) undo() error {
	rows, err := c.rows(c.ctx, c.db, &tenant{column: c.column})
	if err != nil || len(rows) == 0 {
		return err
	}
	_, err = c.db.ExecContext(c.ctx, c.sql.delete, c.column)
	return errors.Join(fmt.Errorf("%w: a row is there after a rollback; on MySQL and MariaDB the table must be one of InnoDB", errWrong), err)
}

// createAndUndo tells whether the user may create the table: by creating it, where a
// transaction can take that back.
func (c *checkup) createAndUndo() error {
	if c.dialect == MySQL {
		var grants int
		err := c.db.QueryRowContext(c.ctx, `SELECT (SELECT COUNT(*) FROM information_schema.USER_PRIVILEGES WHERE PRIVILEGE_TYPE = 'CREATE')
			+ (SELECT COUNT(*) FROM information_schema.SCHEMA_PRIVILEGES WHERE PRIVILEGE_TYPE = 'CREATE' AND COALESCE(?, DATABASE()) LIKE TABLE_SCHEMA)`, c.schema()).Scan(&grants)
		if err == nil && grants == 0 {
			err = fmt.Errorf("%w: the user has no right to create it, but for what roles may give", errWrong)
		}
		return err
	}
	return c.undone(func(q querier.Handle) error { return c.createOnce(c.ctx, q) })
}

// schema returns the schema in the name of the table, nil if there is none.
func (c *checkup) schema() any {
	if schema, _, ok := strings.Cut(strings.ReplaceAll(c.table, "`", ""), "."); ok {
		return schema
	}
	return nil
}

// exists reports whether there is a table which the user may not read, on MySQL, where that and a
// missing one are the same error. The user sees a table for which there is any right.
func (c *checkup) exists() bool {
	parts := strings.Split(strings.ReplaceAll(c.table, "`", ""), ".")
	var n int
	err := c.db.QueryRowContext(c.ctx, "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = COALESCE(?, DATABASE()) AND TABLE_NAME = ?", c.schema(), parts[len(parts)-1]).Scan(&n)
	return err == nil && n > 0
}
