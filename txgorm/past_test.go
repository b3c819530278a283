package txgorm_test

import (
	"database/sql/driver"
	"fmt"
	"testing"

	"gorm.io/gorm"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/txgorm"
)

// pastTheCallbacks are changes of product 1 that gorm tells nobody of.
var pastTheCallbacks = map[string]func(tx *gorm.DB) error{
	"Exec": func(tx *gorm.DB) error { return tx.Exec("UPDATE products SET price = 13 WHERE id = 1").Error },
	"Raw": func(tx *gorm.DB) error {
		return tx.Raw("UPDATE products SET price = 13 WHERE id = 1 RETURNING price").Scan(new(int)).Error
	},
	"Rows": func(tx *gorm.DB) error {
		rows, err := tx.Raw("UPDATE products SET price = 13 WHERE id = 1 RETURNING price").Rows()
		if err != nil {
			return err
		}
		return rows.Close()
	},
	"a trigger": func(tx *gorm.DB) error { return tx.Model(&Category{ID: 1}).Update("name", "new").Error },
	"a row that is deleted along with another": func(tx *gorm.DB) error { return tx.Delete(&Category{ID: 1}).Error },
}

// The cache keeps what such a change has made old, until the transaction names the table.
func TestChangesThatRunPastTheCallbacks(t *testing.T) {
	s := newStage(t, kinds[0])
	for _, statement := range []string{
		"ALTER TABLE products DROP CONSTRAINT fk_products_category, ADD FOREIGN KEY (category_id) REFERENCES categories ON DELETE CASCADE",
		"CREATE FUNCTION reprice() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE products SET price = 13 WHERE category_id = NEW.id; RETURN NULL; END $$",
		"CREATE TRIGGER reprice AFTER UPDATE ON categories FOR EACH ROW EXECUTE FUNCTION reprice()",
	} {
		if err := s.db.Exec(statement).Error; err != nil {
			t.Fatal(err)
		}
	}
	for name, change := range pastTheCallbacks {
		for _, named := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, named %t", name, named), func(t *testing.T) {
				err := s.db.Transaction(func(tx *gorm.DB) error {
					s.restock(t, tx)
					if err := tx.Save(&Category{ID: 1, Name: "old"}).Error; err != nil {
						return err
					}
					return tx.Model(&Product{ID: 1}).Updates(map[string]any{"category_id": 1, "price": 10}).Error
				})
				if err != nil {
					t.Fatal(err)
				}
				s.fill(t)
				err = s.db.Transaction(func(tx *gorm.DB) error {
					if err := change(tx); err != nil || !named {
						return err
					}
					return txgorm.Cache(tx).Changed("products")
				})
				if err != nil {
					t.Fatal(err)
				}
				if got := s.fromDatabase(t, 1); got == 10 {
					t.Fatal("nothing has changed")
				}
				if got := s.read(t, 1); (got == 10) == named {
					t.Errorf("others read %d", got)
				}
			})
		}
	}
	s.restock(t, s.db)
	s.fill(t)
	if err := s.db.Exec("UPDATE products SET price = 13 WHERE id = 1").Error; err != nil {
		t.Fatal(err)
	}
	s.expect(t, "after Exec in no transaction", 10)
}

// A UUID is an array, as those of the usual packages are.
type UUID [16]byte

func (u UUID) Value() (driver.Value, error) { return u[:], nil }

func (u *UUID) Scan(v any) error {
	copy(u[:], v.([]byte))
	return nil
}

type Order struct {
	ID    UUID
	Total int
}

// P11: a key that is an array takes away its own value alone.
func TestKeysThatAreArrays(t *testing.T) {
	s := newStage(t, kind{dialect: overSQLite, newStore: inMemory})
	totals := txcache.Must(txcache.NewCache[UUID, int](s.store, "totals", &txcache.CacheOptions{RowsOf: []string{"orders"}}))
	if err := s.db.AutoMigrate(&Order{}); err != nil {
		t.Fatal(err)
	}
	a, b := UUID{1}, UUID{2}
	if err := s.db.Create([]Order{{a, 10}, {b, 20}}).Error; err != nil {
		t.Fatal(err)
	}
	err := s.db.Transaction(func(tx *gorm.DB) error {
		totals.Set(txgorm.Cache(tx), a, 10)
		totals.Set(txgorm.Cache(tx), b, 20)
		if err := tx.Model(&Order{ID: a}).Update("total", 11).Error; err != nil {
			return err
		}
		if _, ok := totals.Get(t.Context(), txgorm.Cache(tx), a); ok {
			t.Error("the total of the order that was changed is left")
		}
		if _, ok := totals.Get(t.Context(), txgorm.Cache(tx), b); !ok {
			t.Error("the total of another order is gone")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
