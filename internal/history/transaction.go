package history

import (
	"context"
	"errors"
	"time"
)

// ErrNotCommitted is the database's refusal of a commit, of which a server may be
// sure. With any other error of a commit function nobody knows what became of it.
var ErrNotCommitted = errors.New("history: the database has refused the commit")

// What the steps themselves make fail.
var (
	errCommit   = errors.New("history: the database's commit failed")
	errUndo     = errors.New("history: the savepoint is undone")
	errOver     = errors.New("history: the transaction is over")
	errExpected = []error{errGone, errCommit, ErrNotCommitted, errUndo, errOver}
)

// A transaction plays those steps of one transaction that are one goroutine's,
// on the cache under test and on the simulated database.
type transaction struct {
	*play
	*transactionState
	goroutine int
	feed      func() Step // waits for the next step; end when there are no more

	waiting bool // a step came during a pause, and is not played yet
	next    Step // that step
	last    Step // that was played
	panics  bool // the savepoint is undone by a panic

	// others starts the other goroutines, and returns what waits for them; nil
	// if they start by themselves.
	others func(*transactionState) (wait func())
}

// run plays a transaction, or a drop, from its first step to its last.
func (t *transaction) run(ctx context.Context) {
	s := t.step()
	t.server, t.database, t.readOnly, t.several = s.Server, t.world.Databases[s.Database], s.ReadOnly, s.Shared
	switch s.Do {
	case Begin:
		t.begin(ctx, s)
	case Drop:
		t.drop(ctx)
	case Break:
		fault := t.world.Faults[s.Fault]
		t.faults.Add(1)
		t.tell(t, "suffers a fault: %s", fault.Name)
		if fault.Unfences {
			defer t.truth.unfence()()
		}
		fault.Befall(ctx)
	}
}

func (t *transaction) step() Step {
	t.steps.Add(1)
	if t.waiting {
		t.waiting = false
		return t.next
	}
	return t.feed()
}

// pause lets others go on until this goroutine's next step.
func (t *transaction) pause() {
	if t.waiting {
		return
	}
	if s := t.feed(); s.Do != Continue {
		t.waiting, t.next = true, s
	}
}

func (t *transaction) begin(ctx context.Context, s Step) {
	var ok bool
	t.truth.arrive(t.servers)
	if t.lowerBound, t.tick, t.life, ok = t.truth.now(t.database); !ok {
		return // nobody uses a database that is not there
	}
	t.session = t.truth.session(t.id, t.database, s.Repeatable)
	t.since = time.Now().Add(-t.world.Late)
	var tx Tx
	var err error
	if e, enlists := t.servers[t.server].(Enlister); enlists {
		defer t.session.rollback() // if it has no other side
		tx, err = t.enlist(ctx, e, s.Behind)
	} else {
		tx, err = t.servers[t.server].Begin(ctx, t.database, t.readOnly)
	}
	t.tell(t, "begins on server %d in %q, read-only %v, repeatable read %v", t.server, t.database, t.readOnly, s.Repeatable)
	if t.failed(err) {
		return
	}
	t.tx = tx
	t.began(t.transactionState)
	defer t.left(t.transactionState)
	wait := func() {}
	if t.others != nil {
		wait = t.others(t.transactionState)
	}
	t.body(ctx, tx, 0)
	wait()
	t.rollback()
	t.get(ctx, tx, s)
}

// join plays the steps of another goroutine than that which began.
func (t *transaction) join(ctx context.Context) {
	t.body(ctx, t.tx, 0)
	t.get(ctx, t.tx, t.last)
}

