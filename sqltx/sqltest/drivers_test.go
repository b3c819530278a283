package sqltest_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/lib/pq"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

// What servers answer, in the types of the usual drivers, is told apart from what
// leaves a commit in doubt.
func TestAnswersOfDrivers(t *testing.T) {
	state := func(s string) [5]byte { return [5]byte([]byte(s)) }
	store := txcache.Must(txcache.New(memorybackend.New(), &txcache.Options{Logger: slog.New(slog.DiscardHandler)}))
	defer store.Close()
	price := txcache.Must(txcache.NewCache[int, int64](store, "price", nil))
	for name, test := range map[string]struct {
		err   error
		doubt bool
	}{
		"pgx, unique":            {&pgconn.PgError{Code: "23505", Message: `duplicate key value violates unique constraint "connections_pkey"`}, false},
		"pgx, serialization":     {&pgconn.PgError{Code: "40001"}, false},
		"pgx, ambiguous":         {&pgconn.PgError{Code: "40003"}, true},
		"pgx, shutdown":          {&pgconn.PgError{Code: "57P01"}, true},
		"pgx, nil":               {(*pgconn.PgError)(nil), true},
		"pq, foreign key":        {&pq.Error{Code: "23503"}, false},
		"pq, connection failure": {&pq.Error{Code: "08006"}, true},
		"mysql, duplicate":       {&mysql.MySQLError{Number: 1062, SQLState: state("23000"), Message: "Duplicate entry"}, false},
		"mysql, deadlock":        {&mysql.MySQLError{Number: 1213, SQLState: state("40001"), Message: "Deadlock found"}, false},
		"mysql, lock wait":       {&mysql.MySQLError{Number: 1205, SQLState: state("HY000"), Message: "Lock wait timeout exceeded"}, true},
		"mysql, shutdown":        {&mysql.MySQLError{Number: 1053, SQLState: state("08S01"), Message: "Server shutdown in progress"}, true},
		"mysql, without a state": {&mysql.MySQLError{Number: 1062, Message: "Duplicate entry"}, true},
		"mysql, lost":            {mysql.ErrInvalidConn, true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, err := range []error{test.err, fmt.Errorf("commit: %w", test.err)} {
				before := store.Status().InDoubt
				tx, beginErr := store.Begin(t.Context(), database)
				if beginErr != nil {
					t.Fatal(beginErr)
				}
				if err := price.Clear(tx); err != nil {
					t.Fatal(err)
				}
				if got := tx.CommitWith(t.Context(), func(context.Context) error { return err }); got == nil {
					t.Error("CommitWith returns no error")
				}
				if doubt := store.Status().InDoubt > before; doubt != test.doubt {
					t.Errorf("in doubt: %v, want %v", doubt, test.doubt)
				}
			}
		})
	}
}
