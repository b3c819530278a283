package baseline

import (
	"context"
	"slices"
	"strconv"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/enlistertest"
	"github.com/seed-dad15c92/txcache/internal/history"
)

// An enlister is a server whose generations are in the database.
type enlister struct{ *server }

// An enlisted is what a transaction knows of the generations by its own side in the database.
type enlisted struct {
	q       *enlistertest.Tx
	state   *backend.State
	tokens  []backend.Token // of the caches
	private bool            // the state has no epoch
}

// A generation is in the key of a value.
type generation struct {
	token backend.Token
	newer bool // the value may be newer than what the token stands for
	key   any
}

func (s enlister) Clears() *enlistertest.DB { return s.clears }

func (s enlister) Enlist(ctx context.Context, database string, q *enlistertest.Tx, readOnly bool) (history.Tx, error) {
	state, err := s.enlister.State(ctx, q, database)
	if err != nil {
		return nil, err
	}
	e := &enlisted{q: q, state: state, private: state.AllFenced && !s.scheme.Epochless}
	for _, c := range s.caches {
		token := state.Token(c.Name)
		if s.scheme.Highest {
			token = backend.Token(strconv.FormatUint(q.Highest(database, c.Name), 36))
		}
		e.tokens = append(e.tokens, token)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.begin(database, readOnly)
	t.enlisted = e
	s.newest[database] = e
	return &tx{transaction: t}, nil
}

// generation returns the key under which the transaction looks for a value, or fills.
func (t *transaction) generation(at any, cache int, fills bool) generation {
	g := generation{t.enlisted.tokens[cache], !t.enlisted.q.Exact(), at}
	if t.scheme.Newest {
		t.mu.Lock()
		defer t.mu.Unlock()
		g.token = t.newest[t.database].tokens[cache]
	}
	g.newer = g.newer && !t.scheme.Mixed && !(fills && t.scheme.Loose)
	return g
}

// record writes what the transaction has cut off into the database: whole caches, as
// this is enough. What it has set in them stays its own.
func (t *tx) record(ctx context.Context) error {
	f := backend.Fence{ID: backend.NewToken()}
	for cache, c := range t.caches {
		if t.cuts.cleared[cache] || t.deletesIn(t.transaction, cache) || c.Tagged && len(t.cuts.tags) > 0 {
			f.Caches = append(f.Caches, backend.Generation{Cache: c.Name})
		}
	}
	if len(f.Caches) == 0 {
		return nil
	}
	t.forget(func(e entry) bool {
		return slices.ContainsFunc(f.Caches, func(g backend.Generation) bool { return g.Cache == e.cache })
	})
	_, err := t.enlister.Record(ctx, t.enlisted.q, t.database, t.enlisted.state, f)
	return err
}

// commitEnlisted is CommitWith for an enlisted transaction.
func (t *tx) commitEnlisted(ctx context.Context, commit func(context.Context) error) error {
	t.private.Lock()
	err := t.record(ctx)
	t.private.Unlock()
	if err != nil {
		return err
	}
	if err := commit(ctx); err != nil {
		return err
	}
	t.private.Lock()
	defer t.private.Unlock()
	own := overlay{}
	for _, e := range t.own {
		own[e.at] = e
	}
	t.set(t.transaction, own)
	return nil
}
