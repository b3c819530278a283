package main

import (
	"context"
	"database/sql"
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

// A visitor is who asks.
type visitor struct {
	Language string
	Group    string
}

// An item is a product as a visitor sees it.
type item struct {
	ID       int64  `json:"id"`
	Name     string `json:"name"`
	Material string `json:"material"`
	Cents    int64  `json:"cents"`
	Currency string `json:"currency"`
}

// A catalogue is what the shops sell. It is safe for concurrent use.
//
// Each of its methods is one transaction, of the database and of the cache.
// Those that read fill the caches, with a loader that reads in the same
// transaction. Those that write delete what a cache has of the rows that they
// change, and clear a cache that has one value of all rows.
type catalogue struct {
	store   *txcache.Store
	tenants tenants
	*caches
}

func newCatalogue(store *txcache.Store, ts tenants) (*catalogue, error) {
	c, err := newCaches(store)
	if err != nil {
		return nil, err
	}
	// This loader runs without a caller, so it asks the database itself.
	c.search.RefreshEarly(func(ctx context.Context, tx *txcache.Tx, text string) ([]int64, error) {
		return selectMatches(ctx, ts[tx.Database()], text)
	})
	return &catalogue{store, ts, c}, nil
}

// view runs fn in a read-only transaction of the tenant. What v speaks is the
// user context: caches that are not ContextFree keep languages apart.
func (c *catalogue) view(ctx context.Context, tenant string, v visitor, fn func(*sqltx.Tx) error) error {
	return sqltx.View(ctx, c.store, tenant, c.tenants[tenant].DB, nil, func(tx *sqltx.Tx) error {
		tx.Cache = tx.Cache.WithContext(map[string]any{"language": v.Language})
		return fn(tx)
	})
}

// update runs fn in a read-write transaction of the tenant.
func (c *catalogue) update(ctx context.Context, tenant string, v visitor, fn func(*sqltx.Tx) error) error {
	return sqltx.Update(ctx, c.store, tenant, c.tenants[tenant].DB, nil, func(tx *sqltx.Tx) error {
		tx.Cache = tx.Cache.WithContext(map[string]any{"language": v.Language})
		return fn(tx)
	})
}

// item returns a product, or txcache.ErrAbsent.
func (c *catalogue) item(ctx context.Context, tenant string, v visitor, id int64) (it item, err error) {
	err = c.view(ctx, tenant, v, func(tx *sqltx.Tx) error {
		it, err = c.loadItem(ctx, tx, v, id)
		return err
	})
	return it, err
}

// matches returns what a search finds. What it finds may be some seconds old;
// what it says of it is not.
func (c *catalogue) matches(ctx context.Context, tenant string, v visitor, text string) (items []item, err error) {
	text = strings.ToLower(strings.TrimSpace(text))
	if err := checkText(text); err != nil {
		return nil, err
	}
	err = c.view(ctx, tenant, v, func(tx *sqltx.Tx) error {
		ids, err := c.search.Load(ctx, tx.Cache, text, func(ctx context.Context) ([]int64, error) {
			return selectMatches(ctx, tx, text)
		})
		if err == nil {
			items, err = c.loadItems(ctx, tx, v, ids)
		}
		return err
	})
	return items, err
}

// within returns the products of a category and of all below it, or, for 0, of
// all categories.
func (c *catalogue) within(ctx context.Context, tenant string, v visitor, id int64) (items []item, err error) {
	err = c.view(ctx, tenant, v, func(tx *sqltx.Tx) error {
		roots, err := c.loadTree(ctx, tx)
		if err != nil {
			return err
		}
		ids, found := productsWithin(roots, id, id == 0)
		if !found && id != 0 {
			return fmt.Errorf("category %d: %w", id, txcache.ErrAbsent)
		}
		items, err = c.loadItems(ctx, tx, v, ids)
		return err
	})
	return items, err
}

// productsWithin returns the products of the category of that id and of all
// below it, or of all roots and below if all is set.
func productsWithin(roots []category, id int64, all bool) (ids []int64, found bool) {
	for _, root := range roots {
		wanted := all || root.ID == id
		below, inside := productsWithin(root.Children, id, wanted)
		if wanted {
			ids = append(ids, root.Products...)
		}
		ids = append(ids, below...)
		found = found || wanted || inside
	}
	return ids, found
}

// A section is a category as a visitor sees it.
type section struct {
	ID       int64     `json:"id"`
	Name     string    `json:"name"`
	Sections []section `json:"sections,omitempty"`
}

// sections returns the tree of categories.
func (c *catalogue) sections(ctx context.Context, tenant string, v visitor) (sections []section, err error) {
	err = c.view(ctx, tenant, v, func(tx *sqltx.Tx) error {
		roots, err := c.loadTree(ctx, tx)
		if err != nil {
			return err
		}
		words, err := c.translate(ctx, tx, v, namesWithin(roots)...)
		sections = sectionsOf(roots, words)
		return err
	})
	return sections, err
}

// namesWithin returns the names of the categories and of all below them.
func namesWithin(roots []category) (names []string) {
	for _, root := range roots {
		names = append(append(names, root.Name), namesWithin(root.Children)...)
	}
	return names
}

// sectionsOf makes a tree of its own: the other one belongs to the cache.
func sectionsOf(roots []category, words map[string]string) []section {
	sections := make([]section, len(roots))
	for i, root := range roots {
		sections[i] = section{root.ID, words[root.Name], sectionsOf(root.Children, words)}
	}
	return sections
}

// allSettings returns the settings of the tenant. They must not be changed.
func (c *catalogue) allSettings(ctx context.Context, tenant string, v visitor) (settings map[string]string, err error) {
	err = c.view(ctx, tenant, v, func(tx *sqltx.Tx) error {
		settings, err = c.loadSettings(ctx, tx)
		return err
	})
	return settings, err
}

// reprice sets what the groups pay for a product, and returns it as v sees it
// then. Nobody may pay more than retail.
func (c *catalogue) reprice(ctx context.Context, tenant string, v visitor, id int64, cents map[string]int64) (it item, err error) {
	err = c.update(ctx, tenant, v, func(tx *sqltx.Tx) error {
		// A transaction that writes may read cached values like any other.
		if _, err := c.loadProduct(ctx, tx, id); err != nil {
			return err
		}
		if err := c.setPrices(ctx, tx, id, cents); err != nil {
			return err
		}
		// From here the transaction sees its own prices, others do not.
		it, err = c.loadItem(ctx, tx, v, id)
		return err
	})
	return it, err
}

// put creates a product, or changes it, together with its prices.
func (c *catalogue) put(ctx context.Context, tenant string, v visitor, p product, cents map[string]int64) (it item, err error) {
	if p.Name == "" || p.Material == "" {
		return it, fmt.Errorf("%w: a product has a name and a material", errRefused)
	}
	if err := checkText(p.Name, p.Material); err != nil {
		return it, err
	}
	err = c.update(ctx, tenant, v, func(tx *sqltx.Tx) error {
		roots, err := c.loadTree(ctx, tx)
		if err != nil {
			return err
		}
		if _, found := productsWithin(roots, p.Category, false); !found {
			return fmt.Errorf("%w: there is no category %d", errRefused, p.Category)
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO product (id, category, name, material) VALUES ($1, $2, $3, $4)
			ON CONFLICT (id) DO UPDATE SET category = excluded.category, name = excluded.name, material = excluded.material`,
			p.ID, p.Category, p.Name, p.Material); err != nil {
			return err
		}
		if err := c.setPrices(ctx, tx, p.ID, cents); err != nil {
			return err
		}
		// The products' cache may also remember that there was none of this id, and
		// the tree has the ids of all.
		if err := errors.Join(c.products.Delete(tx.Cache, p.ID), c.tree.Clear(tx.Cache)); err != nil {
			return err
		}
		it, err = c.loadItem(ctx, tx, v, p.ID)
		return err
	})
	return it, err
}

// setPrices changes prices and deletes what is cached of them. If the rule is
// broken, its error rolls back both.
func (c *catalogue) setPrices(ctx context.Context, tx *sqltx.Tx, id int64, cents map[string]int64) error {
	// The rule is of all prices of a product: one change of them at a time.
	if _, err := tx.ExecContext(ctx, "UPDATE product SET name = name WHERE id = $1", id); err != nil {
		return err
	}
	for _, group := range slices.Sorted(maps.Keys(cents)) {
		if !slices.Contains(groups, group) || cents[group] <= 0 {
			return fmt.Errorf("%w: prices are positive, in cents, for %s", errRefused, strings.Join(groups, " and "))
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO price (product, customer_group, cents) VALUES ($1, $2, $3)
			ON CONFLICT (product, customer_group) DO UPDATE SET cents = excluded.cents`, id, group, cents[group]); err != nil {
			return err
		}
	}
	for group := range cents {
		if err := c.prices.Delete(tx.Cache, priceKey{id, group}); err != nil {
			return err
		}
	}
	var highest sql.NullInt64
	if err := tx.QueryRowContext(ctx, "SELECT max(cents) FROM price WHERE product = $1", id).Scan(&highest); err != nil {
		return err
	}
	price, err := c.loadPrice(ctx, tx, priceKey{id, retail})
	if errors.Is(err, txcache.ErrAbsent) || err == nil && highest.Int64 > price {
		return fmt.Errorf("%w: every product has a retail price, and nobody pays more", errRefused)
	}
	return err
}

// set changes a setting, and returns all of them.
func (c *catalogue) set(ctx context.Context, tenant string, v visitor, name, value string) (settings map[string]string, err error) {
	if err := checkText(name, value); err != nil {
		return nil, err
	}
	err = c.update(ctx, tenant, v, func(tx *sqltx.Tx) error {
		done, err := tx.ExecContext(ctx, "UPDATE setting SET value = $1 WHERE name = $2", value, name)
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil {
			return err
		} else if n == 0 {
			return fmt.Errorf("setting %q: %w", name, txcache.ErrAbsent)
		}
		if err := c.settings.Clear(tx.Cache); err != nil {
			return err
		}
		// The cache is Warm: what is read after the clear goes to everybody.
		settings, err = c.loadSettings(ctx, tx)
		return err
	})
	return settings, err
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
