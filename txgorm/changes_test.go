package txgorm_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/callbacks"
	"gorm.io/gorm/clause"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/txgorm"
)

// changes are ways to change products, and the keys that are left in the cache.
var changes = []struct {
	name string
	do   func(tx *gorm.DB) error
	left []int64 // of 1, 2 and 3
}{
	{"Create", func(tx *gorm.DB) error { return tx.Create(&Product{SKU: "cup", Price: 40}).Error }, []int64{1, 2, 3}},
	{"Create with a key", func(tx *gorm.DB) error { return tx.Create(&Product{ID: 4, SKU: "cup", Price: 40}).Error }, []int64{1, 2, 3}},
	{"Create of several", func(tx *gorm.DB) error {
		return tx.CreateInBatches([]*Product{{ID: 4, SKU: "cup"}, {ID: 5, SKU: "mug"}, {ID: 6, SKU: "jug"}}, 2).Error
	}, []int64{1, 2, 3}},
	{"Create without the key of the model", func(tx *gorm.DB) error {
		return tx.Omit("ID").Clauses(clause.Returning{Columns: []clause.Column{{Name: "sku"}}}).Create(&Product{ID: 7, SKU: "cup"}).Error
	}, nil},
	{"Create of a map", func(tx *gorm.DB) error {
		return tx.Model(&Product{}).Create(map[string]any{"ID": 4, "SKU": "cup", "Price": 40}).Error
	}, nil},
	{"Create or update", func(tx *gorm.DB) error {
		return tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "sku"}}, DoUpdates: clause.AssignmentColumns([]string{"price"})}).
			Create(&Product{ID: 9, SKU: "pen", Price: 13}).Error
	}, nil},
	{"Save", func(tx *gorm.DB) error { return tx.Save(&Product{ID: 1, SKU: "pen", Price: 13}).Error }, []int64{2, 3}},
	{"Save of a new one", func(tx *gorm.DB) error { return tx.Save(&Product{ID: 4, SKU: "cup", Price: 13}).Error }, nil},
	{"Update", func(tx *gorm.DB) error { return setPrice(tx, 1, 13) }, []int64{2, 3}},
	{"Update of several", func(tx *gorm.DB) error {
		return tx.Model([]Product{{ID: 1}, {ID: 3}}).Update("price", 13).Error
	}, []int64{2}},
	{"Updates by a model", func(tx *gorm.DB) error {
		return tx.Model(&Product{ID: 1}).Updates(Product{Price: 13}).Error
	}, []int64{2, 3}},
	{"Updates of and by values", func(tx *gorm.DB) error {
		return tx.Model(Product{ID: 1}).Updates(Product{Price: 13}).Error
	}, []int64{2, 3}},
	{"Updates by a value, where text says", func(tx *gorm.DB) error {
		return tx.Model(Product{}).Where("price < ?", 15).Updates(Product{Price: 13}).Error
	}, nil},
	{"Updates by a value alone", func(tx *gorm.DB) error { return tx.Updates(Product{ID: 1, Price: 13}).Error }, nil},
	{"Updates by a map", func(tx *gorm.DB) error {
		return tx.Model(&Product{ID: 1}).Updates(map[string]any{"price": gorm.Expr("price + ?", 3)}).Error
	}, []int64{2, 3}},
	{"UpdateColumn", func(tx *gorm.DB) error { return tx.Model(&Product{ID: 1}).UpdateColumn("price", 13).Error }, []int64{2, 3}},
	{"Update of the key", func(tx *gorm.DB) error { return tx.Model(&Product{ID: 1}).Update("id", 4).Error }, nil},
	{"Update of the key by a model", func(tx *gorm.DB) error {
		return tx.Model(&Product{ID: 1}).Updates(&Product{ID: 4, Price: 13}).Error
	}, nil},
	{"Update where the model says", func(tx *gorm.DB) error {
		return tx.Model(&Product{}).Where(&Product{ID: 1, Price: 10}).Update("price", 13).Error
	}, []int64{2, 3}},
	{"Update where text says", func(tx *gorm.DB) error {
		return tx.Model(&Product{}).Where("price < ?", 15).Update("price", 13).Error
	}, nil},
	{"Update where text says more", func(tx *gorm.DB) error {
		return tx.Model(&Product{ID: 1}).Where("price = 20\nOR\nprice = 10").Update("price", 13).Error
	}, nil},
	{"Update where one or the other", func(tx *gorm.DB) error {
		return tx.Model(&Product{}).Where(&Product{ID: 1}).Or(&Product{ID: 2}).Update("price", 13).Error
	}, nil},
	{"Update where not", func(tx *gorm.DB) error {
		return tx.Model(&Product{}).Not(&Product{ID: 1}).Update("price", 13).Error
	}, nil},
	{"Update of all", func(tx *gorm.DB) error {
		return tx.Session(&gorm.Session{AllowGlobalUpdate: true}).Model(&Product{}).Update("price", 13).Error
	}, nil},
	{"Update by an alias", func(tx *gorm.DB) error {
		return tx.Table("products AS p").Where("p.id = ?", 1).Update("price", 13).Error
	}, nil},
	{"Update of a table", func(tx *gorm.DB) error {
		return tx.Table("products").Where("id = ?", 1).Update("price", 13).Error
	}, nil},
	{"Update of a table that is a variable", func(tx *gorm.DB) error {
		return tx.Table("?", clause.Table{Name: "products"}).Where("id = ?", 1).Update("price", 13).Error
	}, nil},
	{"Update of a table that cannot be told", func(tx *gorm.DB) error {
		return tx.Table("?", clause.Column{Name: "products"}).Where("id = ?", 1).Update("price", 13).Error
	}, nil},
	{"Delete from a table by the name of another", func(tx *gorm.DB) error {
		return tx.Table("products AS categories").Delete(&Category{ID: 1}).Error
	}, nil},
	{"Update of a table that a clause names", func(tx *gorm.DB) error {
		return tx.Model(&Category{ID: 1}).Clauses(clause.Update{Table: clause.Table{Name: "products"}}).Update("price", 13).Error
	}, nil},
	{"Delete", func(tx *gorm.DB) error { return tx.Delete(&Product{ID: 1}).Error }, []int64{2, 3}},
	{"Delete by key", func(tx *gorm.DB) error { return tx.Delete(&Product{}, 1).Error }, []int64{2, 3}},
	{"Delete by keys", func(tx *gorm.DB) error { return tx.Delete(&Product{}, []int{1, 2}).Error }, []int64{3}},
	{"Delete where", func(tx *gorm.DB) error { return tx.Where("price < 15").Delete(&Product{}).Error }, nil},
	{"FirstOrCreate", func(tx *gorm.DB) error {
		return tx.Where(Product{SKU: "cup"}).Attrs(Product{Price: 13}).FirstOrCreate(&Product{}).Error
	}, []int64{1, 2, 3}},
	{"Exec, named", func(tx *gorm.DB) error {
		if err := tx.Exec("UPDATE products SET price = 13 WHERE id = 1").Error; err != nil {
			return err
		}
		return txgorm.Cache(tx).ChangedRows("products", 1)
	}, []int64{2, 3}},
	{"with generics", func(tx *gorm.DB) error {
		_, err := gorm.G[Product](tx).Where(&Product{ID: 1}).Update(context.Background(), "price", 13)
		return err
	}, []int64{2, 3}},
	{"by what it belongs to", func(tx *gorm.DB) error {
		return tx.Create(&Product{ID: 4, SKU: "cup", Category: &Category{ID: 1, Name: "new"}}).Error
	}, []int64{1, 2, 3}},
	{"in vain", func(tx *gorm.DB) error {
		var undone = errors.New("undone")
		if err := tx.Transaction(func(tx *gorm.DB) error {
			return errors.Join(tx.Where("price < 15").Delete(&Product{}).Error, undone)
		}); !errors.Is(err, undone) {
			return err
		}
		return nil
	}, []int64{1, 2, 3}},
	{"not at all", func(tx *gorm.DB) error {
		tx.ToSQL(func(tx *gorm.DB) *gorm.DB { return tx.Where("price < 15").Delete(&Product{}) })
		return nil
	}, []int64{1, 2, 3}},
}

