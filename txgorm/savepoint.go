package txgorm

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/sqlread"
)

// A savepoint is one of both sides.
type savepoint struct {
	name string
	end  func(keep bool) // ends it in the cache
}

// set sets a savepoint. The cache's side is first: what is done in between is undone there only
// if it is in the database too.
func (t *transaction) set(ctx context.Context, name, query string) (sql.Result, error) {
	end, err := t.tx.Cache.OpenSavepoint()
	if errors.Is(err, txcache.ErrTxDone) {
		return nil, sql.ErrTxDone
	}
	if err != nil {
		return nil, err
	}
	result, err := t.tx.ExecContext(ctx, query)
	if err != nil {
		end(true) // nothing is undone
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.savepoints = append(t.savepoints, &savepoint{name, end})
	return result, nil
}

// release keeps what was done since a savepoint.
func (t *transaction) release(ctx context.Context, name, query string) (sql.Result, error) {
	sp := t.find(name)
	result, err := t.tx.ExecContext(ctx, query)
	if err == nil && sp != nil {
		t.leave(sp, true)
	}
	return result, err
}

// rollbackTo undoes what was done since a savepoint, which stays. The end of ctx does not keep the
// database from it. Dialects and gorm do not look at its error, nor at that of set: after it what
// should be undone is there, and must not be committed.
func (t *transaction) rollbackTo(ctx context.Context, name, query string) (sql.Result, error) {
	sp := t.find(name)
	result, err := t.tx.ExecContext(context.WithoutCancel(ctx), query) // first: nobody may load in between what is then undone
	switch {
	case err == nil && sp != nil:
		t.leave(sp, false)
		if end, err := t.tx.Cache.OpenSavepoint(); err == nil {
			t.mu.Lock()
			t.savepoints = append(t.savepoints, &savepoint{name, end})
			t.mu.Unlock()
		}
	case err == nil:
		t.fail(fmt.Errorf("txcache: the cache does not know the savepoint %s, to which the database has rolled back, so that the transaction cannot be committed", name))
	default:
		t.fail(fmt.Errorf("txcache: the database has not rolled back to a savepoint, so that the transaction cannot be committed: %w", err))
	}
	return result, err
}

// fail keeps the transaction from being committed. // P2
func (t *transaction) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.broken == nil {
		t.broken = err
	}
}

// find returns the last savepoint of that name, nil if there is none.
func (t *transaction) find(name string) *savepoint {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, sp := range slices.Backward(t.savepoints) {
		if sp.name == name {
			return sp
		}
	}
	return nil
}

// leave ends a savepoint in the cache, and those that were set after it; of nil all.
func (t *transaction) leave(sp *savepoint, keep bool) {
	t.mu.Lock()
	i := 0
	if sp != nil {
		i = slices.Index(t.savepoints, sp)
	}
	if i < 0 { // another goroutine has ended it
		t.mu.Unlock()
		return
	}
	ended := slices.Clone(t.savepoints[i:])
	t.savepoints = t.savepoints[:i]
	t.mu.Unlock()
	for _, sp := range slices.Backward(ended) {
		sp.end(keep)
	}
}

var (
	errPrepared = errors.New("txcache: a savepoint cannot be a prepared statement, of which the cache would not hear: use SavePoint and RollbackTo of gorm, and PrepareStmt in gorm.Config or in sessions, not in both")
	errQueried  = errors.New("txcache: a savepoint cannot be a query, by Raw: use SavePoint and RollbackTo of gorm, or Exec")
	errAmong    = errors.New("txcache: a savepoint cannot be one of several statements of a text: use SavePoint and RollbackTo of gorm, or an Exec of its own")
)

// mayBeSavepoint finds all texts that are about savepoints, and few others: these are read.
var mayBeSavepoint = regexp.MustCompile(`(?i)SAVE|RELEASE|ROLLBACK`)

// savepointOf returns what a text does to a savepoint, and to which; None if it does nothing. It returns
// errAmong if it does more than that.
func savepointOf(query string) (s sqlread.Statement, err error) {
	if !mayBeSavepoint.MatchString(query) {
		return s, nil
	}
	controls, others := sqlread.Controls(query)
	i := slices.IndexFunc(controls, func(s sqlread.Statement) bool {
		return s.Control == sqlread.Savepoint || s.Control == sqlread.Release || s.Control == sqlread.RollbackTo
	})
	switch {
	case i < 0:
		return s, nil
	case others || len(controls) > 1:
		return s, errAmong
	}
	return controls[i], nil
}

// refuses returns the error no if a text is about a savepoint. // P2
func refuses(query string, no error) error {
	if s, err := savepointOf(query); err != nil || s.Control != sqlread.None {
		return no
	}
	return nil
}
