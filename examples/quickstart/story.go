package main

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
)

// A story is what the chapters have in common.
type story struct {
	*narrator
	a, b  *server
	table *table

	// The names are of this run alone, so that tours that run at once do not
	// meet. Nothing crosses from one database to the other.
	database, neighbour string
}

func newStory(n *narrator, a, b *server) *story {
	database := "quickstart-" + strings.ToLower(rand.Text()[:8])
	return &story{
		narrator: n, a: a, b: b,
		table:    &table{rows: map[string]int{"book": 10, "lamp": 30, "atlas": 80}},
		database: database, neighbour: database + "-neighbour",
	}
}

// reads lets a server read a price in a transaction of its own.
func (s *story) reads(ctx context.Context, who *server, product, want string) error {
	return s.readsIn(ctx, s.database, who, who.name+" reads "+product, product, want)
}

func (s *story) readsIn(ctx context.Context, database string, who *server, what, product, want string) error {
	x, err := who.view(ctx, database, s.table)
	if err != nil {
		return err
	}
	got, err := x.read(ctx, product)
	if err != nil {
		return err
	}
	s.see(what, got, want)
	return x.commit(ctx)
}

// looks lets a server look into the cache, in a transaction of its own, without
// asking the database.
func (s *story) looks(ctx context.Context, who *server, product, want string) error {
	x, err := who.view(ctx, s.database, s.table)
	if err != nil {
		return err
	}
	s.see(who.name+" looks for "+product, x.cached(ctx, product), want)
	return x.commit(ctx)
}

// change lets a server change a price and clear the cache, and commit.
func (s *story) change(ctx context.Context, who *server, product string, price int) error {
	x, err := who.begin(ctx, s.database, s.table)
	if err != nil {
		return err
	}
	defer x.cache.Rollback() // after the commit this does nothing
	x.rows.write(product, price)
	if err := x.price.Clear(x.cache); err != nil {
		return err
	}
	return x.commit(ctx)
}

// end leaves nothing behind.
func (s *story) end(ctx context.Context) error {
	return errors.Join(s.a.store.Drop(ctx, s.database), s.a.store.Drop(ctx, s.neighbour))
}
