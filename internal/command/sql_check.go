package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/cause"
	"github.com/seed-dad15c92/txcache/internal/inspect"
)

// A sqlResult is what check tells of the database of class sql.
type sqlResult struct {
	Software  string       `json:"software"`
	Replica   bool         `json:"replica"`   // it takes no changes
	Isolation string       `json:"isolation"` // of a transaction that asks for no level
	Exact     bool         `json:"exact"`     // hits of such a transaction
	Ping      float64      `json:"round_trip_ms"`
	Table     string       `json:"table"`
	Missing   bool         `json:"missing"` // the table
	DDL       string       `json:"ddl,omitempty"`
	Databases int          `json:"databases"` // that have rows in it
	Steps     []stepResult `json:"steps"`
}

// checkSQL adds to r what the database says, and returns why that is a failure.
func (p *program) checkSQL(ctx context.Context, cfg *config.Config, r *checkResult) error {
	b, _, err := p.openSQL(ctx, cfg)
	if err != nil {
		r.Problems = append(r.Problems, cause.Of(err).Error())
		return err
	}
	defer b.Close()
	failure := p.checkTable(ctx, b, r)
	if values, ok := inspect.ValuesOf(b.Values()); ok && ctx.Err() == nil {
		failure = errors.Join(failure, p.checkRedis(ctx, cfg, values, r))
	}
	return failure
}

// checkTable is checkSQL without the values.
func (p *program) checkTable(ctx context.Context, b inspect.SQLInspector, r *checkResult) error {
	c, err := b.Check(ctx)
	if c.Server != "" {
		r.SQL = &sqlResult{
			Software: c.Server, Replica: c.Replica, Isolation: c.Isolation, Exact: c.Exact, Ping: float64(c.Ping.Microseconds()) / 1000,
			Table: c.Table, Missing: c.Missing, Databases: len(c.Databases), Steps: results(c.Steps),
		}
		if c.Missing {
			r.SQL.DDL = strings.TrimSpace(c.DDL)
		}
	}
	refused := c.Refused()
	for _, step := range refused {
		r.Problems = append(r.Problems, fmt.Sprintf("cannot %s: %v", step.Name, cause.Of(step.Err)))
	}
	for i := range c.Databases {
		if d := &c.Databases[i]; d.Bad > 0 {
			r.Problems = append(r.Problems, strings.TrimSuffix(repair(d), "."))
		}
	}
	switch {
	case err != nil:
		r.Problems = append(r.Problems, cause.Of(err).Error())
		return sqlError(ctx, err)
	case c.Missing && len(refused) > 0:
		return errors.New("there is no table that this user can see, and it cannot create one; the statements above do, with the rights that they name")
	case len(refused) > 0 && inspect.SQLUnavailable(refused[0].Err):
		return unavailableError{errors.New(sqlRefusal(refused))}
	case len(refused) > 0:
		return errors.New(sqlRefusal(refused))
	case len(r.Problems) > 0:
		return errors.New(strings.Join(r.Problems, "\n"))
	}
	r.Remarks = append(r.Remarks, sqlRemarks(c)...)
	return nil
}

// sqlRefusal says what to do about steps that a database refused.
func sqlRefusal(steps []inspect.Step) string {
	lines := []string{"the database refuses what a service needs"}
	for _, s := range steps {
		do := inspect.SQLRemedy(s.Err)
		if do == "" {
			do = "See the problems above; docs/sql.md says how the table must be."
		}
		if lines[len(lines)-1] != do {
			lines = append(lines, do)
		}
	}
	return strings.Join(lines, "\n")
}

// sqlRemarks returns what is worth knowing of a database that does all it must.
func sqlRemarks(c *inspect.SQLCheckup) (list []string) {
	if c.Missing {
		list = append(list, "the table is not there yet; a service creates it when it first begins, or the statements above do")
	}
	for _, s := range c.Steps {
		if s.Optional && s.Err != nil {
			list = append(list, "the user may not update the table: rows are folded all the same, but then nobody may delete rows by hand while a service runs (docs/sql.md)")
		}
	}
	var without []string
	for _, d := range c.Databases {
		if !d.Begun {
			without = append(without, d.Name)
		}
	}
	if len(without) > 0 {
		list = append(list, "there is no epoch for "+names(without)+": the caches are private to each transaction until a service begins one, which it does by itself")
	}
	return append(list, levelRemark(c.Isolation, c.Exact))
}

// levelRemark says what the level means of a transaction that asks for none.
func levelRemark(level string, exact bool) string {
	subject := "a transaction that asks for no isolation level is at " + level + " here: "
	switch strings.ReplaceAll(strings.ToLower(level), "-", " ") {
	case "read uncommitted":
		return subject + "hits are not older than what was committed when it began on PostgreSQL, and on MySQL and MariaDB nothing is promised; ask for repeatable read (docs/sql.md)"
	case "serializable":
		return subject + "hits are exact if it is read-only, on PostgreSQL, and else not older than what was committed when it began (docs/sql.md)"
	}
	if exact {
		return subject + "its hits are exact, what its own snapshot would load (docs/sql.md)"
	}
	return subject + "its hits are not older than what was committed when it began, perhaps newer; ask for repeatable read where they must be exact (docs/sql.md)"
}

func (r *sqlResult) write(w io.Writer) {
	fmt.Fprintf(w, "\n%s", r.Software)
	if r.Replica {
		fmt.Fprint(w, ", a replica")
	}
	fmt.Fprintf(w, ", default isolation level %s, round trip %.3f ms\n", r.Isolation, r.Ping)
	if !r.Missing {
		fmt.Fprintf(w, "Table %s, databases in it: %d\n", r.Table, r.Databases)
	}
	fmt.Fprintln(w)
	writeSteps(w, r.Steps, "refused: ")
	if r.Missing {
		fmt.Fprintf(w, "\nThere is no table %s. These are the statements that create it:\n%s\n", r.Table, r.DDL)
	}
}
