package main

import "context"

func (s *story) privateUntilCommit(ctx context.Context) error {
	s.chapter("Private until commit",
		"A works out a price in a transaction and keeps it in the cache.")
	x, err := s.a.begin(ctx, s.database, s.table)
	if err != nil {
		return err
	}
	defer x.cache.Rollback()
	x.price.Set(x.cache, "pen", 250)
	s.step("A sets pen = 250")
	s.see("A looks for pen", x.cached(ctx, "pen"), "250")
	if err := s.looks(ctx, s.b, "pen", "nothing"); err != nil {
		return err
	}
	if err := x.commit(ctx); err != nil {
		return err
	}
	s.step("A commits")
	return s.looks(ctx, s.b, "pen", "250")
}

func (s *story) clear(ctx context.Context) error {
	s.chapter("A clear is part of the commit",
		"A changes a price in the database and clears the cache. While the database\n"+
			"commits, the cache is fenced: whoever begins goes to the database.")
	if err := s.reads(ctx, s.b, "book", "10 from the database"); err != nil {
		return err
	}
	if err := s.reads(ctx, s.b, "book", "10 from the cache"); err != nil {
		return err
	}
	x, err := s.a.begin(ctx, s.database, s.table)
	if err != nil {
		return err
	}
	defer x.cache.Rollback()
	x.rows.write("book", 12)
	if err := x.price.Clear(x.cache); err != nil {
		return err
	}
	s.step("A writes book = 12, and clears the cache")
	got, err := x.read(ctx, "book")
	if err != nil {
		return err
	}
	s.see("A reads book", got, "12 from the database")
	if err := s.reads(ctx, s.b, "book", "10 from the cache"); err != nil {
		return err
	}
	s.step("A commits; with the fence in place,")
	err = x.cache.CommitWith(ctx, func(ctx context.Context) error {
		if err := s.readsIn(ctx, s.database, s.b, "  before the database does, B reads book", "book", "10 from the database"); err != nil {
			return err
		}
		if err := x.rows.commit(ctx); err != nil {
			return err
		}
		return s.readsIn(ctx, s.database, s.b, "  after that, B reads book", "book", "12 from the database")
	})
	if err != nil {
		return err
	}
	if err := s.reads(ctx, s.b, "book", "12 from the database"); err != nil {
		return err
	}
	return s.reads(ctx, s.b, "book", "12 from the cache")
}

func (s *story) rollback(ctx context.Context) error {
	s.chapter("A rollback leaves no trace",
		"A does the same with another price, and thinks better of it.")
	x, err := s.a.begin(ctx, s.database, s.table)
	if err != nil {
		return err
	}
	defer x.cache.Rollback()
	x.rows.write("book", 99)
	if err := x.price.Clear(x.cache); err != nil {
		return err
	}
	x.price.Set(x.cache, "book", 99)
	s.step("A writes book = 99, clears the cache, and sets book = 99")
	s.see("A looks for book", x.cached(ctx, "book"), "99")
	if err := x.cache.Rollback(); err != nil {
		return err
	}
	s.step("A rolls back")
	return s.reads(ctx, s.b, "book", "12 from the cache")
}

func (s *story) oldTransaction(ctx context.Context) error {
	s.chapter("An old transaction cannot refill",
		"B began before A's commit, so its snapshot of the database has the old price.\n"+
			"It reads that only after the commit, and puts it into the cache.")
	old, err := s.b.view(ctx, s.database, s.table)
	if err != nil {
		return err
	}
	defer old.cache.Rollback()
	s.step("B begins")
	if err := s.change(ctx, s.a, "lamp", 35); err != nil {
		return err
	}
	s.step("A writes lamp = 35, clears the cache, and commits")
	got, err := old.read(ctx, "lamp")
	if err != nil {
		return err
	}
	s.see("B, as it began before, reads lamp", got, "30 from the database")
	old.price.Set(old.cache, "lamp", 30)
	if err := old.commit(ctx); err != nil {
		return err
	}
	s.step("B sets lamp = 30, and commits")
	if err := s.reads(ctx, s.a, "lamp", "35 from the database"); err != nil {
		return err
	}
	return s.reads(ctx, s.b, "lamp", "35 from the cache")
}
