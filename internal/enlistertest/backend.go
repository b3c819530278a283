package enlistertest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/seed-dad15c92/txcache/backend"
)

// A Backend is an Enlister over a DB. Several Backends on one DB are as several
// processes. It is safe for concurrent use.
type Backend struct {
	db     *DB
	closed atomic.Bool

	mu     sync.Mutex
	known  map[string][]known // States by database
	heads  map[string]head
	chains uint64 // so far
}

// A head is the last State of a chain, and the transactions whose clears it shows.
type head struct {
	state *backend.State
	shows map[*row]bool
	keys  map[place]uint64
}

type known struct {
	state *backend.State
	keys  map[place]uint64 // what state.Sums is made of
}

var _ backend.Isolated = (*Backend)(nil)

// Backend returns a new Enlister over db.
func (db *DB) Backend() *Backend {
	return &Backend{db: db, known: map[string][]known{}, heads: map[string]head{}}
}

func (b *Backend) usable(ctx context.Context) error {
	if b.closed.Load() {
		return backend.ErrClosed
	}
	return ctx.Err()
}

// State returns the state that q shows.
func (b *Backend) State(ctx context.Context, q backend.Querier, database string) (*backend.State, error) {
	s, _, err := b.StateExact(ctx, q, database)
	return s, err
}

// StateExact is State, and tells whether q has one snapshot. Without rows it cannot be told, and
// it says false: the state is private then.
func (b *Backend) StateExact(ctx context.Context, q backend.Querier, database string) (*backend.State, bool, error) {
	if err := b.usable(ctx); err != nil {
		return nil, false, err
	}
	seen, exact := map[*row]bool{}, false
	err := q.Query(ctx, selectClears, []any{database}, func(scan func(...any) error) error {
		var r *row
		if err := scan(&r, &exact); err != nil {
			return err
		}
		seen[r] = true
		return nil
	})
	if err != nil {
		return nil, false, err
	}
	return b.state(database, seen), exact, nil
}

// state returns the State of rows. Equal sums are the same State, also if the rows are others.
func (b *Backend) state(database string, rows map[*row]bool) *backend.State {
	b.mu.Lock()
	defer b.mu.Unlock()
	caches, keys := map[string]sum{}, map[place]uint64{}
	for r := range rows {
		r.addTo(caches, keys)
	}
	base := caches[""]
	s := &backend.State{Epoch: base.token(), Base: base.token()}
	for _, cache := range slices.Sorted(maps.Keys(caches)) {
		if cache != "" {
			s.Caches = append(s.Caches, backend.Generation{Cache: cache, Token: base.plus(caches[cache]).token()})
		}
	}
	if base.n == 0 {
		s.AllFenced = true
		b.begin(database)
	}
	for _, k := range b.known[database] {
		if k.state.Base == s.Base && slices.Equal(k.state.Caches, s.Caches) && maps.Equal(k.keys, keys) {
			return k.state
		}
	}
	for at, number := range keys {
		if at.group {
			s.Sums = s.Sums.AddGroup(at.cache, at.hash, number)
		} else {
			s.Sums = s.Sums.Add(at.cache, at.hash, number)
		}
	}
	b.known[database] = append(b.known[database], known{s, keys})
	b.order(database, s, rows, keys)
	return s
}

// order puts a new State at the end of the chain of its database, if it shows all that the last one
// shows. If it shows less, it has none, and otherwise it begins another one.
func (b *Backend) order(database string, s *backend.State, rows map[*row]bool, keys map[place]uint64) {
	next := head{s, map[*row]bool{}, keys}
	for r := range rows {
		next.shows[r] = true
		for _, of := range r.of {
			next.shows[of] = true
		}
	}
	last := b.heads[database]
	switch {
	case last.state != nil && subset(last.shows, next.shows):
		s.Chain, s.Step, s.TagSteps = last.state.Chain, last.state.Step+1, last.state.TagSteps
		for at, number := range keys {
			if at.cache == "" && last.keys[at] != number {
				if at.group {
					s.TagSteps = s.TagSteps.Raise("", s.Step)
				} else {
					s.TagSteps = s.TagSteps.Add(s.Step, backend.Keys{Hashes: []uint64{at.hash}})
				}
			}
		}
	case last.state != nil && subset(next.shows, last.shows):
		return
	default:
		b.chains++
		s.Chain = b.chains
	}
	b.heads[database] = next
}

