package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/seed-dad15c92/txcache"
)

// A querier is a transaction, or a database for a single statement.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// each calls scan for each row of a query.
func each(ctx context.Context, q querier, query string, args []any, scan func(*sql.Rows) error) error {
	rows, err := q.QueryContext(ctx, query, args...)
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

func selectProduct(ctx context.Context, q querier, id int64) (product, error) {
	p := product{ID: id}
	err := q.QueryRowContext(ctx, "SELECT category, name, material FROM product WHERE id = $1", id).Scan(&p.Category, &p.Name, &p.Material)
	if errors.Is(err, sql.ErrNoRows) {
		return p, fmt.Errorf("product %d: %w", id, txcache.ErrAbsent)
	}
	return p, err
}

func selectProducts(ctx context.Context, q querier, ids []int64) (map[int64]product, error) {
	found := make(map[int64]product, len(ids))
	list, args := in(nil, ids)
	err := each(ctx, q, "SELECT id, category, name, material FROM product WHERE id IN "+list, args, func(rows *sql.Rows) error {
		var p product
		err := rows.Scan(&p.ID, &p.Category, &p.Name, &p.Material)
		found[p.ID] = p
		return err
	})
	return found, err
}

// selectPrices returns the price of each key, or else that of retail.
func selectPrices(ctx context.Context, q querier, keys []priceKey) (map[priceKey]int64, error) {
	products := make([]int64, len(keys))
	for i, key := range keys {
		products[i] = key.Product
	}
	stored := map[priceKey]int64{}
	list, args := in(nil, products)
	err := each(ctx, q, "SELECT product, customer_group, cents FROM price WHERE product IN "+list, args, func(rows *sql.Rows) error {
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

func selectTerms(ctx context.Context, q querier, language string, terms []string) (map[string]string, error) {
	found := make(map[string]string, len(terms))
	list, args := in([]any{language}, terms)
	err := each(ctx, q, "SELECT term, text FROM translation WHERE language = $1 AND term IN "+list, args, func(rows *sql.Rows) error {
		var term, text string
		err := rows.Scan(&term, &text)
		found[term] = text
		return err
	})
	return found, err
}

func selectSettings(ctx context.Context, q querier) (map[string]string, error) {
	settings := map[string]string{}
	err := each(ctx, q, "SELECT name, value FROM setting", nil, func(rows *sql.Rows) error {
		var name, value string
		err := rows.Scan(&name, &value)
		settings[name] = value
		return err
	})
	return settings, err
}

func selectTree(ctx context.Context, q querier) ([]category, error) {
	products := map[int64][]int64{}
	err := each(ctx, q, "SELECT category, id FROM product ORDER BY id", nil, func(rows *sql.Rows) error {
		var in, id int64
		err := rows.Scan(&in, &id)
		products[in] = append(products[in], id)
		return err
	})
	if err != nil {
		return nil, err
	}
	below := map[int64][]category{} // 0: the roots
	err = each(ctx, q, "SELECT id, coalesce(parent, 0), name FROM category ORDER BY name", nil, func(rows *sql.Rows) error {
		var c category
		var parent int64
		err := rows.Scan(&c.ID, &parent, &c.Name)
		c.Products = products[c.ID]
		below[parent] = append(below[parent], c)
		return err
	})
	var build func(parent int64) []category
	build = func(parent int64) []category {
		for i := range below[parent] {
			below[parent][i].Children = build(below[parent][i].ID)
		}
		return below[parent]
	}
	return build(0), err
}

// selectMatches returns the products whose name or material has the text.
func selectMatches(ctx context.Context, q querier, text string) ([]int64, error) {
	var ids []int64
	err := each(ctx, q, "SELECT id FROM product WHERE lower(material || ' ' || name) LIKE '%' || $1 || '%' ORDER BY id", []any{text}, func(rows *sql.Rows) error {
		var id int64
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	})
	return ids, err
}
