package txgorm

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/seed-dad15c92/txcache"
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

// preparable returns an error if a statement is about a savepoint: nothing tells when an *sql.Stmt
// is executed. // P2
func preparable(query string) error {
	if verb, _ := savepointOf(query); verb != "" {
		return errPrepared
	}
	return nil
}

var (
	errPrepared = errors.New("txcache: a savepoint cannot be a prepared statement, of which the cache would not hear: use SavePoint and RollbackTo of gorm, and PrepareStmt in gorm.Config or in sessions, not in both")
	errQueried  = errors.New("txcache: a savepoint cannot be a query, by Raw: use SavePoint and RollbackTo of gorm, or Exec")
)

// queryable returns an error if a query is about a savepoint, and keeps the transaction from
// being committed, as nothing may have looked at the error. // P2
func (t *transaction) queryable(query string) error {
	if verb, _ := savepointOf(query); verb != "" {
		t.fail(errQueried)
		return errQueried
	}
	return nil
}

const (
	setSavepoint     = "SAVEPOINT"
	releaseSavepoint = "RELEASE"
	rollbackTo       = "ROLLBACK TO"
)

// savepointOf returns what a statement does with a savepoint, and with which, "" if it is about
// none. A name without quotes is in lower case, as databases compare it.
func savepointOf(query string) (verb, name string) {
	query = strings.TrimSpace(query)
	for strings.HasPrefix(query, "/*") { // of a tracer
		_, query, _ = strings.Cut(query, "*/")
		query = strings.TrimSpace(query)
	}
	end := strings.IndexAny(query, " \t\r\n")
	if end < 0 || !slices.Contains([]string{"SAVEPOINT", "SAVE", "RELEASE", "ROLLBACK"}, strings.ToUpper(query[:end])) {
		return "", ""
	}
	words := strings.Fields(strings.ReplaceAll(query, ";", " "))
	is := func(i int, names ...string) bool {
		return i < len(words) && slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(words[i], name) })
	}
	i := 1
	switch {
	case is(0, "SAVEPOINT"):
		verb = setSavepoint
	case is(0, "SAVE") && is(i, "TRAN", "TRANSACTION"): // SQL Server
		verb = setSavepoint
		i++
	case is(0, "RELEASE"):
		verb = releaseSavepoint
	case is(0, "ROLLBACK"):
		named := is(i, "TRAN", "TRANSACTION") && !is(i+1, "AND") // SQL Server
		if named || is(i, "WORK") {
			i++
		}
		switch {
		case is(i, "TO"):
			i++
		case !named:
			return "", ""
		}
		verb = rollbackTo
	default:
		return "", ""
	}
	if verb != setSavepoint && is(i, "SAVEPOINT") && i+1 < len(words) {
		i++
	}
	if i >= len(words) {
		return "", ""
	}
	name = words[i]
	if !strings.ContainsAny(name, "\"`[") {
		name = strings.ToLower(name)
	}
	return verb, name
}
