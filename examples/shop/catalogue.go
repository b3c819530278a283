package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/sqltx"
)

// retail is the customer group of everybody who is in no other.
const retail = "retail"

var groups = []string{retail, "business"}

// errRefused is wrapped by errors that tell the caller what is wrong with a change.
var errRefused = errors.New("refused")

// A visit is what one request does: a transaction, of the database and of the
// cache, and the user of the request. What it reads it takes from the caches, and loads by the same
// transaction what they do not have. What it changes it deletes from the caches, and
// clears a cache that has one value of all rows.
type visit struct {
	*sqltx.Tx
	*caches
	language, group string
}

// An item is a product as a visitor sees it.
type item struct {
	ID       int64  `json:"id"`
	Name     string `json:"name"`
	Material string `json:"material"`
	Cents    int64  `json:"cents"`
	Currency string `json:"currency"`
}

// items returns those of the products that there are, in their order: one look-up
// in each cache for all of them.
func (v *visit) items(ctx context.Context, ids []int64) ([]item, error) {
	found, err := v.products.LoadMany(ctx, v.Cache, ids, v.selectProducts)
	if err != nil {
		return nil, err
	}
	ids = slices.DeleteFunc(slices.Clone(ids), func(id int64) bool { return found[id].ID == 0 })
	keys := make([]priceKey, len(ids))
	terms := make([]string, 0, 2*len(ids))
	for i, id := range ids {
		keys[i] = priceKey{id, v.group}
		terms = append(terms, found[id].Name, found[id].Material)
	}
	prices, err := v.prices.LoadMany(ctx, v.Cache, keys, v.selectPrices)
	if err != nil {
		return nil, err
	}
	words, err := v.translate(ctx, terms)
	if err != nil {
		return nil, err
	}
	settings, err := v.allSettings(ctx)
	items := make([]item, len(ids))
	for i, id := range ids {
		p := found[id]
		items[i] = item{id, words[p.Name], words[p.Material], prices[keys[i]], settings["currency"]}
	}
	return items, err
}

// item returns a product, or txcache.ErrAbsent.
func (v *visit) item(ctx context.Context, id int64) (any, error) {
	items, err := v.items(ctx, []int64{id})
	if err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return nil, fmt.Errorf("product %d: %w", id, txcache.ErrAbsent)
	}
	return items[0], nil
}

// translate returns the terms in the visitor's language, or as they are.
func (v *visit) translate(ctx context.Context, terms []string) (map[string]string, error) {
	found, err := v.terms.LoadMany(ctx, v.Cache, terms, v.selectTerms)
	words := make(map[string]string, len(terms))
	for _, term := range terms {
		words[term] = term
	}
	maps.Copy(words, found)
	return words, err
}

// allSettings returns the settings. They must not be changed.
func (v *visit) allSettings(ctx context.Context) (map[string]string, error) {
	return v.settings.Load(ctx, v.Cache, whole{}, v.selectSettings)
}

// matches returns what a search finds. What it finds may be some seconds old; what
// it says of it is not.
func (v *visit) matches(ctx context.Context, text string) ([]item, error) {
	text = strings.ToLower(strings.TrimSpace(text))
	if err := checkText(text); err != nil {
		return nil, err
	}
	ids, err := v.search.Load(ctx, v.Cache, text, func(ctx context.Context) ([]int64, error) {
		return v.selectMatches(ctx, text)
	})
	if err != nil {
		return nil, err
	}
	return v.items(ctx, ids)
}

// within returns the ids of the products of a category and of all below it, or, for
// 0, of all categories.
func (v *visit) within(ctx context.Context, id int64) (ids []int64, err error) {
	all, err := v.categories.Load(ctx, v.Cache, whole{}, v.selectCategories)
	if err != nil {
		return nil, err
	}
	inside := map[int64]bool{id: true}
	known := id == 0
	for _, c := range all { // a parent comes before its children
		known = known || c.ID == id
		if inside[c.ID] || inside[c.Parent] {
			inside[c.ID] = true
			ids = append(ids, c.Products...)
		}
	}
	if !known {
		return nil, fmt.Errorf("category %d: %w", id, txcache.ErrAbsent)
	}
	return ids, nil
}