// body plays steps up to the end of the savepoint that it is in, or of the
// transaction.
func (t *transaction) body(ctx context.Context, tx Tx, depth int) error {
	for !t.over.Load() {
		s := t.step()
		if t.last = s; t.over.Load() && s.Do != Rollback {
			break
		}
		var err error
		switch s.Do {
		case Snapshot:
			err = t.session.begin()
			t.tell(t, "takes its snapshot")
		case Get:
			t.get(ctx, tx, s)
		case GetMany:
			t.getMany(ctx, tx, s)
		case Load:
			err = t.load(ctx, tx, s)
		case LoadMany:
			err = t.loadMany(ctx, tx, s)
		case Fill:
			err = t.fill(tx, s)
		case Write:
			err = t.ordered(func() error { return t.write(tx, s) })
		case Clear:
			err = t.ordered(func() error { return t.clear(tx, s.Cache) })
		case Delete:
			err = t.ordered(func() error { return t.delete(tx, slot{s.Cache, t.world.Keys[s.Key]}) })
		case ClearTag:
			err = t.ordered(func() error { return t.clearTags(tx, t.tag(s)) })
		case ClearAll:
			err = t.ordered(func() error { return t.clearAll(tx) })
		case Savepoint:
			err = t.savepoint(ctx, tx, depth)
		case Release:
			if depth > 0 {
				return nil
			}
		case Undo:
			if depth > 0 {
				t.panics = s.Panic
				return errUndo
			}
		case Commit:
			if depth > 0 { // first the savepoints
				t.waiting, t.next = true, s
				return nil
			}
			t.commit(ctx, s)
			return errOver
		case Rollback:
			t.rollback()
			return errOver
		case end:
			return errOver // whoever began it rolls it back
		}
		if err != nil {
			t.failed(err)
			t.rollback()
			return errOver
		}
	}
	return errOver
}

// write changes a row, with t.order held.
func (t *transaction) write(tx Tx, s Step) error {
	if t.readOnly {
		return nil
	}
	table, key := t.world.Caches[s.Cache].Table, t.world.Keys[s.Key]
	clearFirst := s.ClearFirst && !t.several // or others load in between
	if clearFirst {
		if err := t.clearBefore(tx, table, key, s); err != nil {
			return err
		}
		t.pause()
	}
	n, before, err := t.session.write(table, key, s.Gone)
	switch {
	case errors.Is(err, errLocked):
		return nil // this user does not wait
	case errors.Is(err, errConflict):
		t.tell(t, "cannot write: %v", err)
		return errOver
	case err != nil:
		return err
	}
	t.tell(t, "writes w%d to row %q of table %d, and removes it: %v", n, key, table, s.Gone)
	if clearFirst {
		return nil
	}
	t.owe(table, Value{Key: key, Write: before.number, Gone: before.gone})
	if s.ClearFirst {
		return t.pay(tx, s, func(at slot) bool { return t.shows(at, table) && at.key == key })
	}
	return nil
}

// savepoint plays what is within a savepoint. On both sides it begins, and is
// undone, with t.order held: in the database before the cache. Others neither
// write nor clear in between, and what they load is not kept.
func (t *transaction) savepoint(ctx context.Context, tx Tx, depth int) (err error) {
	t.order.Lock()
	if t.over.Load() || t.saver != nil && t.saver != t {
		t.order.Unlock()
		return nil // a database nests savepoints; it cannot let them overlap
	}
	t.saver = t
	t.tell(t, "opens savepoint %d", depth+1)
	changed := t.change()
	var belief belief
	undone := false
	func() {
		defer func() {
			if p := recover(); p == errUndo {
				err = errUndo
			} else if p != nil {
				panic(p)
			}
		}()
		err = tx.Savepoint(func(tx Tx) error {
			belief = t.believed()
			undo := t.session.savepoint()
			changed()
			t.order.Unlock()
			err := t.body(ctx, tx, depth+1)
			t.order.Lock()
			changed = t.change()
			if err == nil || t.over.Load() {
				return nil
			}
			undo()
			undone = true
			if err == errUndo && t.panics {
				panic(errUndo)
			}
			return err
		})
	}()
	if undone {
		t.undone(belief, len(t.world.Caches))
		t.tell(t, "undoes savepoint %d", depth+1)
	}
	if depth == 0 {
		t.saver = nil
	}
	changed()
	t.order.Unlock()
	if err == errUndo {
		err = nil
	}
	return err
}

// failed reports whether err is an error, and whether it is one that nobody
// made happen.
func (t *transaction) failed(err error) bool {
	if err == nil {
		return false
	}
	if len(t.world.Faults) > 0 && errors.Is(err, ErrRefused) {
		return true
	}
	if t.over.Load() && errors.Is(err, ErrEnded) {
		return true
	}
	for _, expected := range errExpected {
		if errors.Is(err, expected) {
			return true
		}
	}
	t.violated(t, Failed, err.Error())
	return true
}
