package txgorm_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/seed-dad15c92/txcache/txgorm"
)

// P2: a transaction within another one is a savepoint of both sides.
func TestNestedTransactions(t *testing.T) {
	each(t, func(t *testing.T, s *stage) {
		s.fill(t)
		undone := errors.New("undone")
		err := s.db.Transaction(func(tx *gorm.DB) error {
			if err := setPrice(tx, 1, 11); err != nil {
				return err
			}
			err := tx.Transaction(func(tx *gorm.DB) error {
				if err := setPrice(tx, 2, 22); err != nil {
					return err
				}
				if err := tx.Transaction(func(tx *gorm.DB) error { return setPrice(tx, 3, 33) }); err != nil {
					return err
				}
				s.prices.Set(txgorm.Cache(tx), 2, 22)
				if got := s.price(t, tx, 3); got != 33 {
					t.Errorf("the inner transaction has %d, want 33", got)
				}
				return undone
			})
			if err != undone {
				t.Errorf("the inner transaction answers %v", err)
			}
			func() {
				defer func() {
					if p := recover(); p != undone {
						t.Errorf("the panic is %v", p)
					}
				}()
				tx.Transaction(func(tx *gorm.DB) error {
					s.prices.Set(txgorm.Cache(tx), 3, 34)
					panic(undone)
				})
			}()
			for id, want := range map[int64]int{1: 11, 2: 20, 3: 30} {
				if got := s.price(t, tx, id); got != want {
					t.Errorf("after the undo the transaction has %d under %d, want %d", got, id, want)
				}
			}
			return tx.Transaction(func(tx *gorm.DB) error { return setPrice(tx, 2, 21) })
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := s.cached(t, 3); !ok {
			t.Error("what the inner transaction has cleared is cleared although it was undone")
		}
		for id, want := range map[int64]int{1: 11, 2: 21, 3: 30} {
			if got := s.read(t, id); got != want {
				t.Errorf("others read %d under %d, want %d", got, id, want)
			}
		}
	})
}

// P2: savepoints by hand, and by statements, are of both sides too.
func TestSavepointsByHand(t *testing.T) {
	each(t, func(t *testing.T, s *stage) {
		prepared := s.db.Config.PrepareStmt
		do := func(tx *gorm.DB, statement string) {
			t.Helper()
			if err := tx.Exec(statement).Error; err != nil {
				t.Errorf("%s: %v", statement, err)
			}
		}
		for name, undo := range map[string]func(tx *gorm.DB){
			"gorm": func(tx *gorm.DB) {
				tx.SavePoint("Here")
				s.set(t, tx, 77)
				tx.RollbackTo("Here")
				s.set(t, tx, 78) // the savepoint is still there
				tx.RollbackTo("Here")
			},
			"statements": func(tx *gorm.DB) {
				do(tx, "savepoint here")
				s.set(t, tx, 77)
				do(tx, "/* traced */ ROLLBACK TO HERE;")
				do(tx, "release savepoint Here")
			},
			"the outer one": func(tx *gorm.DB) {
				do(tx, "SAVEPOINT outside")
				do(tx, "SAVEPOINT inside")
				s.set(t, tx, 77)
				do(tx, "RELEASE inside")
				do(tx, "SAVEPOINT inside")
				do(tx, "ROLLBACK TRANSACTION TO SAVEPOINT outside")
			},
			"two of one name": func(tx *gorm.DB) {
				do(tx, "SAVEPOINT twice")
				s.set(t, tx, 77)
				do(tx, "SAVEPOINT twice")
				s.set(t, tx, 78)
				do(tx, "ROLLBACK TO twice")
				if got := s.price(t, tx, 1); got != 77 {
					t.Errorf("after the inner rollback it has %d, want 77", got)
				}
				do(tx, "RELEASE twice")
				do(tx, "ROLLBACK TO twice")
			},
			"quoted": func(tx *gorm.DB) {
				do(tx, `SAVEPOINT "A name"`)
				s.set(t, tx, 77)
				do(tx, `ROLLBACK TO SAVEPOINT "A name"`)
			},
		} {
			t.Run(name, func(t *testing.T) {
				if prepared && name != "gorm" {
					t.Skip("savepoints cannot be prepared: see TestSavepointsAreNotPrepared")
				}
				s.fill(t)
				err := s.db.Transaction(func(tx *gorm.DB) error {
					if err := setPrice(tx, 2, 22); err != nil {
						return err
					}
					undo(tx)
					if got := s.price(t, tx, 1); got != 10 {
						t.Errorf("after the rollback it has %d, want 10", got)
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
				s.expect(t, "after the commit", 10)
				if got := s.read(t, 2); got != 22 {
					t.Errorf("what was not undone is %d, want 22", got)
				}
			})
		}
	})
}

// set changes a row, and sets its value.
func (s *stage) set(t testing.TB, tx *gorm.DB, price int) {
	t.Helper()
	if err := setPrice(tx, 1, price); err != nil {
		t.Error(err)
	}
	s.prices.Set(txgorm.Cache(tx), 1, price)
}

// P2: a caller that has gone does not keep the database from the rollback to a savepoint, of
// which gorm does not look at the error.
func TestNestedTransactionOfACallerThatHasGone(t *testing.T) {
	each(t, func(t *testing.T, s *stage) {
		s.fill(t)
		err := s.db.Transaction(func(tx *gorm.DB) error {
			ctx, cancel := context.WithCancel(t.Context())
			err := tx.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
				s.set(t, tx, 12)
				cancel()
				return ctx.Err()
			})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("the inner transaction answers %v", err)
			}
			return setPrice(tx, 2, 22)
		})
		if err != nil {
			t.Fatal(err)
		}
		s.expect(t, "after the commit", 10)
		if got := s.fromDatabase(t, 1); got != 10 {
			t.Errorf("the database has %d, want 10", got)
		}
	})
}

func (s *stage) fromDatabase(t testing.TB, id int64) int {
	t.Helper()
	var p Product
	if err := s.db.Limit(1).Find(&p, id).Error; err != nil {
		t.Error(err)
	}
	return p.Price
}

// P2: where the database has rolled back to a savepoint that the cache has not heard of, the
// transaction cannot commit.
func TestUnknownSavepoint(t *testing.T) {
	s := newStage(t, kind{dialect: overTranslator, newStore: inMemory})
	s.fill(t)
	err := s.db.Transaction(func(tx *gorm.DB) error {
		if err := tx.Exec(pastTheCache + "SAVEPOINT hidden").Error; err != nil {
			return err
		}
		s.set(t, tx, 12)
		return tx.Exec("ROLLBACK TO hidden").Error
	})
	if err == nil || !strings.Contains(err.Error(), "does not know the savepoint hidden") {
		t.Errorf("the commit answers %v", err)
	}
	s.expect(t, "after that", 10)
}

// P2: where the database has not rolled back to a savepoint, the transaction cannot commit.
func TestFailedRollbackToASavepoint(t *testing.T) {
	s := newStage(t, kind{dialect: overTranslator, newStore: inMemory})
	s.fill(t)
	err := s.db.Transaction(func(tx *gorm.DB) error {
		tx.SavePoint("here")
		s.set(t, tx, 12)
		if err := tx.Exec(pastTheCache + "RELEASE here").Error; err != nil { // the database has it no more
			return err
		}
		tx.RollbackTo("here") // which fails, but the dialect does not say so
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "not rolled back to a savepoint") {
		t.Errorf("the commit answers %v", err)
	}
	s.expect(t, "after that", 10)
	if got := s.fromDatabase(t, 1); got != 10 {
		t.Errorf("the database has %d, want 10", got)
	}
}

// P2: the cache hears of no savepoint that is a prepared statement, so there is none.
func TestSavepointsAreNotPrepared(t *testing.T) {
	s := newStage(t, kind{dialect: overPostgres, newStore: inMemory, config: gorm.Config{PrepareStmt: true}})
	s.fill(t)
	const statement = "SAVEPOINT here"
	if err := s.db.Exec(statement).Error; err == nil { // else it is prepared for transactions too
		t.Error("a savepoint is set in no transaction")
	}
	err := s.db.Transaction(func(tx *gorm.DB) error { return tx.Exec(statement).Error })
	if err == nil || !strings.Contains(err.Error(), "cannot be a prepared statement") {
		t.Errorf("%s answers %v", statement, err)
	}
	// A session that is prepared twice prepares those of gorm as well.
	err = s.db.Session(&gorm.Session{PrepareStmt: true}).Transaction(func(tx *gorm.DB) error {
		tx.Transaction(func(tx *gorm.DB) error {
			s.set(t, tx, 12)
			return errors.New("undone")
		})
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "cannot be a prepared statement") {
		t.Errorf("the transaction around a nested one answers %v", err)
	}
	s.expect(t, "after that", 10)
}

// P2: nor is a savepoint a query.
func TestSavepointsAreNotQueries(t *testing.T) {
	s := newStage(t, kinds[0])
	s.fill(t)
	for name, query := range map[string]func(tx *gorm.DB, statement string){
		"Raw": func(tx *gorm.DB, statement string) { tx.Raw(statement).Scan(&struct{}{}) },
		"Row": func(tx *gorm.DB, statement string) { tx.Raw(statement).Row().Scan(new(int)) },
	} {
		err := s.db.Transaction(func(tx *gorm.DB) error {
			tx.SavePoint("here")
			s.set(t, tx, 12)
			query(tx, "rollback\n\tto here")
			return nil
		})
		if err == nil || !strings.Contains(err.Error(), "a savepoint cannot be a query") {
			t.Errorf("%s: the transaction answers %v", name, err)
		}
		s.expect(t, "after "+name, 10)
	}
}

// P2: a savepoint is found behind comments, and is not one of several statements.
func TestSavepointsInOtherTexts(t *testing.T) {
	s := newStage(t, kind{dialect: overSQLite, newStore: inMemory})
	s.fill(t)
	for statement, refused := range map[string]bool{
		"-- all of it\nROLLBACK TO here":         false,
		"/* all */ rollback /* of it */ to here": false,
		"SELECT 1; ROLLBACK TO here":             true,
		"ROLLBACK TO here; SELECT 1":             true,
		"ROLLBACK TO here; ROLLBACK TO here":     true,
	} {
		err := s.db.Transaction(func(tx *gorm.DB) error {
			tx.SavePoint("here")
			s.set(t, tx, 12)
			if err := tx.Exec(statement).Error; (err != nil) != refused {
				t.Errorf("%s: %v", statement, err)
			}
			return nil
		})
		if said := err != nil && strings.Contains(err.Error(), "a savepoint cannot be one of several statements"); said != refused || !refused && err != nil {
			t.Errorf("%s: the transaction answers %v", statement, err)
		}
		s.expect(t, "after "+statement, 10)
	}
}

// A savepoint that was not set, of which gorm does not hear, is not rolled back either: the
// transaction must not commit what it should have undone.
func TestSavepointThatWasNotSet(t *testing.T) {
	s := newStage(t, kind{dialect: overSQLite, newStore: inMemory})
	s.fill(t)
	err := s.db.Transaction(func(tx *gorm.DB) error {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := tx.WithContext(ctx).Transaction(func(*gorm.DB) error {
			s.set(t, tx, 12)
			return ctx.Err()
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("the inner transaction answers %v", err)
		}
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "not rolled back to a savepoint") {
		t.Errorf("the commit answers %v", err)
	}
	s.expect(t, "after that", 10)
	if got := s.fromDatabase(t, 1); got != 10 {
		t.Errorf("the database has %d, want 10", got)
	}
}