// A section is a category as a visitor sees it.
type section struct {
	ID     int64  `json:"id"`
	Parent int64  `json:"parent,omitempty"`
	Name   string `json:"name"`
}

func (v *visit) sections(ctx context.Context) ([]section, error) {
	all, err := v.categories.Load(ctx, v.Cache, whole{}, v.selectCategories)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, c := range all {
		names = append(names, c.Name)
	}
	words, err := v.translate(ctx, names)
	var sections []section // of its own: the other slice belongs to the cache
	for _, c := range all {
		sections = append(sections, section{c.ID, c.Parent, words[c.Name]})
	}
	return sections, err
}

// put creates a product, or changes it, together with its prices.
func (v *visit) put(ctx context.Context, p product, cents map[string]int64) error {
	if p.Name == "" || p.Material == "" {
		return fmt.Errorf("%w: a product has a name and a material", errRefused)
	}
	if err := checkText(p.Name, p.Material); err != nil {
		return err
	}
	// A transaction that writes may read cached values like any other.
	if _, err := v.within(ctx, p.Category); errors.Is(err, txcache.ErrAbsent) || p.Category == 0 {
		return fmt.Errorf("%w: there is no category %d", errRefused, p.Category)
	} else if err != nil {
		return err
	}
	if _, err := v.ExecContext(ctx, `INSERT INTO product (id, category, name, material) VALUES ($1, $2, $3, $4)
		ON CONFLICT (id) DO UPDATE SET category = excluded.category, name = excluded.name, material = excluded.material`,
		p.ID, p.Category, p.Name, p.Material); err != nil {
		return err
	}
	// The cache of products may also remember that there was none of this id, and
	// categories have the ids of all.
	if err := errors.Join(v.products.Delete(v.Cache, p.ID), v.categories.Clear(v.Cache)); err != nil {
		return err
	}
	return v.reprice(ctx, p.ID, cents)
}

// reprice sets what the groups pay for a product, and deletes what is cached of it.
// If a rule is broken, its error rolls back both.
func (v *visit) reprice(ctx context.Context, id int64, cents map[string]int64) error {
	// The rule is of all prices of a product: one change of them at a time.
	if err := v.updateOne(ctx, "UPDATE product SET name = name WHERE id = $1", id); err != nil {
		return err
	}
	for _, group := range slices.Sorted(maps.Keys(cents)) {
		if !slices.Contains(groups, group) || cents[group] <= 0 {
			return fmt.Errorf("%w: prices are positive, in cents, for %s", errRefused, strings.Join(groups, " and "))
		}
		if _, err := v.ExecContext(ctx, `INSERT INTO price (product, customer_group, cents) VALUES ($1, $2, $3)
			ON CONFLICT (product, customer_group) DO UPDATE SET cents = excluded.cents`, id, group, cents[group]); err != nil {
			return err
		}
	}
	// A group without a price of its own pays that of retail, so both may be another.
	for _, group := range groups {
		if err := v.prices.Delete(v.Cache, priceKey{id, group}); err != nil {
			return err
		}
	}
	var wrong bool
	err := v.QueryRowContext(ctx, `SELECT coalesce(max(cents), 1) > coalesce(max(cents) FILTER (WHERE customer_group = 'retail'), 0)
		FROM price WHERE product = $1`, id).Scan(&wrong)
	if err == nil && wrong {
		err = fmt.Errorf("%w: every product has a retail price, and nobody pays more", errRefused)
	}
	return err
}

// set changes a setting.
func (v *visit) set(ctx context.Context, name, value string) error {
	if err := checkText(name, value); err != nil {
		return err
	}
	if err := v.updateOne(ctx, "UPDATE setting SET value = $1 WHERE name = $2", value, name); err != nil {
		return err
	}
	return v.settings.Clear(v.Cache)
}

// checkText refuses what PostgreSQL cannot keep, and what is longer than any
// text of a shop.
func checkText(texts ...string) error {
	for _, text := range texts {
		if len(text) > 200 || !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			return fmt.Errorf("%w: texts are UTF-8, 200 bytes at most", errRefused)
		}
	}
	return nil
}
