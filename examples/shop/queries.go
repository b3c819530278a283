package main

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/seed-dad15c92/txcache"
)

// each calls scan for each row of a query.
func (v *visit) each(ctx context.Context, query string, args []any, scan func(*sql.Rows) error) error {
	rows, err := v.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// updateOne runs a statement that updates one row. Its error is txcache.ErrAbsent if there is none.
func (v *visit) updateOne(ctx context.Context, statement string, args ...any) error {
	done, err := v.ExecContext(ctx, statement, args...)
	if err != nil {
		return err
	}
	n, err := done.RowsAffected()
	if err == nil && n == 0 {
		err = txcache.ErrAbsent
	}
	return err
}

// in returns the list of an IN for values, with placeholders that go on after
// those of args, and args with the values added.
func in[T any](args []any, values []T) (string, []any) {
	places := make([]string, len(values))
	for i, v := range values {
		args = append(args, v)
		places[i] = fmt.Sprintf("$%d", len(args))
	}
	return "(" + strings.Join(places, ", ") + ")", args
}

func (v *visit) selectProducts(ctx context.Context, ids []int64) (map[int64]product, error) {
	found := make(map[int64]product, len(ids))
	list, args := in(nil, ids)
	err := v.each(ctx, "SELECT id, category, name, material FROM product WHERE id IN "+list, args, func(rows *sql.Rows) error {
		var p product
		err := rows.Scan(&p.ID, &p.Category, &p.Name, &p.Material)
		found[p.ID] = p
		return err
	})
	return found, err
}

// selectPrices returns the price of each key, or else that of retail.
func (v *visit) selectPrices(ctx context.Context, keys []priceKey) (map[priceKey]int64, error) {
	products := make([]int64, len(keys))
	for i, key := range keys {
		products[i] = key.Product
	}
	stored := map[priceKey]int64{}
	list, args := in(nil, products)
	err := v.each(ctx, "SELECT product, customer_group, cents FROM price WHERE product IN "+list, args, func(rows *sql.Rows) error {
		var key priceKey
		var cents int64
		err := rows.Scan(&key.Product, &key.Group, &cents)
		stored[key] = cents
		return err
	})
	found := make(map[priceKey]int64, len(keys))
	for _, key := range keys {
		if cents, ok := stored[key]; ok {
			found[key] = cents
		} else if cents, ok := stored[priceKey{key.Product, retail}]; ok {
			found[key] = cents
		}
	}
	return found, err
}

func (v *visit) selectTerms(ctx context.Context, terms []string) (map[string]string, error) {
	list, args := in([]any{v.language}, terms)
	return v.selectTexts(ctx, "SELECT term, text FROM translation WHERE language = $1 AND term IN "+list, args)
}

func (v *visit) selectSettings(ctx context.Context) (map[string]string, error) {
	return v.selectTexts(ctx, "SELECT name, value FROM setting", nil)
}

func (v *visit) selectTexts(ctx context.Context, query string, args []any) (map[string]string, error) {
	texts := map[string]string{}
	err := v.each(ctx, query, args, func(rows *sql.Rows) error {
		var name, text string
		err := rows.Scan(&name, &text)
		texts[name] = text
		return err
	})
	return texts, err
}

func (v *visit) selectCategories(ctx context.Context) ([]category, error) {
	var all []category
	err := v.each(ctx, `SELECT c.id, coalesce(c.parent, 0), c.name, p.id FROM category c
		LEFT JOIN product p ON p.category = c.id ORDER BY c.id, p.id`, nil, func(rows *sql.Rows) error {
		var c category
		var product sql.NullInt64
		err := rows.Scan(&c.ID, &c.Parent, &c.Name, &product)
		if len(all) == 0 || all[len(all)-1].ID != c.ID {
			all = append(all, c)
		}
		if last := &all[len(all)-1]; product.Valid {
			last.Products = append(last.Products, product.Int64)
		}
		return err
	})
	return all, err
}

// selectMatches returns the products whose name or material has the text.
func (v *visit) selectMatches(ctx context.Context, text string) (ids []int64, err error) {
	err = v.each(ctx, "SELECT id FROM product WHERE lower(material || ' ' || name) LIKE '%' || $1 || '%' ORDER BY id", []any{text}, func(rows *sql.Rows) error {
		var id int64
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	})
	return ids, err
}
