package sqltest_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/seed-dad15c92/txcache/sqltx"
)

// P4: a reader loads the old row, a writer changes it and commits, and then the
// reader fills.
func TestOldRowCannotRefill(t *testing.T) {
	servers := newServers(t, 2, "deferred")
	a, b := servers[0], servers[1]
	for _, reader := range servers {
		tx := reader.begin(t, true)
		old, err := stored(t.Context(), tx, 1)
		if err != nil {
			t.Fatal(err)
		}
		a.changes(t, 1, old+1)
		reader.price.Set(tx.Cache, 1, old)
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		everyoneReads(t, []*server{b, a}, 1, old+1)
	}
}

// P4: a snapshot from before the commit has its first miss after it.
func TestOldSnapshotCannotRefill(t *testing.T) {
	for _, readOnly := range []bool{true, false} {
		servers := newServers(t, 2, "deferred")
		a, b := servers[0], servers[1]
		tx := b.begin(t, readOnly)
		if _, err := tx.SQL(t.Context()); err != nil { // it takes the snapshot
			t.Fatal(err)
		}
		a.changes(t, 1, 2)
		if got, err := b.load(t.Context(), tx, 1); got != 1 || err != nil {
			t.Errorf("the old snapshot reads %d, %v; want its own 1", got, err)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		everyoneReads(t, []*server{b, a}, 1, 2)
	}
}

// P3: a commit comes while another server begins a transaction, which takes its
// state first and its snapshot after that.
func TestCommitWhileAnotherBegins(t *testing.T) {
	for _, moment := range []string{"before the state", "after the state"} {
		t.Run(moment, func(t *testing.T) {
			servers := newServers(t, 2, "deferred")
			a, b := servers[0], servers[1]
			commit := func() {
				b.hooks = hooks{}
				a.changes(t, 1, 2)
			}
			if moment == "before the state" {
				b.hooks.syncing = commit
			} else {
				b.hooks.synced = commit
			}
			if got := b.loads(t, 1); got != 2 {
				t.Errorf("the transaction reads %d, want 2, as it took its snapshot last", got)
			}
			everyoneReads(t, servers, 1, 2)
		})
	}
}

// P3: another server refills at any moment of the writer's transaction.
func TestRefillDuringTheCommit(t *testing.T) {
	servers := newServers(t, 2, "deferred")
	a, b := servers[0], servers[1]
	everyoneReads(t, servers, 1, 1)
	a.hooks = hooks{
		fenced: func() {
			for _, s := range servers {
				if got := s.loads(t, 1); got != 1 {
					t.Errorf("before the database commits, %d is read, want 1", got)
				}
			}
		},
		clearing: func() {
			for _, s := range servers {
				if got := s.loads(t, 1); got != 2 {
					t.Errorf("when the database has committed, %d is read, want 2", got)
				}
			}
		},
	}
	err := sqltx.Update(t.Context(), a.store, database, a.db, nil, func(tx *sqltx.Tx) error {
		if err := a.change(t.Context(), tx, 1, 2); err != nil {
			return err
		}
		everyoneReads(t, []*server{b}, 1, 1) // between the clear and the commit
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	everyoneReads(t, servers, 1, 2)
}

// P1: in whatever order a transaction writes, reads and clears, it sees its own
// write, and nobody else does.
func TestUncommittedIsSeenInsideOnly(t *testing.T) {
	type step func(*server, *sqltx.Tx) error
	write := func(s *server, tx *sqltx.Tx) error {
		_, err := tx.ExecContext(t.Context(), "UPDATE product SET price = 2 WHERE id = 1")
		return err
	}
	read := func(s *server, tx *sqltx.Tx) error {
		_, err := s.load(t.Context(), tx, 1)
		return err
	}
	clear := func(s *server, tx *sqltx.Tx) error { return s.price.Clear(tx.Cache) }
	for _, test := range []struct {
		name  string
		steps []step
	}{
		{"write, read, clear", []step{write, read, clear}},
		{"write, clear, read", []step{write, clear, read}},
		{"clear, write, read", []step{clear, write, read}},
		{"read, write, clear, read", []step{read, write, clear, read}},
	} {
		t.Run(test.name, func(t *testing.T) {
			servers := newServers(t, 2, "deferred")
			a := servers[0]
			tx := a.begin(t, false)
			for _, step := range test.steps {
				if err := step(a, tx); err != nil {
					t.Fatal(err)
				}
			}
			if got, err := a.load(t.Context(), tx, 1); got != 2 || err != nil {
				t.Errorf("inside, %d, %v is read, want 2", got, err)
			}
			everyoneReads(t, servers, 1, 1)
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
			everyoneReads(t, servers, 1, 2)
		})
	}
}

// P2: whatever undoes a transaction in the database undoes it in the cache.
func TestNoTraceOfWhatWasUndone(t *testing.T) {
	refused := errors.New("refused")
	set := func(s *server, tx *sqltx.Tx) error {
		if err := s.change(t.Context(), tx, 1, 2); err != nil {
			return err
		}
		s.price.Set(tx.Cache, 1, 2)
		return nil
	}
	for _, test := range []struct {
		name string
		fn   func(*server, *sqltx.Tx) error
		want func(error) bool
	}{
		{"error", func(s *server, tx *sqltx.Tx) error {
			return errors.Join(set(s, tx), refused)
		}, func(err error) bool { return errors.Is(err, refused) }},

		{"panic", func(s *server, tx *sqltx.Tx) error {
			if err := set(s, tx); err != nil {
				return err
			}
			panic(refused)
		}, func(err error) bool { return err == refused }},

		{"savepoint", func(s *server, tx *sqltx.Tx) error {
			err := tx.Savepoint(t.Context(), func(*sqltx.Tx) error { return errors.Join(set(s, tx), refused) })
			if !errors.Is(err, refused) {
				return fmt.Errorf("the savepoint returned %v", err)
			}
			return nil
		}, func(err error) bool { return err == nil }},

		// The database checks the reference when it commits.
		{"failing commit", func(s *server, tx *sqltx.Tx) error {
			if _, err := tx.ExecContext(t.Context(), "INSERT INTO sale VALUES (-1)"); err != nil {
				return err
			}
			return set(s, tx)
		}, func(err error) bool {
			return !errors.Is(err, sqltx.ErrUnknownOutcome) && code(err) == sqlite3.SQLITE_CONSTRAINT
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			servers := newServers(t, 2, "deferred")
			a := servers[0]
			everyoneReads(t, servers, 1, 1)
			err := func() (err error) {
				defer func() {
					if p := recover(); p != nil {
						err = p.(error)
					}
				}()
				return sqltx.Update(t.Context(), a.store, database, a.db, nil, func(tx *sqltx.Tx) error { return test.fn(a, tx) })
			}()
			if !test.want(err) {
				t.Errorf("Update: %v", err)
			}
			everyoneReads(t, servers, 1, 1)
			a.changes(t, 1, 3) // the connection is of use
			everyoneReads(t, servers, 1, 3)
		})
	}
}

// P2: a run that the database refused because of another is repeated, and only
// what the last one did is left.
func TestRetryAfterBusy(t *testing.T) {
	servers := newServers(t, 2, "deferred")
	a, b := servers[0], servers[1]
	everyoneReads(t, servers, 1, 1)
	runs := 0
	for {
		err := sqltx.Update(t.Context(), a.store, database, a.db, nil, func(tx *sqltx.Tx) error {
			runs++
			price, err := stored(t.Context(), tx, 1)
			if err != nil {
				return err
			}
			a.price.Set(tx.Cache, 1, price*10)
			if runs == 1 {
				b.changes(t, 1, 2) // the snapshot cannot be written from any more
			}
			if err := a.change(t.Context(), tx, 1, price*10); err != nil {
				return err
			}
			a.price.Set(tx.Cache, 1, price*10)
			return nil
		})
		if err == nil {
			break
		}
		if !busy(err) || errors.Is(err, sqltx.ErrUnknownOutcome) {
			t.Fatal(err)
		}
		everyoneReads(t, servers, 1, 2)
	}
	if runs != 2 {
		t.Errorf("%d runs, want 2: the first refused", runs)
	}
	everyoneReads(t, servers, 1, 20)
}

// P2, P3: the connection dies during the commit; whatever became of it, the
// cache agrees with the database.
func TestConnectionDiesDuringTheCommit(t *testing.T) {
	for _, test := range []struct {
		outcome outcome
		want    int64
	}{{lost, 1}, {done, 2}} {
		t.Run(test.outcome.String(), func(t *testing.T) {
			for i := range 2 { // with a cold and a warm cache
				servers := newServers(t, 2, "deferred")
				everyoneReads(t, servers, 1, 1)
				s := servers[i]
				s.line.cut(test.outcome)
				err := sqltx.Update(t.Context(), s.store, database, s.db, nil, func(tx *sqltx.Tx) error {
					if err := s.change(t.Context(), tx, 1, 2); err != nil {
						return err
					}
					s.price.Set(tx.Cache, 1, 2)
					return nil
				})
				if !errors.Is(err, sqltx.ErrUnknownOutcome) || !errors.Is(err, errLine) {
					t.Errorf("Update: %v, want ErrUnknownOutcome with the driver's error", err)
				}
				for i, s := range servers {
					if got := s.loads(t, 1); got != test.want {
						t.Errorf("server %d reads %d, want %d", i, got, test.want)
					}
					if got := s.cached(t, 1); got != 0 {
						t.Errorf("server %d has %d in its cache; the commit may come yet", i, got)
					}
				}
				time.Sleep(2 * fence)
				everyoneReads(t, servers, 1, test.want)
			}
		})
	}
}
