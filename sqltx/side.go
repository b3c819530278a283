package sqltx

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/seed-dad15c92/txcache"
)

// A side is the database's side of a transaction. It begins when begin is called: at
// once where that is necessary, else with the first statement. It is safe for
// concurrent use.
type side struct {
	db       *sql.DB
	opts     sql.TxOptions
	ctx      context.Context // the caller's, at whose end the transaction is rolled back
	database string          // its name in the store
	enlisted bool            // the state of the cache is in the database
	tx       *Tx             // whose field Tx is set when the transaction has begun

	begun  atomic.Pointer[sql.Tx] // set once
	broken atomic.Pointer[error]  // why nothing may be done any more but a rollback; nil: it may

	once   sync.Once
	timely bool // of inTime

	mu      sync.Mutex
	stop    func() bool             // stops waiting for the end of ctx; nil: nobody waits
	attempt *attempt                // the BEGIN that is under way; nil: none is
	abort   context.CancelCauseFunc // ends the context of the transaction that has begun
	ended   bool                    // without having begun
	cache   *txcache.Tx             // the cache's side, which is rolled back at the end of ctx too; nil: it has not begun
	open    []string                // savepoints that the database has not been told of; not changed during an attempt
	named   int                     // savepoints so far
}

// An attempt is a BEGIN that is under way.
type attempt struct {
	ctx   context.Context
	abort context.CancelCauseFunc // ends ctx
	done  chan struct{}           // closed when it has been answered, and the fields below are set
	err   error
	left  bool // the caller that made it has gone: its error is nobody else's
}

var errPanic = errors.New("txcache: the driver did not return from the begin of a transaction")

// begin returns the transaction of database/sql. If it has not begun, begin begins it:
// one of several callers does so, and the others wait. An error of the database is
// that of all who have waited, and changes nothing: the next caller tries again.
func (s *side) begin(ctx context.Context) (*sql.Tx, error) {
	for {
		if t := s.begun.Load(); t != nil {
			if err := s.broken.Load(); err != nil {
				return nil, *err
			}
			return t, nil
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		a, mine, err := s.attend()
		switch {
		case err != nil:
		case mine:
			err = s.try(ctx, a)
		case a != nil:
			err = a.wait(ctx)
		}
		if err != nil {
			return nil, err
		}
	}
}

// attend returns the attempt that is under way, or a new one, which is the caller's then.
// It returns nil if the transaction has begun.
func (s *side) attend() (a *attempt, mine bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.begun.Load() != nil:
		return nil, false, nil
	case s.ended || s.ctx.Err() != nil:
		return nil, false, sql.ErrTxDone
	case s.attempt != nil:
		return s.attempt, false, nil
	}
	// Drivers keep the context of the begin for the commit. The end of the caller's
	// must not reach that, so it is passed on by hand, and only until then.
	under, abort := context.WithCancelCause(context.WithoutCancel(s.ctx))
	s.wait()
	s.attempt = &attempt{ctx: under, abort: abort, done: make(chan struct{})}
	return s.attempt, true, nil
}

// wait returns the error of an attempt that another goroutine makes, or nil if it must
// be looked again.
func (a *attempt) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-a.done:
	}
	if a.left {
		return nil
	}
	return a.err
}

// try makes an attempt: it sends BEGIN and the savepoints that are open.
func (s *side) try(ctx context.Context, a *attempt) (err error) {
	var t *sql.Tx
	err = errPanic
	defer func() { err = s.settle(ctx, a, t, err) }() // also if the driver panics
	stay := func() bool { return true }
	if ctx.Done() != s.ctx.Done() { // the statement's caller may leave before the transaction's
		stay = context.AfterFunc(ctx, func() { a.abort(context.Cause(ctx)) })
	}
	t, err = s.db.BeginTx(a.ctx, &s.opts)
	for i := 0; err == nil && i < len(s.open); i++ {
		_, err = t.ExecContext(a.ctx, setSavepoint+s.open[i])
	}
	if !stay() {
		err = ctx.Err()
	}
	return err
}

// settle ends an attempt, whose transaction is t, and returns the error of its caller.
func (s *side) settle(ctx context.Context, a *attempt, t *sql.Tx, err error) error {
	defer close(a.done)
	if err == nil && s.take(t) {
		return nil
	}
	if t != nil {
		t.Rollback()
	}
	a.abort(err)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attempt = nil
	if s.ended && s.stop != nil {
		s.stop() // this attempt may wait after the end did not any more
	}
	switch {
	case ctx.Err() != nil:
		a.left = true
		return ctx.Err()
	case s.ended || s.ctx.Err() != nil:
		err = sql.ErrTxDone
	}
	a.err = err
	return err
}

// take makes t the transaction, unless that has ended meanwhile.
func (s *side) take(t *sql.Tx) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return false
	}
	s.abort, s.attempt, s.open = s.attempt.abort, nil, nil
	s.tx.Tx = t
	s.begun.Store(t)
	return true
}

// end ends the transaction if it has not begun. It reports whether it was open, and
// returns it if it has begun, for the caller to end it. A BEGIN that is under way is given
// up, and waited for.
func (s *side) end() (t *sql.Tx, open bool) {
	s.mu.Lock()
	if t := s.begun.Load(); t != nil {
		s.mu.Unlock()
		return t, true
	}
	open, a := !s.ended, s.attempt
	s.ended = true
	s.mu.Unlock()
	if a != nil {
		a.abort(sql.ErrTxDone)
		<-a.done
	}
	return nil, open
}

// expire is called when the context has ended.
func (s *side) expire() {
	cause := context.Cause(s.ctx)
	s.mu.Lock()
	abort, cache := s.abort, s.cache
	if s.begun.Load() == nil {
		s.ended = true
		if s.attempt != nil {
			abort = s.attempt.abort
		}
	}
	s.mu.Unlock()
	if abort != nil {
		abort(cause) // database/sql rolls back
	}
	if cache != nil {
		cache.Rollback()
	}
}

// join gives the transaction its other side.
func (s *side) join(cache *txcache.Tx) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cache, s.tx.Cache = cache, cache
}

// wait makes the transaction wait for the end of its context. s.mu must be held, unless
// nobody else has the transaction yet.
func (s *side) wait() {
	if s.stop == nil && s.ctx.Done() != nil {
		s.stop = context.AfterFunc(s.ctx, s.expire)
	}
}

// inTime stops waiting for the end of the context. It returns false if that came first.
func (s *side) inTime() bool {
	s.once.Do(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.stop == nil {
			s.timely = s.ctx.Err() == nil
		} else {
			s.timely = s.stop()
		}
	})
	return s.timely
}

// rollback rolls the transaction back, and returns sql.ErrTxDone if it had ended before.
func (s *side) rollback() error {
	t, open := s.end()
	switch {
	case t != nil:
		return t.Rollback()
	case !open:
		return sql.ErrTxDone
	}
	return nil
}