// A qualified product is one whose model names the schema of its table.
type qualified struct {
	ID    int64
	Price int
}

func (qualified) TableName() string { return "public.products" }

// P11: the name of a schema makes no difference to what is deleted.
func TestModelsOfASchema(t *testing.T) {
	s := newStage(t, kinds[0])
	for name, change := range map[string]func(tx *gorm.DB) error{
		"update": func(tx *gorm.DB) error { return tx.Model(&qualified{ID: 1}).Update("price", 13).Error },
		"delete": func(tx *gorm.DB) error { return tx.Delete(&qualified{ID: 1}).Error },
		"create": func(tx *gorm.DB) error {
			return errors.Join(tx.Delete(&qualified{ID: 1}).Error, tx.Create(&qualified{ID: 1, Price: 13}).Error)
		},
		"another schema": func(tx *gorm.DB) error {
			return tx.Table("elsewhere.products").Model(&qualified{ID: 1}).Update("price", 13).Error
		},
	} {
		s.fill(t)
		err := s.db.Transaction(func(tx *gorm.DB) error {
			if name == "another schema" {
				if err := tx.Exec("CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.products AS SELECT * FROM products").Error; err != nil {
					return err
				}
			}
			if err := change(tx); err != nil {
				return err
			}
			for id, want := range map[int64]bool{1: false, 2: name != "another schema"} {
				if _, ok := s.prices.Get(t.Context(), txgorm.Cache(tx), id); ok != want {
					t.Errorf("%s: whether %d is left is %t, want %t", name, id, ok, want)
				}
			}
			s.compare(t, tx)
			return errEnough
		})
		if err != errEnough {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Statements that take the place of other rows than they name.
func TestRowsThatAreReplaced(t *testing.T) {
	for name, replace := range map[string]func(tx *gorm.DB) error{
		"INSERT": func(tx *gorm.DB) error {
			return tx.Clauses(clause.Insert{Modifier: "OR REPLACE"}).Create(&Product{ID: 9, SKU: "pen", Price: 90}).Error
		},
		"UPDATE": func(tx *gorm.DB) error {
			return tx.Clauses(clause.Update{Modifier: "OR REPLACE"}).Model(&Product{ID: 2}).Update("sku", "pen").Error
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, kind{dialect: overSQLite, newStore: inMemory})
			s.fill(t)
			if err := replace(s.db); err != nil {
				t.Fatal(err)
			}
			s.compare(t, nil)
		})
	}
}

// A Coupon has a key that the database compares without case.
type Coupon struct {
	Code   string `gorm:"primaryKey"`
	Amount int
}

// P3: texts that the database takes for equal are one key, whatever they are in Go: all rows of a table
// with such keys are taken for changed.
func TestKeysThatAreTexts(t *testing.T) {
	s := newStage(t, kind{dialect: overSQLite, newStore: inMemory})
	coupons := txcache.Must(txcache.NewCache[string, int](s.store, "coupons", &txcache.CacheOptions{RowsOf: []string{"coupons"}}))
	if err := s.db.Exec("CREATE TABLE coupons (code text COLLATE NOCASE PRIMARY KEY, amount integer)").Error; err != nil {
		t.Fatal(err)
	}
	if err := s.db.Create(&Coupon{"may", 10}).Error; err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		change func(tx *gorm.DB) error
		want   int
	}{
		{func(*gorm.DB) error { return nil }, 10},
		{func(tx *gorm.DB) error { return tx.Model(&Coupon{Code: "MAY"}).Update("amount", 12).Error }, 12},
		{func(tx *gorm.DB) error { return tx.Delete(&Coupon{Code: "May"}).Error }, 0},
	} {
		if err := s.db.Transaction(step.change); err != nil {
			t.Fatal(err)
		}
		err := txgorm.View(s.db, func(tx *gorm.DB) error {
			got, err := coupons.Load(t.Context(), txgorm.Cache(tx), "may", func(context.Context) (int, error) {
				var c Coupon
				err := tx.Limit(1).Find(&c, "code = ?", "may").Error
				return c.Amount, err
			})
			if got != step.want {
				t.Errorf("the cache has %d, want %d", got, step.want)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Where the database tells the key of one row alone, gorm counts on from there, and may be wrong.
func TestKeysThatAreGuessed(t *testing.T) {
	s := newStage(t, kind{dialect: overSQLite, newStore: inMemory})
	noReturning := []string{"INSERT", "VALUES", "ON CONFLICT"}
	s.db.Callback().Create().Clauses = noReturning
	if err := s.db.Callback().Create().Replace("gorm:create", callbacks.Create(&callbacks.Config{CreateClauses: noReturning})); err != nil {
		t.Fatal(err)
	}
	s.compare(t, nil) // 4 and 5 are absent, which is cached
	products := []Product{{SKU: "cup", Price: 40}, {SKU: "mug", Price: 50}}
	if err := s.db.Create(products).Error; err != nil {
		t.Fatal(err)
	}
	if products[0].ID == 4 {
		t.Fatal("gorm has not guessed")
	}
	s.compare(t, nil)
	s.compare(t, nil)
}

var errEnough = errors.New("enough")

// P11: each way to change rows takes away what shows them, by key where the keys are known.
func TestChangesAreDeletesOfTheirKeys(t *testing.T) {
	each(t, func(t *testing.T, s *stage) {
		for _, c := range changes {
			t.Run(c.name, func(t *testing.T) {
				s.fill(t)
				for id := int64(4); id < 10; id++ {
					s.read(t, id) // there is none, which is cached
				}
				err := s.db.Transaction(func(tx *gorm.DB) error {
					if err := c.do(tx); err != nil {
						return err
					}
					var left []int64
					for id := range int64(3) {
						if _, ok := s.prices.Get(t.Context(), txgorm.Cache(tx), id+1); ok {
							left = append(left, id+1)
						}
					}
					if fmt.Sprint(left) != fmt.Sprint(c.left) {
						t.Errorf("what is left is %d, want %d", left, c.left)
					}
					s.compare(t, tx)
					return errEnough
				})
				if err != errEnough {
					t.Fatal(err)
				}
				s.compare(t, nil)
			})
		}
		for _, c := range changes { // in no transaction
			if c.name == "Exec, named" { // it is in one
				continue
			}
			err := s.db.Transaction(func(tx *gorm.DB) error { s.restock(t, tx); return nil })
			if err != nil {
				t.Fatal(err)
			}
			s.fill(t)
			if err := c.do(s.db.Session(&gorm.Session{})); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			s.compare(t, nil)
		}
	})
}

// restock makes the products those of the start.
func (s *stage) restock(t *testing.T, tx *gorm.DB) {
	t.Helper()
	rows := []Product{{ID: 1, SKU: "pen", Price: 10}, {ID: 2, SKU: "ink", Price: 20}, {ID: 3, SKU: "pad", Price: 30}}
	if err := errors.Join(tx.Where("true").Delete(&Product{}).Error, tx.Create(rows).Error); err != nil {
		t.Fatal(err)
	}
}

// compare fails the test if a transaction reads what is not in the database. Nil is one of its own.
func (s *stage) compare(t *testing.T, tx *gorm.DB) {
	t.Helper()
	if tx == nil {
		if err := txgorm.View(s.db, func(tx *gorm.DB) error { s.compare(t, tx); return nil }); err != nil {
			t.Fatal(err)
		}
		return
	}
	for id := range int64(9) {
		id++
		var p Product
		if err := tx.Limit(1).Find(&p, id).Error; err != nil {
			t.Fatal(err)
		}
		if got := s.price(t, tx, id); got != p.Price {
			t.Errorf("the cache has %d under %d, the database %d", got, id, p.Price)
		}
	}
	for _, sku := range []string{"pen", "ink", "pad", "cup"} {
		load := func(ctx context.Context) (int, error) {
			var p Product
			err := tx.WithContext(ctx).Limit(1).Find(&p, "sku = ?", sku).Error
			return p.Price, err
		}
		want, err := load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.bySKU.Load(t.Context(), txgorm.Cache(tx), sku, load); got != want || err != nil {
			t.Errorf("the cache has %d, %v under %s, the database %d", got, err, sku, want)
		}
	}
}
