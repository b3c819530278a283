package main

import (
	"context"
	"errors"

	"github.com/seed-dad15c92/txcache"
)

var greetings = map[string]string{"en": "good morning", "fr": "bonjour"}

func (s *story) userContexts(ctx context.Context) error {
	s.chapter("User contexts",
		"The values of a cache may depend on who asks, here on the language. A price\n"+
			"does not, and its cache says so.")
	return errors.Join(
		s.greets(ctx, s.a, "en", "good morning from the database"),
		s.greets(ctx, s.a, "fr", "bonjour from the database"),
		s.greets(ctx, s.b, "en", "good morning from the cache"),
		s.greets(ctx, s.b, "fr", "bonjour from the cache"),
		s.reads(ctx, s.a, "lamp", "35 from the cache"),
	)
}

// greets lets a server read a greeting, from the cache or else from the database.
func (s *story) greets(ctx context.Context, who *server, language, want string) error {
	x, err := who.view(ctx, s.database, s.table)
	if err != nil {
		return err
	}
	from := "cache"
	tx := x.cache.WithContext(map[string]any{"language": language})
	text, err := x.greeting.Load(ctx, tx, "morning", func(context.Context) (string, error) {
		from = "database"
		return greetings[language], nil
	})
	if err != nil {
		return err
	}
	s.see(who.name+" reads the greeting in "+language, text+" from the "+from, want)
	return x.commit(ctx)
}

func (s *story) savepoint(ctx context.Context) error {
	s.chapter("Savepoints",
		"What fails within a savepoint is undone, the rest of the transaction goes on.")
	x, err := s.a.begin(ctx, s.database, s.table)
	if err != nil {
		return err
	}
	defer x.cache.Rollback()
	x.price.Set(x.cache, "ink", 20)
	s.step("A sets ink = 20")
	refused := errors.New("refused")
	err = x.cache.Savepoint(func(inner *txcache.Tx) error {
		x.price.Set(inner, "ink", 21)
		s.step("A sets ink = 21 in a savepoint, and clears the greetings")
		if err := x.greeting.Clear(inner); err != nil {
			return err
		}
		s.see("A looks for ink", x.cached(ctx, "ink"), "21")
		return refused
	})
	if !errors.Is(err, refused) {
		return err
	}
	s.step("the savepoint fails")
	s.see("A looks for ink", x.cached(ctx, "ink"), "20")
	if err := x.commit(ctx); err != nil {
		return err
	}
	s.step("A commits")
	return errors.Join(
		s.looks(ctx, s.b, "ink", "20"),
		s.greets(ctx, s.b, "fr", "bonjour from the cache"),
	)
}

func (s *story) drop(ctx context.Context) error {
	s.chapter("A database is an island",
		"Every database has caches of its own, and can be dropped whole; its\n"+
			"neighbours keep theirs.")
	if err := s.readsIn(ctx, s.neighbour, s.a, "A reads book of the neighbour", "book", "12 from the database"); err != nil {
		return err
	}
	if err := s.reads(ctx, s.a, "lamp", "35 from the cache"); err != nil {
		return err
	}
	open, err := s.a.begin(ctx, s.database, s.table)
	if err != nil {
		return err
	}
	defer open.cache.Rollback()
	open.price.Set(open.cache, "ink", 22)
	s.step("A begins, and sets ink = 22")
	if err := s.a.store.Drop(ctx, s.database); err != nil {
		return err
	}
	s.step("the database is dropped")
	s.see("A looks for ink", open.cached(ctx, "ink"), "nothing")
	if err := open.commit(ctx); err != nil {
		return err
	}
	s.step("A commits")
	return errors.Join(
		s.looks(ctx, s.b, "ink", "nothing"),
		s.reads(ctx, s.b, "lamp", "35 from the database"),
		s.readsIn(ctx, s.neighbour, s.b, "B reads book of the neighbour", "book", "12 from the cache"),
	)
}
