package processes

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// schema is the database that all processes share. The tenants are the
// databases of the world; what they hold is in the table entry. A commit of
// someone who has put anything into the table orphan fails.
const schema = `
	CREATE SEQUENCE writes;
	CREATE TABLE tenant (name text PRIMARY KEY, life int NOT NULL, gone bool NOT NULL);
	CREATE TABLE entry (database text, tab int, key text, write bigint NOT NULL, PRIMARY KEY (database, tab, key)) WITH (fillfactor = 20);
	CREATE TABLE parent (id int PRIMARY KEY);
	CREATE TABLE orphan (id int REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
`

// Advisory locks of a database: whoever writes shares the first one until it has
// committed, and whoever removes the database has it alone; the second one is
// of the one process that drops it.
const (
	lockWrites = iota + 1
	lockDrop
)

// populate makes the schema, and the first life of every database.
func populate(ctx context.Context, conn *pgx.Conn, b *Board) error {
	if _, err := conn.Exec(ctx, schema); err != nil {
		return err
	}
	for i, name := range world.Databases {
		if _, err := conn.Exec(ctx, "INSERT INTO tenant VALUES ($1, -1, true)", name); err != nil {
			return err
		}
		if err := revive(ctx, conn, b, i, func(row, version) {}); err != nil {
			return err
		}
	}
	return nil
}

// remove ends the life of a database that nobody is writing to.
func remove(ctx context.Context, conn *pgx.Conn, database int) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		for _, statement := range []string{
			fmt.Sprintf("SELECT pg_advisory_xact_lock(%d, %d)", lockWrites, database),
			"UPDATE tenant SET gone = true WHERE name = '" + world.Databases[database] + "'",
			"DELETE FROM entry WHERE database = '" + world.Databases[database] + "'",
		} {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
}

var errNotGone = errors.New("processes: the database is there")

// revive begins the next life of a database that was removed and dropped, and
// tells of each of its rows.
func revive(ctx context.Context, conn *pgx.Conn, b *Board, database int, tell func(row, version)) error {
	var life int
	made := map[row]int{}
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		name := world.Databases[database]
		err := tx.QueryRow(ctx, "UPDATE tenant SET gone = false, life = life + 1 WHERE name = $1 AND gone RETURNING life", name).Scan(&life)
		if errors.Is(err, pgx.ErrNoRows) {
			return errNotGone
		} else if err != nil {
			return err
		}
		for table := range tables {
			for key, text := range world.Keys {
				var n int
				err := tx.QueryRow(ctx, "INSERT INTO entry VALUES ($1, $2, $3, nextval('writes')) RETURNING write", name, table, text).Scan(&n)
				if err != nil {
					return err
				}
				if n >= maxWrites {
					return errTooLong
				}
				r := rowOf(database, table, key)
				made[r] = n
				b.sent(n, r, 0)
				b.counts(n)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	b.born(database, life)
	for r, n := range made {
		v := versionOf(life, n)
		b.known(r, v)
		tell(r, v)
	}
	return nil
}
