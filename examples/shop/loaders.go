package main

import (
	"context"
	"fmt"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/sqltx"
)

// The loaders ask the cache for what is wanted, and the database for what the
// cache does not know, all in one transaction.

func (c *catalogue) loadProduct(ctx context.Context, tx *sqltx.Tx, id int64) (product, error) {
	return c.products.Load(ctx, tx.Cache, id, func(ctx context.Context) (product, error) {
		return selectProduct(ctx, tx, id)
	})
}

func (c *catalogue) loadPrice(ctx context.Context, tx *sqltx.Tx, key priceKey) (int64, error) {
	return c.prices.Load(ctx, tx.Cache, key, func(ctx context.Context) (int64, error) {
		found, err := selectPrices(ctx, tx, []priceKey{key})
		if cents, ok := found[key]; ok || err != nil {
			return cents, err
		}
		return 0, fmt.Errorf("price of product %d: %w", key.Product, txcache.ErrAbsent)
	})
}

func (c *catalogue) loadTree(ctx context.Context, tx *sqltx.Tx) ([]category, error) {
	return c.tree.Load(ctx, tx.Cache, whole{}, func(ctx context.Context) ([]category, error) {
		return selectTree(ctx, tx)
	})
}

func (c *catalogue) loadSettings(ctx context.Context, tx *sqltx.Tx) (map[string]string, error) {
	return c.settings.Load(ctx, tx.Cache, whole{}, func(ctx context.Context) (map[string]string, error) {
		return selectSettings(ctx, tx)
	})
}

// translate returns the terms in the visitor's language, or as they are.
func (c *catalogue) translate(ctx context.Context, tx *sqltx.Tx, v visitor, terms ...string) (map[string]string, error) {
	found, err := c.terms.LoadMany(ctx, tx.Cache, terms, func(ctx context.Context, missing []string) (map[string]string, error) {
		return selectTerms(ctx, tx, v.Language, missing)
	})
	words := make(map[string]string, len(terms))
	for _, term := range terms {
		words[term] = term
		if text, ok := found[term]; ok {
			words[term] = text
		}
	}
	return words, err
}

func (c *catalogue) loadItem(ctx context.Context, tx *sqltx.Tx, v visitor, id int64) (item, error) {
	p, err := c.loadProduct(ctx, tx, id)
	if err != nil {
		return item{}, err
	}
	items, err := c.describe(ctx, tx, v, []product{p})
	if err != nil {
		return item{}, err
	}
	return items[0], nil
}

// loadItems returns those of the products that there are, in their order.
func (c *catalogue) loadItems(ctx context.Context, tx *sqltx.Tx, v visitor, ids []int64) ([]item, error) {
	found, err := c.products.LoadMany(ctx, tx.Cache, ids, func(ctx context.Context, missing []int64) (map[int64]product, error) {
		return selectProducts(ctx, tx, missing)
	})
	if err != nil {
		return nil, err
	}
	products := make([]product, 0, len(ids))
	for _, id := range ids {
		if p, ok := found[id]; ok {
			products = append(products, p)
		}
	}
	return c.describe(ctx, tx, v, products)
}

// describe adds prices, words and currency: one look-up a cache for all products.
func (c *catalogue) describe(ctx context.Context, tx *sqltx.Tx, v visitor, products []product) ([]item, error) {
	keys := make([]priceKey, len(products))
	terms := make([]string, 0, 2*len(products))
	for i, p := range products {
		keys[i] = priceKey{p.ID, v.Group}
		terms = append(terms, p.Name, p.Material)
	}
	prices, err := c.prices.LoadMany(ctx, tx.Cache, keys, func(ctx context.Context, missing []priceKey) (map[priceKey]int64, error) {
		return selectPrices(ctx, tx, missing)
	})
	if err != nil {
		return nil, err
	}
	words, err := c.translate(ctx, tx, v, terms...)
	if err != nil {
		return nil, err
	}
	settings, err := c.loadSettings(ctx, tx)
	if err != nil {
		return nil, err
	}
	items := make([]item, len(products))
	for i, p := range products {
		items[i] = item{p.ID, words[p.Name], words[p.Material], prices[keys[i]], settings["currency"]}
	}
	return items, nil
}