func subset(some, all map[*row]bool) bool {
	for r := range some {
		if !all[r] {
			return false
		}
	}
	return true
}

// begin begins an epoch, unless what is committed has one.
func (b *Backend) begin(database string) {
	b.db.mu.Lock()
	defer b.db.mu.Unlock()
	base := sum{}
	for _, r := range b.db.now.rows[database] {
		base = base.plus(r.caches[""])
	}
	if base.n == 0 {
		next := b.db.now.clone()
		next.rows[database] = slices.Concat(next.rows[database], []*row{epoch()})
		b.db.now = next
	}
}

func epoch() *row {
	return &row{caches: map[string]sum{"": {n: 1, numbers: backend.NewToken().Number()}}}
}

func (s sum) token() backend.Token {
	return backend.Token(strconv.FormatUint(s.n, 36) + "-" + strconv.FormatUint(s.numbers, 36))
}

func sumOf(t backend.Token) (s sum, err error) {
	n, numbers, _ := strings.Cut(string(t), "-")
	if s.n, err = strconv.ParseUint(n, 36, 64); err != nil {
		return s, err
	}
	s.numbers, err = strconv.ParseUint(numbers, 36, 64)
	return s, err
}

// Record writes the clears of f into q.
func (b *Backend) Record(ctx context.Context, q backend.Querier, database string, from *backend.State, f backend.Fence) ([]backend.Generation, error) {
	if err := b.usable(ctx); err != nil {
		return nil, err
	}
	generations := make([]backend.Generation, 0, len(f.Caches))
	one := sum{n: 1, numbers: f.ID.Number()}
	for _, g := range f.Caches {
		s, err := sumOf(from.Token(g.Cache))
		if err != nil {
			return nil, fmt.Errorf("enlistertest: the state is none of an Enlister: %w", err)
		}
		token := s.plus(one).token()
		if from.AllFenced { // a state without rows is no set of clears that snapshots share: nobody sees this token
			token = f.ID
		}
		generations = append(generations, backend.Generation{Cache: g.Cache, Token: token})
	}
	if _, err := q.Exec(ctx, insertClears, []any{database, rowOf(f)}); err != nil {
		return nil, err
	}
	return generations, nil
}

func rowOf(f backend.Fence) *row {
	r, one := newRow(), sum{n: 1, numbers: f.ID.Number()}
	for _, g := range f.Caches {
		r.caches[g.Cache] = one
	}
	if f.All {
		r.caches = map[string]sum{"": one}
	}
	for _, k := range f.Keys {
		for _, hash := range k.Hashes {
			r.keys[place{k.Cache, hash, false}] = one.numbers
		}
	}
	return r
}

// Sync returns the state that a transaction sees which begins now.
func (b *Backend) Sync(ctx context.Context, database string) (*backend.State, error) {
	tx := b.db.Begin(false)
	defer tx.Rollback()
	s, err := b.State(ctx, tx, database)
	if err == nil && s.AllFenced {
		s, err = b.State(ctx, tx, database) // it has an epoch now
	}
	return s, err
}

// Fence does nothing.
func (b *Backend) Fence(ctx context.Context, _ string, _ backend.Fence) error { return b.usable(ctx) }

// Unfence does nothing.
func (b *Backend) Unfence(ctx context.Context, _ string, _ backend.Fence) error {
	return b.usable(ctx)
}

// Clear records f in a transaction of its own.
func (b *Backend) Clear(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
	if err := b.usable(ctx); err != nil {
		return nil, err
	}
	tx := b.db.Begin(false)
	defer tx.Rollback()
	if _, err := tx.Exec(ctx, insertClears, []any{database, rowOf(f)}); err != nil {
		return nil, err
	}
	if err := tx.Commit(); err != nil {
		return nil, err
	}
	return b.Sync(ctx, database)
}

// Drop begins another epoch, and forgets what there was.
func (b *Backend) Drop(ctx context.Context, database string) error {
	if err := b.usable(ctx); err != nil {
		return err
	}
	tx := b.db.Begin(false)
	defer tx.Rollback()
	if _, err := tx.Exec(ctx, deleteClears, []any{database}); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, insertClears, []any{database, epoch()}); err != nil {
		return err
	}
	return tx.Commit()
}

// Close makes the other methods return backend.ErrClosed.
func (b *Backend) Close() error {
	b.closed.Store(true)
	return nil
}
