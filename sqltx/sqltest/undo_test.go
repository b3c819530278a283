package sqltest_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache/sqlbackend"
	"github.com/seed-dad15c92/txcache/sqltx"
)

// P2: a savepoint undoes both sides, also after a statement that has failed.
func undoesSavepoints(t *testing.T, e *engine) {
	shops := e.shops(t, 2)
	s := shops[0]
	s.reads(t, nil, 1, 1)
	err := sqltx.Update(t.Context(), s.store, database, s.db, nil, func(tx *sqltx.Tx) error {
		if err := s.change(t.Context(), tx, 2, 20); err != nil {
			return err
		}
		err := tx.Savepoint(t.Context(), func(*sqltx.Tx) error {
			if err := s.change(t.Context(), tx, 1, 10); err != nil {
				return err
			}
			if err := tx.Savepoint(t.Context(), func(*sqltx.Tx) error { return s.change(t.Context(), tx, 3, 30) }); err != nil {
				return err
			}
			_, err := tx.ExecContext(t.Context(), "INSERT INTO product VALUES (1, 1)")
			return err
		})
		if err == nil {
			t.Error("the savepoint returns no error")
		}
		for id, want := range map[int]int64{1: 1, 2: 20, 3: 1} {
			if got, err := s.load(t.Context(), tx, id); got != want || err != nil {
				t.Errorf("product %d is %d, %v after the savepoint; want %d", id, got, err, want)
			}
		}
		return tx.Savepoint(t.Context(), func(*sqltx.Tx) error { return s.change(t.Context(), tx, 4, 40) })
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range shops {
		for id, want := range map[int]int64{1: 1, 2: 20, 3: 1, 4: 40} {
			s.reads(t, nil, id, want)
		}
	}
}

// An error that fn does not return: PostgreSQL has aborted the transaction, and Savepoint says
// so and brings it back.
func undoesSavepointsWithoutAnError(t *testing.T, e *engine) {
	s := e.shops(t, 1)[0]
	err := sqltx.Update(t.Context(), s.store, database, s.db, nil, func(tx *sqltx.Tx) error {
		err := tx.Savepoint(t.Context(), func(*sqltx.Tx) error {
			if err := s.change(t.Context(), tx, 1, 10); err != nil {
				return err
			}
			tx.ExecContext(t.Context(), "INSERT INTO product VALUES (1, 1)")
			return nil
		})
		if aborted := err != nil; aborted != (e.dialect == sqlbackend.Postgres) {
			t.Errorf("Savepoint: %v", err)
		}
		return s.change(t.Context(), tx, 2, 20)
	})
	if err != nil {
		t.Fatal(err)
	}
	want := int64(10)
	if e.dialect == sqlbackend.Postgres {
		want = 1
	}
	s.reads(t, nil, 1, want)
	s.reads(t, nil, 2, 20)
}

// A read-only transaction that begins within savepoints goes on after a statement that
// has failed there.
func beginsWithinSavepoints(t *testing.T, e *engine) {
	s := e.shops(t, 1)[0]
	err := sqltx.View(t.Context(), s.store, database, s.db, nil, func(tx *sqltx.Tx) error {
		for range 2 {
			err := tx.Savepoint(t.Context(), func(*sqltx.Tx) error {
				return tx.Savepoint(t.Context(), func(*sqltx.Tx) error {
					_, err := tx.QueryContext(t.Context(), "SELECT nothing FROM nowhere")
					return err
				})
			})
			if err == nil {
				return errors.New("the savepoint returns no error")
			}
		}
		_, err := s.load(t.Context(), tx, 1)
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// P2: MariaDB has lost the savepoint, as a deadlock has rolled the whole transaction back, or a
// statement has committed it. Nothing more is done in it.
func losesSavepoints(t *testing.T, e *engine) {
	if e.dialect != sqlbackend.MySQL {
		t.Skip("of MariaDB")
	}
	t.Run("deadlock", func(t *testing.T) {
		s := e.shops(t, 1)[0]
		other, err := s.db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer other.Rollback()
		// It has changed more, so it is not the one that is rolled back.
		if _, err := other.ExecContext(t.Context(), "UPDATE product SET price = price + 100 WHERE id > 1"); err != nil {
			t.Fatal(err)
		}
		crossed := make(chan error, 1)
		err = sqltx.Update(t.Context(), s.store, database, s.db, nil, func(tx *sqltx.Tx) error {
			if err := s.change(t.Context(), tx, 1, 10); err != nil {
				return err
			}
			go func() {
				_, err := other.ExecContext(t.Context(), "UPDATE product SET price = 101 WHERE id = 1")
				crossed <- err
			}()
			err := tx.Savepoint(t.Context(), func(*sqltx.Tx) error { return s.change(t.Context(), tx, 2, 20) })
			if err == nil || !strings.Contains(err.Error(), "Deadlock") {
				t.Errorf("Savepoint: %v, want a deadlock", err)
			}
			// Without the refusal this statement would be committed at once.
			if err := s.change(t.Context(), tx, 3, 30); err == nil {
				t.Error("a statement was executed in a transaction that is no more")
			}
			return nil
		})
		if err == nil || errors.Is(err, sqltx.ErrUnknownOutcome) {
			t.Errorf("Update: %v, want the error of the savepoint", err)
		}
		if err := <-crossed; err != nil {
			t.Error(err)
		}
		if err := other.Rollback(); err != nil {
			t.Error(err)
		}
		for id := 1; id <= 3; id++ {
			if got, err := stock(t.Context(), s.db, id); got != 1 || err != nil {
				t.Errorf("product %d is %d, %v; want 1, as nothing was committed", id, got, err)
			}
		}
	})
	t.Run("implicit commit", func(t *testing.T) {
		s := e.shops(t, 1)[0]
		err := sqltx.Update(t.Context(), s.store, database, s.db, nil, func(tx *sqltx.Tx) error {
			err := tx.Savepoint(t.Context(), func(*sqltx.Tx) error {
				if _, err := tx.ExecContext(t.Context(), "CREATE TABLE IF NOT EXISTS other (id INTEGER)"); err != nil {
					return err
				}
				return errRefused
			})
			if !errors.Is(err, errRefused) || err == errRefused {
				t.Errorf("Savepoint: %v, want that it was not undone", err)
			}
			return nil
		})
		if err == nil || errors.Is(err, sqltx.ErrUnknownOutcome) {
			t.Errorf("Update: %v, want the error of the savepoint", err)
		}
	})
}
