package backendtest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/cause"
)

// An EnlisterAuthority is an SQL database, or what behaves like one, in which Enlisters
// keep their generations, which none has used before.
type EnlisterAuthority struct {
	// Open returns an Enlister on the authority. Each call stands for another process. The rules close
	// what they open. It is required.
	Open func(ctx context.Context) (backend.Enlister, error)

	// Begin begins a transaction. The rules ask for LevelRepeatableRead, for one snapshot, and for
	// LevelReadCommitted. Those that are ReadOnly do not write. The rules end what they begin. It is required.
	Begin func(ctx context.Context, opts *sql.TxOptions) (EnlistedTx, error)

	// AlwaysExact says that there is nothing like LevelReadCommitted.
	AlwaysExact bool

	// OneWriter says that only one transaction that is not ReadOnly can be open at once.
	OneWriter bool

	// Fold makes a database's records fewer. nil: that cannot be told to.
	Fold func(ctx context.Context, database string) error

	// Lose takes away all records of a database. nil: that cannot be.
	Lose func(ctx context.Context, database string) error

	// Backup returns a function that makes everything what it is now. No transaction is open when either is called.
	// nil: that cannot be.
	Backup func(ctx context.Context) (restore func(ctx context.Context) error, err error)
}

// An EnlistedTx is a transaction of the authority.
type EnlistedTx interface {
	backend.Querier
	Commit() error
	Rollback() error
}

// An EnlisterRule is one thing that users of an Enlister rely on.
type EnlisterRule struct {
	Name string // lower-case words joined by hyphens, unique
	Why  string // what goes wrong for users of an Enlister that breaks it

	run func(t *enlisterTrial)
}

