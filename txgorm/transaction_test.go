package txgorm_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/txgorm"
)

// setPrice changes a row, and the cache with it, without naming the cache.
func setPrice(tx *gorm.DB, id int64, price int) error {
	return tx.Model(&Product{ID: id}).Update("price", price).Error
}

// P1, P3, P11: what a transaction has changed is its own until it commits, and then of all.
func TestTransactionIsOneOfBothSides(t *testing.T) {
	each(t, func(t *testing.T, s *stage) {
		s.fill(t)
		err := s.db.Transaction(func(tx *gorm.DB) error {
			if err := setPrice(tx, 1, 12); err != nil {
				return err
			}
			if got := s.price(t, tx, 1); got != 12 {
				t.Errorf("the transaction has its own price as %d, want 12", got)
			}
			if got := s.price(t, tx, 2); got != 20 {
				t.Errorf("the transaction has another price as %d, want 20", got)
			}
			s.expect(t, "before the commit", 10, 20, 30)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := s.cached(t, 2); !ok {
			t.Error("the other keys have gone with the one that was changed")
		}
		if got := s.read(t, 1); got != 12 {
			t.Errorf("after the commit others read %d, want 12", got)
		}
	})
}

// P2: an error, a panic and a rollback by hand leave no trace.
func TestNoTraceOfARollback(t *testing.T) {
	each(t, func(t *testing.T, s *stage) {
		s.fill(t)
		undone := errors.New("undone")
		change := func(tx *gorm.DB) error {
			if err := setPrice(tx, 1, 12); err != nil {
				return err
			}
			s.prices.Set(txgorm.Cache(tx), 1, 12)
			return undone
		}
		if err := s.db.Transaction(change); err != undone {
			t.Errorf("the error is %v, want that of the function", err)
		}
		s.expect(t, "after an error", 10, 20, 30)
		func() {
			defer func() {
				if p := recover(); p != undone {
					t.Errorf("the panic is %v", p)
				}
			}()
			s.db.Transaction(func(tx *gorm.DB) error { panic(change(tx)) })
		}()
		s.expect(t, "after a panic", 10, 20, 30)
		tx := s.db.Begin()
		if err := change(tx); err != undone {
			t.Error(err)
		}
		if err := tx.Rollback().Error; err != nil {
			t.Error(err)
		}
		s.expect(t, "after a rollback", 10, 20, 30)
		if err := tx.Rollback().Error; !errors.Is(err, sql.ErrTxDone) {
			t.Errorf("the second rollback answers %v, want ErrTxDone", err)
		}
		if err := s.prices.Delete(txgorm.Cache(tx), 1); !errors.Is(err, txcache.ErrTxDone) {
			t.Errorf("a delete after the end answers %v, want ErrTxDone", err)
		}
	})
}

// A statement in no transaction is one: gorm begins it, or the plugin where gorm does not.
func TestAStatementAloneIsATransaction(t *testing.T) {
	each(t, func(t *testing.T, s *stage) {
		for name, db := range map[string]*gorm.DB{
			"plain":    s.db,
			"skipping": s.db.Session(&gorm.Session{SkipDefaultTransaction: true}),
			"prepared": s.db.Session(&gorm.Session{PrepareStmt: true}),
		} {
			if err := setPrice(s.db, 1, 10); err != nil {
				t.Fatal(err)
			}
			s.fill(t)
			for price := 11; price < 13; price++ { // the second uses statements of the first
				if err := setPrice(db, 1, price); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if got := s.read(t, 1); got != price {
					t.Errorf("%s: others read %d, want %d", name, got, price)
				}
			}
			err := db.Create(&Product{ID: 2, SKU: "pot", Price: 99}).Error
			if err == nil {
				t.Fatalf("%s: two products have one ID", name)
			}
			s.expect(t, "after a failed statement", 12, 20, 30)
		}
	})
}

// A read-only transaction that finds all in the cache uses no connection.
func TestHitsHoldNoConnection(t *testing.T) {
	s := newStage(t, kinds[0])
	s.fill(t)
	sqldb, err := s.db.DB()
	if err != nil {
		t.Fatal(err)
	}
	before := sqldb.Stats()
	err = txgorm.View(s.db, func(tx *gorm.DB) error {
		for id := range int64(3) {
			s.price(t, tx, id+1)
		}
		if used := sqldb.Stats().InUse; used != 0 {
			t.Errorf("%d connections are in use", used)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	sqldb.SetMaxOpenConns(1)
	conn, err := sqldb.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got := s.read(t, 2); got != 20 { // it would wait for ever
		t.Errorf("without a connection the price is %d, want 20", got)
	}
	if before.WaitCount != 0 || sqldb.Stats().WaitCount != 0 {
		t.Error("a hit has waited for a connection")
	}
}

// Nothing can be changed in a read-only transaction, and a refused clear fails it.
func TestViewIsReadOnly(t *testing.T) {
	s := newStage(t, kinds[0])
	s.fill(t)
	err := txgorm.View(s.db, func(tx *gorm.DB) error {
		if err := s.prices.Delete(txgorm.Cache(tx), 1); !errors.Is(err, txcache.ErrReadOnly) {
			t.Errorf("a delete answers %v, want ErrReadOnly", err)
		}
		return setPrice(tx, 1, 12)
	})
	if err == nil {
		t.Error("a read-only transaction has changed a row")
	}
	s.expect(t, "after that", 10, 20, 30)
}

// A handle in no transaction has no side of the cache: that every look-up missed would not be
// noticed.
func TestCacheOutsideOfATransaction(t *testing.T) {
	s := newStage(t, kinds[0])
	for name, db := range map[string]*gorm.DB{"root": s.db, "chain": s.db.Model(&Product{}), "zero": {}, "nil": nil} {
		func() {
			defer func() {
				if p := recover(); !strings.Contains(fmt.Sprint(p), "txgorm.Cache needs the handle") {
					t.Errorf("%s: the panic is %v", name, p)
				}
			}()
			txgorm.Cache(db)
		}()
	}
}

// The end of the context rolls both sides back.
func TestEndOfTheContext(t *testing.T) {
	each(t, func(t *testing.T, s *stage) {
		s.fill(t)
		ctx, cancel := context.WithCancel(t.Context())
		err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
			if err := setPrice(tx, 1, 12); err != nil {
				return err
			}
			cancel()
			return nil
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("the commit answers %v, want context.Canceled", err)
		}
		s.expect(t, "after that", 10, 20, 30)
		if got := s.read(t, 1); got != 10 {
			t.Errorf("others read %d, want 10", got)
		}
	})
}

// The error of a statement is the statement's, also if the cache's side has ended with it.
func TestTheErrorOfAStatementStays(t *testing.T) {
	s := newStage(t, kinds[0])
	gone := func(tx *gorm.DB, cancel func()) { // the caller has, and the cache knows
		cancel()
		for s.prices.Delete(txgorm.Cache(tx), 2) == nil {
			time.Sleep(time.Millisecond)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	err := s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		gone(tx, cancel)
		return setPrice(tx, 1, 12)
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a statement in a transaction answers %v, want that its context has ended", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	alone := s.db.Session(&gorm.Session{Context: ctx, SkipDefaultTransaction: true})
	err = alone.Model(&hooked{ID: 1, ask: func(tx *gorm.DB) { gone(tx, cancel) }}).Update("price", 12).Error
	if err != errEnough {
		t.Errorf("a statement alone answers %v, want the error of its hook", err)
	}
}
