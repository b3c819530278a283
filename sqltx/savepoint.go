package sqltx

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"

	"github.com/seed-dad15c92/txcache"
)

// The statements are those of the SQL standard, which PostgreSQL, MariaDB, MySQL and
// SQLite have. A name follows.
const (
	setSavepoint     = "SAVEPOINT "
	rollbackTo       = "ROLLBACK TO SAVEPOINT "
	releaseSavepoint = "RELEASE SAVEPOINT "
)

// Savepoint runs fn with tx. If fn returns an error or panics, what was done meanwhile is
// undone in the database and in the cache; the error is returned as it is. The
// transaction is of use afterwards, also where the database has aborted it because of a
// statement that failed. Savepoints nest. What
// [txcache.Tx.Savepoint] says of several goroutines holds here too.
//
// If the database cannot set the savepoint, or cannot release it, as in a transaction
// that it has aborted, Savepoint returns its error; in the second case what
// fn did is undone. If the database cannot even undo it, as it has lost the
// savepoint or the connection, nothing can be done any more in the transaction but to
// roll it back: statements and Commit answer with that error.
//
// In a transaction that has not begun in the database Savepoint sends nothing. If fn begins
// it, the savepoints that are open follow its BEGIN.
//
// The context is for the statements that set and release the savepoint. What fn did is
// undone also if ctx is done, as long as the transaction has not ended.
func (tx *Tx) Savepoint(ctx context.Context, fn func(*Tx) error) error {
	ran := false
	err := tx.Cache.Savepoint(func(*txcache.Tx) error {
		ran = true
		return tx.side.savepoint(ctx, func() error { return fn(tx) })
	})
	if !ran && errors.Is(err, txcache.ErrTxDone) {
		return sql.ErrTxDone
	}
	return err
}

// savepoint is Savepoint of the database's side alone.
func (s *side) savepoint(ctx context.Context, fn func() error) (err error) {
	name, err := s.save(ctx)
	if err != nil {
		return err
	}
	kept := false
	defer func() { // also if fn panics or ends its goroutine
		if kept {
			return
		}
		if undo := s.undo(ctx, name); undo != nil {
			err = errors.Join(err, undo)
		}
	}()
	if err = fn(); err != nil {
		return err
	}
	if t := s.leave(name); t != nil {
		if broken := s.broken.Load(); broken != nil {
			return *broken
		}
		if _, err = t.ExecContext(ctx, releaseSavepoint+name); err != nil {
			return err
		}
	}
	kept = true
	return nil
}

// save sets a savepoint, or notes it for the begin, and returns its name, which no other
// savepoint of the transaction has.
func (s *side) save(ctx context.Context) (name string, err error) {
	for {
		s.mu.Lock()
		if a := s.attempt; a != nil {
			s.mu.Unlock()
			if err := a.wait(ctx); err != nil && ctx.Err() != nil {
				return "", err
			}
			continue
		}
		s.named++
		name = "txcache_" + strconv.Itoa(s.named)
		begun := s.begun.Load() != nil
		if !begun && !s.ended {
			s.open = append(s.open, name)
		}
		ended := s.ended
		s.mu.Unlock()
		switch {
		case begun:
			t, err := s.begin(ctx)
			if err == nil {
				_, err = t.ExecContext(ctx, setSavepoint+name)
			}
			return name, err
		case ended:
			return "", sql.ErrTxDone
		}
		return name, nil
	}
}

// leave returns the transaction in which a savepoint was set. If there is none, the
// savepoint is forgotten, and leave returns nil.
func (s *side) leave(name string) *sql.Tx {
	for {
		s.mu.Lock()
		a := s.attempt
		if a == nil {
			defer s.mu.Unlock()
			for i, open := range s.open {
				if open == name { // and what is still open in it
					s.open = s.open[:i]
					break
				}
			}
			return s.begun.Load()
		}
		s.mu.Unlock()
		<-a.done
	}
}

// undo undoes what was done since the savepoint. If that fails, the transaction must not
// commit. // P2
func (s *side) undo(ctx context.Context, name string) error {
	t := s.leave(name)
	if t == nil || s.broken.Load() != nil {
		return nil
	}
	// A caller that has gone leaves the transaction as it was before the savepoint, too.
	under, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	_, err := t.ExecContext(under, rollbackTo+name)
	switch {
	case err == nil:
		t.ExecContext(under, releaseSavepoint+name) // where it fails, the savepoint is left, which does no harm
		return nil
	case err == sql.ErrTxDone || s.ctx.Err() != nil: // all of it was undone
		return nil
	}
	err = fmt.Errorf("txcache: a savepoint was not rolled back, so that the transaction cannot be committed: %w", err)
	s.broken.CompareAndSwap(nil, &err)
	return err
}
