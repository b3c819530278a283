package history

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// commit commits, on the cache and in the database.
func (t *transaction) commit(ctx context.Context, s Step) {
	mine := false
	err := t.ordered(func() error {
		err := t.pay(t.tx, s, func(slot) bool { return true })
		mine = err == nil
		t.over.Store(mine)
		return err
	})
	if t.failed(err) {
		t.rollback()
	}
	if !mine {
		return
	}
	t.tell(t, "commits")
	if t.running == nil { // what another goroutine is just looking up may be undone before it is judged
		defer t.change()()
	}
	ran := false
	var answer error
	event := t.truth.committing(t.server)
	returned := t.kept.begin(t.clears())
	err = func() (err error) {
		defer func() {
			if p := recover(); p == errCommit {
				err = errCommit
			} else if p != nil {
				panic(p)
			}
		}()
		return t.tx.CommitWith(ctx, func(context.Context) error {
			ran = true
			t.commits(true)
			t.pause()
			answer = t.commitDatabase(s.Outcome, event)
			t.pause()
			t.commits(false)
			if s.Outcome == Panics {
				panic(answer)
			}
			return answer
		})
	}()
	t.truth.committed(event)
	if s.Outcome == Commits || s.Outcome == Fails { // else nobody knows, and the fence stands
		returned(t.truth.tick())
	}
	t.session.rollback() // if the commit was not run
	t.end()
	t.tell(t, "has committed: %v", err)
	if ran && !errors.Is(err, answer) {
		t.violated(t, Failed, fmt.Sprintf("CommitWith answered %v, the database %v", err, answer))
	}
	t.failed(err)
}

func (t *transaction) commitDatabase(o Outcome, e *event) error {
	if o == Fails || o == Lost || o == Panics {
		t.session.rollback()
		t.tell(t, "fails to commit in the database")
		if o == Fails {
			return ErrNotCommitted
		}
		return errCommit
	}
	if err := t.session.commit(e); err != nil {
		return err
	}
	t.tell(t, "is committed in the database")
	if o == Ambiguous {
		return errCommit
	}
	return nil
}

// rollback rolls the transaction back, if it is not over. If another goroutine
// is just committing it, that is asked for all the same, as by a deferred call.
func (t *transaction) rollback() {
	t.order.Lock()
	over := t.over.Swap(true)
	t.order.Unlock()
	if over {
		if t.isCommitting() {
			_ = t.tx.Rollback() // it says that it is too late
		}
		return
	}
	defer t.change()() // another goroutine may look before the cache's side is rolled back too
	t.session.rollback()
	t.failed(t.tx.Rollback())
	t.end()
	t.tell(t, "has rolled back")
}

// end notes that the transaction has ended: nobody has hits in it any more.
func (s *transactionState) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
}

// commits notes whether the database's commit is running.
func (s *transactionState) commits(running bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.committing = running
}

func (s *transactionState) isCommitting() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.committing
}

// A drop that is refused is tried that often again, with that wait.
const (
	dropTries = 1000
	dropWait  = 10 * time.Millisecond
)

// drop removes a database, drops it on one server, and makes it again.
func (t *transaction) drop(ctx context.Context) {
	if !t.truth.remove(t.database) {
		return
	}
	t.tell(t, "removes database %q", t.database)
	t.pause()
	open := t.opened(t.server, t.database)
	returned := t.kept.begin([]any{t.database})
	err := t.servers[t.server].Drop(ctx, t.database)
	for n := 0; n < dropTries && errors.Is(err, ErrRefused); n++ {
		time.Sleep(dropWait)
		err = t.servers[t.server].Drop(ctx, t.database)
	}
	t.detach(open)
	t.tell(t, "has dropped %q on server %d", t.database, t.server)
	t.pause()
	t.truth.create(t.database, t.server)
	returned(t.truth.tick())
	t.failed(err)
}
