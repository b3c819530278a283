package processes

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/seed-dad15c92/txcache/internal/history"
)

// A transaction is one of an actor: on the cache under test and in the database.
type transaction struct {
	*actor
	who      name
	database int
	readOnly bool
	drops    uint64 // of the database in this process when it began
	session  *session
	tx       history.Tx
	belief   belief
	filled   bool            // it has set something
	told     map[row]version // what it was told to have read last
	ended    bool
	unasked  bool // its begin has sent no question to the backend
}

var errUndo = errors.New("processes: the savepoint is undone")

// begin begins a transaction on the cache; the database's begins when it is
// needed.
func (a *actor) begin(ctx context.Context, readOnly bool) (*transaction, error) {
	a.txs++
	t := &transaction{
		actor: a, who: name{a.plan.Worker, a.plan.Life, a.number, a.txs},
		database: a.someDatabase(), readOnly: readOnly, belief: newBelief(), told: map[row]version{},
	}
	level := pgx.ReadCommitted
	if a.one(2) {
		level = pgx.RepeatableRead
	}
	t.session = newSession(a.board, a.pool, t.who, t.database, level)
	a.pass(Beginning)
	a.horizon.look(a.lowerBound)
	tx, err := a.server.Begin(context.WithValue(ctx, unaskedKey{}, &t.unasked), world.Databases[t.database], readOnly)
	if err != nil {
		return nil, err
	}
	a.pass(Begun)
	t.tx = tx
	t.drops = a.drops[t.database].Load()
	a.board.Add(Transactions, 1)
	if t.unasked {
		a.board.Add(Unasked, 1)
	}
	return t, nil
}

// run does what the transaction does, and ends it.
func (t *transaction) run(ctx context.Context) error {
	defer t.session.rollback(ctx)
	defer func() { t.ended = true; _ = t.tx.Rollback() }()
	if err := t.body(ctx, t.tx, 0); err != nil {
		return err
	}
	if t.one(12) {
		t.session.rollback(ctx)
		err := t.tx.Rollback()
		t.ended = true
		if err != nil {
			return err
		}
		return t.gets(ctx, t.tx, t.address(), 1)
	}
	return t.commit(ctx)
}

// body does some steps.
func (t *transaction) body(ctx context.Context, tx history.Tx, depth int) error {
	at := t.address()
	for range 1 + t.IntN(10) {
		if t.one(2) {
			at = t.address()
		}
		var err error
		switch n := t.IntN(100); {
		case n < 8:
			err = t.fill(ctx, tx, at)
		case n < 16:
			t.getMany(ctx, tx, at)
		case n < 45:
			err = t.load(ctx, tx, at)
		case n < 60 && !t.readOnly:
			err = t.write(ctx, tx, at)
		case n < 64 && !t.readOnly:
			err = t.remove(tx, at.slot())
		case n == 64 && !t.readOnly:
			err = t.clearAll(tx)
		case n < 72 && !t.readOnly && depth < 2:
			err = t.savepoint(ctx, tx, depth)
		default:
			most := 150
			if t.plan.Quick {
				most = 40
			}
			err = t.gets(ctx, tx, at, 1+t.IntN(most))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// write writes a row, and takes away what caches show of it: before that, right
// after it, to set the new value instead, or later.
func (t *transaction) write(ctx context.Context, tx history.Tx, s address) error {
	early := t.one(3)
	if early {
		if err := t.removeRow(tx, s); err != nil {
			return err
		}
		t.linger()
	}
	if err := t.session.write(ctx, t.row(s)); err != nil {
		return err
	}
	if early {
		return nil
	}
	for _, at := range showing(s) {
		t.belief.owed[at] = true
	}
	if !t.one(3) {
		return nil
	}
	if err := t.removeRow(tx, s); err != nil {
		return err
	}
	return t.fill(ctx, tx, s)
}

// showing returns where the row of an address is shown.
func showing(s address) (all []slot) {
	for i, c := range world.Caches {
		if c.Table == world.Caches[s.cache].Table {
			all = append(all, slot{i, s.key})
		}
	}
	return all
}

// removeRow takes away what caches show of the row of an address.
func (t *transaction) removeRow(tx history.Tx, s address) error {
	for _, at := range showing(s) {
		if err := t.remove(tx, at); err != nil {
			return err
		}
	}
	return nil
}

// pay takes away what is owed.
func (t *transaction) pay() error {
	for i := range world.Caches {
		for key := range world.Keys {
			if at := (slot{i, key}); t.belief.owed[at] {
				if err := t.remove(t.tx, at); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// remove takes away what a cache shows of a key: the key, more often than not,
// or a tag that all its values bear, or all that the cache holds.
func (t *transaction) remove(tx history.Tx, at slot) error {
	switch n := t.IntN(8); {
	case n == 0:
		return t.clear(tx, at.cache)
	case n < 3 && world.Caches[at.cache].Tagged:
		return t.clearTag(tx, at.key)
	}
	t.belief.delete(at)
	t.board.Add(Deletes, 1)
	return tx.Delete(at.cache, world.Keys[at.key])
}

// clearTag clears the tag that all values of a key bear.
func (t *transaction) clearTag(tx history.Tx, key int) error {
	for i, c := range world.Caches {
		if c.Tagged {
			t.belief.delete(slot{i, key})
		}
	}
	t.board.Add(Tags, 1)
	return tx.ClearTags(history.Value{Key: world.Keys[key]}.Tags()[0])
}

func (t *transaction) clear(tx history.Tx, cache int) error {
	t.belief.clear(cache)
	return tx.Clear(cache)
}

func (t *transaction) clearAll(tx history.Tx) error {
	for i := range world.Caches {
		t.belief.clear(i)
	}
	return tx.ClearAll()
}

// savepoint does some steps in a savepoint of both sides, and undoes it more
// often than not.
func (t *transaction) savepoint(ctx context.Context, tx history.Tx, depth int) error {
	end, err := t.session.savepoint(ctx)
	if err != nil {
		return err
	}
	belief := t.belief.clone()
	err = tx.Savepoint(func(tx history.Tx) error {
		if err := t.body(ctx, tx, depth+1); err != nil {
			return err
		}
		if t.one(3) {
			return nil
		}
		return errUndo
	})
	switch {
	case errors.Is(err, errUndo):
		t.belief = belief
		return end(true)
	case err != nil:
		return err
	}
	return end(false)
}

// linger lets others go on, now and then for longer.
func (t *transaction) linger() {
	switch n := t.IntN(100); {
	case n == 0:
		time.Sleep(time.Duration(t.IntN(3000)) * time.Microsecond)
	case n < 12:
		time.Sleep(time.Duration(t.IntN(100)) * time.Microsecond)
	}
}
