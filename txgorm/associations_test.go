package txgorm_test

import (
	"context"
	"errors"
	"testing"

	"gorm.io/gorm"

	"github.com/seed-dad15c92/txcache/txgorm"
)

// What gorm changes for associations clears caches as well, and so does a soft delete.
func TestAssociations(t *testing.T) {
	each(t, func(t *testing.T, s *stage) {
		tags := []Tag{{ID: 1, Name: "new"}, {ID: 2, Name: "old"}}
		if err := s.db.Create(tags).Error; err != nil {
			t.Fatal(err)
		}
		product := &Product{ID: 1}
		tagged := func() (n int64) {
			t.Helper()
			err := txgorm.View(s.db, func(tx *gorm.DB) (err error) {
				n, err = s.tagged.Load(t.Context(), txgorm.Cache(tx), 1, func(ctx context.Context) (int64, error) {
					a := tx.WithContext(ctx).Model(product).Association("Tags")
					return a.Count(), a.Error
				})
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		for i, step := range []struct {
			do   func() error
			want int64
		}{
			{func() error { return nil }, 0},
			{func() error { return s.db.Model(product).Association("Tags").Append(&tags[0]) }, 1},
			{func() error { return s.db.Model(product).Association("Tags").Append(&tags[1]) }, 2},
			{func() error { return s.db.Model(product).Association("Tags").Delete(&tags[0]) }, 1},
			{func() error { return s.db.Model(product).Association("Tags").Replace(tags) }, 2},
			{func() error { return s.db.Delete(&tags[1]).Error }, 1},
			{func() error { return s.db.Model(product).Association("Tags").Clear() }, 0},
		} {
			if err := step.do(); err != nil {
				t.Fatal(err)
			}
			if got := tagged(); got != step.want {
				t.Errorf("after step %d the product has %d tags, want %d", i, got, step.want)
			}
		}
		name := func(id int64) (name string) {
			t.Helper()
			err := txgorm.View(s.db, func(tx *gorm.DB) (err error) {
				name, err = s.tags.Load(t.Context(), txgorm.Cache(tx), id, func(ctx context.Context) (string, error) {
					var tag Tag
					err := tx.WithContext(ctx).Limit(1).Find(&tag, id).Error
					return tag.Name, err
				})
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return name
		}
		if got := name(1) + name(2); got != "new" { // 2 was deleted
			t.Errorf("the tags are %q, want one alone", got)
		}
		if err := s.db.Delete(&Tag{}, 1).Error; err != nil {
			t.Fatal(err)
		}
		if got := name(1); got != "" {
			t.Errorf("a tag that was deleted is %q", got)
		}
	})
}

// A hooked product asks the cache after it was changed.
type hooked struct {
	ID    int64
	Price int
	ask   func(tx *gorm.DB) `gorm:"-"`
}

func (hooked) TableName() string { return "products" }

func (h *hooked) AfterUpdate(tx *gorm.DB) error {
	h.ask(tx)
	return errEnough
}

// Hooks run in the transaction of their statement, whose change they see in the cache. If one
// fails, the rows have changed all the same.
func TestHooksOfModels(t *testing.T) {
	each(t, func(t *testing.T, s *stage) {
		s.fill(t)
		asked := 0
		h := &hooked{ID: 1, ask: func(tx *gorm.DB) {
			asked++
			if got := s.price(t, tx, 1); got != 12 {
				t.Errorf("the hook reads %d, want 12", got)
			}
		}}
		if err := s.db.Model(h).Update("price", 12).Error; !errors.Is(err, errEnough) {
			t.Errorf("the statement answers %v, want the error of the hook", err)
		}
		s.expect(t, "after the rollback", 10, 20, 30)
		err := s.db.Transaction(func(tx *gorm.DB) error {
			if err := tx.Model(h).Update("price", 12).Error; !errors.Is(err, errEnough) {
				t.Errorf("the statement answers %v, want the error of the hook", err)
			}
			return nil // the row stays as it is
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := s.read(t, 1); got != 12 || asked != 2 {
			t.Errorf("others read %d after %d hooks, want 12 after 2", got, asked)
		}
	})
}
