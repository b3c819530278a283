package txpgx

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// A savepoint is one of both sides.
type savepoint struct {
	dbtx   pgx.Tx          // pgx's own
	end    func(keep bool) // ends it in the cache
	closed bool
}

// Begin sets a savepoint on both sides. The result is a *Tx, with the same Cache. Its
// Commit and Rollback concern what was done since; savepoints nest. The end of a
// savepoint also ends those that were set after it, as the database does.
//
// If Rollback of a savepoint fails, the transaction cannot be committed any more.
func (tx *Tx) Begin(ctx context.Context) (pgx.Tx, error) {
	around, err := tx.begun(ctx)
	if err != nil {
		return nil, err
	}
	t := tx.t
	end, err := t.cache.OpenSavepoint()
	if err != nil {
		return nil, err
	}
	dbtx, err := around.Begin(ctx)
	if err != nil {
		end(true) // nothing is undone
		return nil, err
	}
	sp := &savepoint{dbtx: dbtx, end: end}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.savepoints = append(t.savepoints, sp)
	return &Tx{Cache: tx.Cache, t: t, sp: sp}, nil
}

// leave ends the savepoint number i of the cache's side and those that were set after it.
// What i has undone is so with what the others have done.
func (t *transaction) leave(i int, keep bool) {
	t.mu.Lock()
	if len(t.savepoints) == i {
		t.mu.Unlock()
		return
	}
	ended := slices.Clone(t.savepoints[i:])
	t.savepoints = t.savepoints[:i]
	for _, sp := range ended {
		sp.closed = true
	}
	t.mu.Unlock()
	for _, sp := range slices.Backward(ended) {
		sp.end(keep)
	}
}

// find returns the number of an open savepoint.
func (t *transaction) find(sp *savepoint) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := slices.Index(t.savepoints, sp); i >= 0 { // all are closed when the transaction ends
		return i, nil
	}
	return 0, pgx.ErrTxClosed
}

func (t *transaction) keep(ctx context.Context, sp *savepoint) error {
	i, err := t.find(sp)
	if err != nil {
		return err
	}
	err = sp.dbtx.Commit(ctx)
	t.leave(i, true) // after an error too: what the database has not undone, the cache must not undo
	return err
}

func (t *transaction) rollbackTo(ctx context.Context, sp *savepoint) error {
	i, err := t.find(sp)
	if err != nil {
		return err
	}
	undoing, cancel := forUndo(ctx)
	defer cancel()
	err = sp.dbtx.Rollback(undoing) // first: nobody may load in between what is then undone
	if err != nil {                 // P2, P3: the database may keep the changes whose clears are undone here
		t.mu.Lock()
		t.broken = fmt.Errorf("txcache: database %q was not asked to commit: a savepoint could not be rolled back: %w", t.database, err)
		t.mu.Unlock()
	}
	t.leave(i, false)
	return err
}
