package sqltx_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/sqltx"
)

var errDriver = errors.New("driver: connection reset")

func fails() error { return errDriver }

func newCache(t testing.TB, s *txcache.Store) *txcache.Cache[string, int] {
	t.Helper()
	c, err := txcache.NewCache[string, int](s, "price", nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// seen returns what a transaction that begins now finds under "book", 0 for a miss.
func seen(t testing.TB, s *txcache.Store, c *txcache.Cache[string, int]) (price int) {
	t.Helper()
	err := s.View(t.Context(), "shop", func(tx *txcache.Tx) error {
		price = c.GetOr(t.Context(), tx, "book", 0)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return price
}

func fill(t testing.TB, s *txcache.Store, c *txcache.Cache[string, int], price int) {
	t.Helper()
	err := s.Update(t.Context(), "shop", func(tx *txcache.Tx) error {
		c.Set(tx, "book", price)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func begin(t *testing.T, ctx context.Context, s *stage, opts *sql.TxOptions) *sqltx.Tx {
	t.Helper()
	tx, err := sqltx.Begin(ctx, s.store, "shop", s.db, opts)
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

// ask sends the database a statement.
func ask(t *testing.T, tx *sqltx.Tx) {
	t.Helper()
	var price float64
	if err := tx.QueryRowContext(t.Context(), "SELECT").Scan(&price); err != nil {
		t.Error(err)
	}
}

func TestStateComesBeforeSnapshotAndCommitBetweenFenceAndClear(t *testing.T) {
	s := newStage(t)
	price := newCache(t, s.store)
	tx := begin(t, t.Context(), s, &sql.TxOptions{Isolation: sql.LevelSerializable})
	if _, err := tx.ExecContext(t.Context(), "UPDATE"); err != nil {
		t.Fatal(err)
	}
	if err := price.Clear(tx.Cache); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	s.expect(t, "Sync", "BEGIN SERIALIZABLE", "UPDATE", "Fence", "COMMIT", "Clear")
}

func TestCommitPublishesAndRollbackForgets(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(*sqltx.Tx) error
		want int
		step string
	}{
		{"commit", (*sqltx.Tx).Commit, 12, "COMMIT"},
		{"rollback", (*sqltx.Tx).Rollback, 0, "ROLLBACK"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newStage(t)
			price := newCache(t, s.store)
			tx := begin(t, t.Context(), s, nil)
			price.Set(tx.Cache, "book", 12)
			if got := seen(t, s.store, price); got != 0 {
				t.Errorf("before the end others see %d", got)
			}
			s.taken()
			if err := test.end(tx); err != nil {
				t.Fatal(err)
			}
			s.expect(t, test.step)
			if got := seen(t, s.store, price); got != test.want {
				t.Errorf("after the end others see %d, want %d", got, test.want)
			}
		})
	}
}

func TestFinishedTransactionAnswersAsThatOfDatabaseSQL(t *testing.T) {
	s := newStage(t)
	for _, end := range []func(*sqltx.Tx) error{(*sqltx.Tx).Commit, (*sqltx.Tx).Rollback} {
		tx := begin(t, t.Context(), s, nil)
		if err := end(tx); err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(); err != sql.ErrTxDone {
			t.Errorf("Commit: %v, want sql.ErrTxDone itself", err)
		}
		if err := tx.Rollback(); err != sql.ErrTxDone {
			t.Errorf("Rollback: %v, want sql.ErrTxDone itself", err)
		}
	}
}

func TestReadOnlyIsReadOnlyOnBothSides(t *testing.T) {
	s := newStage(t)
	price := newCache(t, s.store)
	tx := begin(t, t.Context(), s, &sql.TxOptions{ReadOnly: true})
	ask(t, tx)
	if err := price.Clear(tx.Cache); !errors.Is(err, txcache.ErrReadOnly) {
		t.Errorf("Clear: %v, want ErrReadOnly", err)
	}
	if err := tx.Commit(); !errors.Is(err, txcache.ErrReadOnly) { // whether the clear's error was looked at or not
		t.Errorf("Commit: %v, want ErrReadOnly", err)
	}
	s.expect(t, "Sync", "BEGIN READ ONLY", "SELECT", "ROLLBACK")
}

func TestBeginFails(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, test := range []struct {
		name     string
		ctx      context.Context
		database string
		onBegin  func() error
		want     error // nil: any
		steps    []string
	}{
		{"the database refuses", t.Context(), "shop", fails, errDriver, []string{"Sync", "BEGIN"}},
		{"the context is done", cancelled, "shop", nil, context.Canceled, []string{"Sync"}},
		{"the name is none", t.Context(), "", nil, nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newStage(t)
			s.onBegin = test.onBegin
			tx, err := sqltx.Begin(test.ctx, s.store, test.database, s.db, nil)
			if err == nil || tx != nil || test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("Begin returned %v, %v; want no transaction and %v", tx, err, test.want)
			}
			s.expect(t, test.steps...)
			if n := s.db.Stats().InUse; n != 0 {
				t.Errorf("%d connections are still in use", n)
			}
		})
	}
}

func TestBeginNeedsBothSides(t *testing.T) {
	s := newStage(t)
	if _, err := sqltx.Begin(t.Context(), nil, "shop", s.db, nil); err == nil {
		t.Error("Begin took a nil store")
	}
	if _, err := sqltx.Begin(t.Context(), s.store, "shop", nil, nil); err == nil {
		t.Error("Begin took a nil database")
	}
}

// P3, P8: a clear that cannot be announced keeps the database from committing.
func TestRefusedFenceRollsTheDatabaseBack(t *testing.T) {
	for _, test := range []struct {
		name       string
		onRollback func() error
		want       []error
	}{
		{"", nil, []error{txcache.ErrUnavailable}},
		{"and the rollback fails", fails, []error{txcache.ErrUnavailable, errDriver}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newStage(t)
			price := newCache(t, s.store)
			fill(t, s.store, price, 10)
			tx := begin(t, t.Context(), s, nil)
			if err := price.Clear(tx.Cache); err != nil {
				t.Fatal(err)
			}
			s.taken()
			s.onFence = func() error { return errors.New("no route to host") }
			s.onRollback = test.onRollback
			err := tx.Commit()
			for _, want := range test.want {
				if !errors.Is(err, want) {
					t.Errorf("Commit: %v, want %v", err, want)
				}
			}
			if errors.Is(err, sqltx.ErrUnknownOutcome) {
				t.Errorf("Commit: %v, but nothing is unknown", err)
			}
			s.expect(t, "Fence", "ROLLBACK")
			if got := seen(t, s.store, price); got != 10 {
				t.Errorf("others see %d, want the 10 that is still right", got)
			}
		})
	}
}

// P2: a failed commit leaves no trace of what was set; what was cleared is
// cleared, as it may have committed. P3: at once only if the database is known to
// have refused, as it may commit later than that otherwise. Then the error is the driver's,
// and the caller may repeat the change; else it is of unknown outcome.
func TestFailedCommitIsOfUnknownOutcome(t *testing.T) {
	for _, test := range []struct {
		failure error
		refused bool
	}{
		{sqlError("40001"), true},
		{fmt.Errorf("driver: %w", sqlError("23505")), true},
		{&mysqlError{1213, [5]byte{'4', '0', '0', '0', '1'}}, true},
		{&mysqlError{1180, [5]byte{'H', 'Y', '0', '0', '0'}}, false},
		{errRefused, true}, // as the store's options say
		{sqlError("40003"), false},
		{sqlError("57P01"), false},
		{errors.Join(sqlError("40001"), errDriver), false},
		{errors.New("could not serialize access"), false},
		{errDriver, false},
		{driver.ErrBadConn, false},
		{context.Canceled, false},
	} {
		t.Run(test.failure.Error(), func(t *testing.T) {
			s := newStage(t)
			price := newCache(t, s.store)
			fill(t, s.store, price, 10)
			tx := begin(t, t.Context(), s, nil)
			if err := price.Clear(tx.Cache); err != nil {
				t.Fatal(err)
			}
			price.Set(tx.Cache, "book", 12)
			s.onCommit = func() error { return test.failure }
			err := tx.Commit()
			switch {
			case test.refused && err != test.failure:
				t.Errorf("Commit: %v, want %v itself", err, test.failure)
			case !test.refused && (!errors.Is(err, sqltx.ErrUnknownOutcome) || !errors.Is(err, test.failure)):
				t.Errorf("Commit: %v, want ErrUnknownOutcome with %v", err, test.failure)
			}
			steps := []string{"Sync", "Sync", "BEGIN", "Fence", "COMMIT", "Fence"}
			if test.refused {
				steps[5] = "Clear"
			}
			s.expect(t, steps...)
			if got := seen(t, s.store, price); got != 0 {
				t.Errorf("others see %d, want a miss", got)
			}
		})
	}
}

// An sqlError is a server's answer, as drivers return it.
type sqlError string

func (e sqlError) Error() string    { return "the server answers " + string(e) }
func (e sqlError) SQLState() string { return string(e) }

// A mysqlError is one as go-sql-driver/mysql has it.
type mysqlError struct {
	Number   uint16
	SQLState [5]byte
}

func (e *mysqlError) Error() string { return fmt.Sprintf("Error %d (%s)", e.Number, e.SQLState) }

func TestFailedCommitOfReadOnlyIsJustTheDriversError(t *testing.T) {
	s := newStage(t)
	tx := begin(t, t.Context(), s, &sql.TxOptions{ReadOnly: true})
	ask(t, tx)
	s.onCommit = fails
	if err := tx.Commit(); err != errDriver {
		t.Errorf("Commit: %v, want the driver's error itself", err)
	}
}

func TestRollbackReportsTheDriversError(t *testing.T) {
	s := newStage(t)
	price := newCache(t, s.store)
	tx := begin(t, t.Context(), s, nil)
	price.Set(tx.Cache, "book", 12)
	s.onRollback = fails
	if err := tx.Rollback(); err != errDriver {
		t.Errorf("Rollback: %v, want the driver's error", err)
	}
	if got := seen(t, s.store, price); got != 0 {
		t.Errorf("others see %d, want a miss", got)
	}
}

// Who ends one side alone breaks the rules; it is told, and the database is
// left neither open nor changed.
func TestSideEndedAlone(t *testing.T) {
	t.Run("cache, then Commit", func(t *testing.T) {
		s := newStage(t)
		tx := begin(t, t.Context(), s, nil)
		tx.Cache.Rollback()
		if err := tx.Commit(); !errors.Is(err, txcache.ErrTxDone) {
			t.Errorf("Commit: %v, want txcache.ErrTxDone", err)
		}
		s.expect(t, "Sync", "BEGIN", "ROLLBACK")
	})
	t.Run("cache, then Rollback", func(t *testing.T) {
		s := newStage(t)
		tx := begin(t, t.Context(), s, nil)
		tx.Cache.Rollback()
		if err := tx.Rollback(); !errors.Is(err, txcache.ErrTxDone) {
			t.Errorf("Rollback: %v, want txcache.ErrTxDone", err)
		}
		s.expect(t, "Sync", "BEGIN", "ROLLBACK")
	})
	t.Run("database, then Commit", func(t *testing.T) {
		s := newStage(t)
		price := newCache(t, s.store)
		tx := begin(t, t.Context(), s, nil)
		price.Set(tx.Cache, "book", 12)
		tx.Tx.Rollback()
		if err := tx.Commit(); err != sql.ErrTxDone {
			t.Errorf("Commit: %v, want sql.ErrTxDone itself", err)
		}
		if got := seen(t, s.store, price); got != 0 {
			t.Errorf("others see %d of a database that was rolled back", got)
		}
	})
}
