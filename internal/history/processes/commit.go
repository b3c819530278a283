package processes

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-dad15c92/txcache/internal/history"
)

// commit commits, on the cache and in the database, in one of the ways in which
// that can end.
func (t *transaction) commit(ctx context.Context) error {
	if err := t.pay(); err != nil {
		return err
	}
	how := whole
	if written := len(t.session.own) > 0; written && t.session.tx != nil {
		outcomes := 40
		if t.plan.Quick {
			outcomes = 800
		}
		switch n := t.IntN(outcomes); {
		case n < 3:
			if err := t.session.doom(ctx); err != nil {
				return err
			}
		case n == 3:
			how = unsent
		case n == 4:
			how = answered
		}
	}
	c := &commitment{transaction: t, how: how}
	if len(t.session.own) > 0 {
		ctx, c.passage = passing(ctx)
	}
	faults := t.board.Count(Faults)
	err := t.tx.CommitWith(ctx, func(ctx context.Context) error {
		c.answer = c.database(ctx, faults)
		c.ran = true
		return c.answer
	})
	t.ended = true
	c.returned(err)
	return errors.Join(err, t.gets(ctx, t.tx, t.address(), 1))
}

// A commitment is the end of a transaction.
type commitment struct {
	*transaction
	how     cut
	passage *passage // nil if it has written nothing
	ran     bool
	answer  error // of the database
	late    bool  // a fault may have taken the fence down before it took effect
}

// database commits in the database.
func (c *commitment) database(ctx context.Context, faults uint64) error {
	s := c.session
	if len(s.own) == 0 {
		return s.commit(ctx)
	}
	began := time.Now()
	c.pass(BeforeCommit)
	committing.RLock()
	frozen := time.Since(began) > c.plan.Lease
	p, ok := c.board.wanted()
	slow := c.plan.Slow > 0 && (c.one(c.plan.Slow) || ok && (p == BeforeRenewal || p == AfterRenewal))
	if slow { // the fence is renewed meanwhile
		time.Sleep(c.plan.Lease * time.Duration(50+c.IntN(100)) / 100)
	}
	c.linger()
	if c.passage.lapsed(c.plan.Lease) { // the limit: nobody is bound to know of it before its clear has arrived
		c.board.Add(Lapsed, 1)
		faults |= 1
	}
	s.sending(faults)
	if s.tx != nil {
		lineOf(s.conn).cut.Store(int32(c.how))
	}
	err := s.commit(ctx)
	committing.RUnlock()
	if s.unknown && c.how != whole {
		err = fmt.Errorf("%w: %w", errCut, err) // the driver does not always say so
	}
	what := isShown
	switch {
	case s.unknown:
		c.board.Add(Ambiguous, 1)
		what = isUnsure
	case err != nil:
		what = fails
	}
	c.late = faults%2 != 0 || faults != c.board.Count(Faults)
	for _, r := range s.rows() {
		v := versionOf(s.life, s.own[r])
		c.board.tell(r, c.who, what, v)
		if !c.late {
			c.board.counts(v.write())
		}
		if err == nil {
			c.horizon.did(r, v)
			if !c.late {
				c.board.known(r, v)
			}
		}
	}
	c.linger()
	if slow || frozen { // the database's answer takes its time, too
		time.Sleep(c.plan.Lease * time.Duration(c.IntN(40)) / 100)
	}
	c.pass(AfterCommit)
	return err
}

// returned notes what CommitWith has answered.
func (c *commitment) returned(err error) {
	if c.ran && !errors.Is(err, c.answer) {
		c.violated(history.Failed, fmt.Sprintf("CommitWith answered %v, the database %v", err, c.answer), 0)
	}
	if !c.ran || len(c.session.own) == 0 {
		return
	}
	c.board.Add(Commits, 1)
	for _, r := range c.session.rows() {
		c.board.tell(r, c.who, returns, versionOf(c.session.life, c.session.own[r]))
	}
	if c.late {
		c.owe(c.session)
	}
	c.settle()
}
