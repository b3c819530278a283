package sqlbackend_test

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/sqlbackend"
)

// A sink is a driver whose databases take every statement, and have no rows.
type sink struct{}

func (sink) Connect(context.Context) (driver.Conn, error) { return sink{}, nil }
func (sink) Driver() driver.Driver                        { return nil }
func (sink) Prepare(string) (driver.Stmt, error)          { return nil, errors.New("a statement was prepared") }
func (sink) Close() error                                 { return nil }
func (sink) Begin() (driver.Tx, error)                    { return sink{}, nil }
func (sink) Commit() error                                { return nil }
func (sink) Rollback() error                              { return nil }
func (sink) Columns() []string                            { return []string{"token", "n", "clears"} }
func (sink) Next([]driver.Value) error                    { return io.EOF }
func (sink) LastInsertId() (int64, error)                 { return 0, nil }
func (sink) RowsAffected() (int64, error)                 { return 1, nil }

func (sink) ExecContext(context.Context, string, []driver.NamedValue) (driver.Result, error) {
	return sink{}, nil
}

func (sink) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	return sink{}, nil
}

var errAway = errors.New("the place for values is away")

// away is a place for values that is away.
type away struct {
	dropped []string
	closed  int
}

func (a *away) Get(context.Context, []backend.Key) ([][]byte, error) { return nil, errAway }
func (a *away) Set(context.Context, []backend.Value) error           { return errAway }
func (a *away) TTL() time.Duration                                   { return time.Hour }
func (a *away) Largest() int                                         { return 1000 }
func (a *away) Stats() backend.Stats                                 { return backend.Stats{Failures: 7} }

func (a *away) GetTimed(context.Context, []backend.Key) ([][]byte, []time.Duration, error) {
	return nil, nil, errAway
}

func (a *away) Drop(_ context.Context, database string) error {
	a.dropped = append(a.dropped, database)
	return errAway
}

func (a *away) Close() error {
	a.closed++
	return errAway
}

// A backend with a place for values offers what both of them offer, and no leases of loads.
// A place that is away stops nothing but the values.
func TestValuesBesideTheTable(t *testing.T) {
	db := sql.OpenDB(sink{})
	defer db.Close()
	var log bytes.Buffer
	plain, err := sqlbackend.New(func(string) (*sql.DB, error) { return db, nil }, sqlbackend.SQLite, &sqlbackend.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := backend.Backend(plain).(backend.Values); ok {
		t.Error("a Backend without a place for values offers to keep some")
	}
	var values away
	b := sqlbackend.WithValues(plain, &values)
	if _, ok := b.(interface {
		backend.Isolated
		backend.Preparer
		backend.Defaulted
		backend.Timed
		backend.Limited
		backend.Bounded
		backend.Observed
		Dialect() sqlbackend.Dialect
		Fold(ctx context.Context, database string) error
	}); !ok {
		t.Error("something is lost of what the Backend or the place for values offers")
	}
	if _, ok := b.(backend.Swapper); ok {
		t.Error("processes may agree through the values on which of them loads one")
	}
	if n := b.(backend.Observed).Stats().Failures; n != 7 {
		t.Errorf("%d failures are counted, want those of the place for values", n)
	}
	if err := b.Drop(t.Context(), "shop"); err != nil {
		t.Errorf("Drop returned %v", err)
	}
	if len(values.dropped) != 1 || values.dropped[0] != "shop" || !strings.Contains(log.String(), errAway.Error()) {
		t.Errorf("the values of %q were dropped, and the log says %q", values.dropped, log.String())
	}
	if err := b.Close(); !errors.Is(err, errAway) || values.closed != 1 {
		t.Errorf("Close returned %v, and has closed the place for values %d times", err, values.closed)
	}
	if err := b.Drop(t.Context(), "shop"); !errors.Is(err, backend.ErrClosed) || len(values.dropped) != 1 {
		t.Errorf("after Close Drop returned %v, and the values of %q were dropped", err, values.dropped)
	}
}