// RunEnlister checks every rule of Enlisters in a subtest of its own, on an authority of its
// own from open. The rules of Run do not apply to Enlisters, which have no fences.
func RunEnlister(t *testing.T, open func(t *testing.T) EnlisterAuthority) {
	for _, rule := range EnlisterRules() {
		t.Run(rule.Name, func(t *testing.T) {
			err := rule.Check(t.Context(), open(t))
			if errors.Is(err, ErrSkipped) {
				t.Skip(err)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// Check holds the Enlisters of a to the rule. It returns nil if they keep it, an error that
// wraps [ErrSkipped] if the rule does not apply, and otherwise one that tells what was
// seen and why it matters. The authority must be fresh.
func (r EnlisterRule) Check(ctx context.Context, a EnlisterAuthority) error {
	if a.Open == nil || a.Begin == nil {
		return errors.New("txcache: backendtest: EnlisterAuthority has no Open or no Begin")
	}
	t := &enlisterTrial{EnlisterAuthority: a, trial: &trial{ctx: ctx}}
	t.parallel(1, func(int) {
		defer t.end()
		t.first = t.open("the first process")
		r.run(t)
	})
	if err := t.outcome(); errors.Is(err, ErrSkipped) {
		return err
	} else if err != nil {
		return fmt.Errorf("txcache: enlister breaks the rule %s: %w\n%s", r.Name, cause.Of(err), r.Why)
	}
	return nil
}

// An enlisterTrial is one check of one rule. Its first failure ends it.
type enlisterTrial struct {
	EnlisterAuthority
	*trial
	first  *process
	opened []*process
	begun  []*enlistedTx
}

func (t *enlisterTrial) end() {
	for _, tx := range t.begun {
		_ = tx.EnlistedTx.Rollback()
	}
	for _, p := range t.opened {
		if err := p.Enlister.Close(); err != nil {
			t.fail(fmt.Errorf("closing %s: %w", p.name, err))
		}
	}
}

// within calls do with a context that ends.
func (t *enlisterTrial) within(what string, do func(ctx context.Context) error) {
	ctx, cancel := context.WithTimeout(t.ctx, callLimit)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		err := errEnded
		defer func() {
			if p := recover(); p != nil {
				err = panicked(p)
			}
			done <- err
		}()
		err = do(ctx)
	}()
	select {
	case err := <-done:
		if err != nil {
			t.failf("%s: %w", what, err)
		}
	case <-time.After(2 * callLimit):
		t.failf("%s does not return", what)
		runtime.Goexit()
	}
}

// A process has an Enlister of its own.
type process struct {
	backend.Enlister
	t    *enlisterTrial
	name string
}

func (t *enlisterTrial) open(name string) *process {
	p := &process{t: t, name: name}
	t.within("opening "+name, func(ctx context.Context) (err error) {
		p.Enlister, err = t.Open(ctx)
		if err == nil && p.Enlister == nil {
			err = errors.New("it returned neither an Enlister nor an error")
		}
		return err
	})
	t.opened = append(t.opened, p)
	return p
}

func (p *process) sync(database string) (s *backend.State) {
	p.t.within(p.name+": Sync", func(ctx context.Context) (err error) {
		s, err = p.Sync(ctx, database)
		return orNil(s, err)
	})
	return s
}

func orNil(s *backend.State, err error) error {
	if err == nil && s == nil {
		return errors.New("it returned neither a State nor an error")
	}
	return err
}

func (p *process) clear(database string, f backend.Fence) (s *backend.State) {
	p.t.within(p.name+": Clear", func(ctx context.Context) (err error) {
		s, err = p.Clear(ctx, database, f)
		return orNil(s, err)
	})
	return s
}

func (p *process) drop(database string) {
	p.t.within(p.name+": Drop", func(ctx context.Context) error { return p.Drop(ctx, database) })
}

// state is what tx sees.
func (p *process) state(tx *enlistedTx, database string) (s *backend.State) {
	p.t.within(p.name+": State", func(ctx context.Context) (err error) {
		s, err = p.State(ctx, tx.EnlistedTx, database)
		return orNil(s, err)
	})
	return s
}

func (p *process) record(tx *enlistedTx, database string, from *backend.State, f backend.Fence) (generations []backend.Generation) {
	p.t.within(p.name+": Record", func(ctx context.Context) (err error) {
		generations, err = p.Record(ctx, tx.EnlistedTx, database, from, f)
		return err
	})
	if len(generations) != len(f.Caches) {
		p.t.failf("%s: Record of %d caches returned %d generations", p.name, len(f.Caches), len(generations))
	}
	for i, g := range generations {
		if g.Cache != f.Caches[i].Cache {
			p.t.failf("%s: Record returned a generation of %.40q, want the caches in the order of the fence", p.name, g.Cache)
		}
	}
	return generations
}

// commits records f in a transaction of its own, and returns the state that it began with.
func (p *process) commits(database string, f backend.Fence) (from *backend.State, generations []backend.Generation) {
	tx := p.t.begin(sql.LevelRepeatableRead, false)
	from = p.state(tx, database)
	generations = p.record(tx, database, from, f)
	tx.commit()
	return from, generations
}

// seen is what a transaction sees that begins now.
func (p *process) seen(database string) *backend.State {
	tx := p.t.begin(sql.LevelRepeatableRead, true)
	defer tx.rollback()
	return p.state(tx, database)
}

type enlistedTx struct {
	EnlistedTx
	t *enlisterTrial
}

func (t *enlisterTrial) begin(level sql.IsolationLevel, readOnly bool) *enlistedTx {
	tx := &enlistedTx{t: t}
	t.within("Begin", func(ctx context.Context) (err error) {
		tx.EnlistedTx, err = t.Begin(t.ctx, &sql.TxOptions{Isolation: level, ReadOnly: readOnly})
		return err
	})
	t.begun = append(t.begun, tx)
	return tx
}

func (tx *enlistedTx) commit() {
	tx.t.within("Commit", func(context.Context) error { return tx.Commit() })
}

func (tx *enlistedTx) rollback() {
	tx.t.within("Rollback", func(context.Context) error { return tx.Rollback() })
}

// shared fails the trial if all caches of s are private to each transaction.
func (t *enlisterTrial) shared(s *backend.State, when string) {
	if s.AllFenced {
		t.failf("%s: all caches are private", when)
	}
}

// token fails the trial unless the token of a cache is that.
func (t *enlisterTrial) token(s *backend.State, when, cache string, want backend.Token) {
	if got := s.Token(cache); got != want {
		t.failf("%s: cache %.40q is at %s, want %s", when, cache, got, want)
	}
}

// newToken fails the trial if a cache has in s the token that it has in one of old.
func (t *enlisterTrial) newToken(s *backend.State, when, cache string, old ...*backend.State) {
	for _, o := range old {
		if s.Token(cache) == o.Token(cache) {
			t.failf("%s: cache %.40q is at %s, as it was before", when, cache, s.Token(cache))
		}
	}
}

// key fails the trial unless the sum of a key is that.
func (t *enlisterTrial) key(s *backend.State, when, cache string, hash, want uint64) {
	if got := s.Sums.Of(cache).Key(hash); got != want {
		t.failf("%s: key %x of cache %.40q has the sum %d, want %d", when, hash, cache, got, want)
	}
}

// same fails the trial unless two states have the same tokens and sums.
func (t *enlisterTrial) same(got, want *backend.State, when string, caches []string, hashes ...uint64) {
	for _, cache := range caches {
		t.token(got, when, cache, want.Token(cache))
		for _, hash := range hashes {
			t.key(got, when, cache, hash, want.Sums.Of(cache).Key(hash))
		}
	}
	for _, hash := range hashes {
		t.key(got, when, "", hash, want.Sums.Of("").Key(hash))
	}
}
