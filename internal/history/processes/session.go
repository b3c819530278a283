package processes

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A session is a database transaction. It begins with its first statement, and
// belongs to one goroutine.
type session struct {
	board    *Board
	pool     *pgxpool.Pool
	who      name
	database int
	level    pgx.TxIsoLevel

	conn    *pgxpool.Conn // nil: it has not begun, or has ended
	tx      pgx.Tx
	life    int          // of the database, as it was first seen; -1: not yet
	own     map[row]int  // the last write of each row
	made    map[int]bool // numbers of all writes, and whether they were not undone
	doomed  bool         // its commit will fail
	unknown bool         // nobody knows whether it has committed
}

var (
	errGone    = errors.New("processes: the database was dropped")
	errTooLong = errors.New("processes: the board is full of writes: a shorter run will do")
)

func newSession(b *Board, pool *pgxpool.Pool, who name, database int, level pgx.TxIsoLevel) *session {
	return &session{board: b, pool: pool, who: who, database: database, level: level, life: -1, own: map[row]int{}, made: map[int]bool{}}
}

func (s *session) begin(ctx context.Context) error {
	if s.tx != nil {
		return nil
	}
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: s.level})
	if err != nil {
		conn.Release()
		return err
	}
	s.conn, s.tx = conn, tx
	return nil
}

// read returns the version that a row shows to the session.
func (s *session) read(ctx context.Context, r row) (version, error) {
	if err := s.begin(ctx); err != nil {
		return 0, err
	}
	var life int
	var gone bool
	var n *int
	err := s.tx.QueryRow(ctx, "SELECT t.life, t.gone, e.write FROM tenant t LEFT JOIN entry e ON e.database = t.name AND e.tab = $2 AND e.key = $3 WHERE t.name = $1",
		world.Databases[s.database], r.table(), world.Keys[r.key()]).Scan(&life, &gone, &n)
	switch {
	case err != nil:
		return 0, err
	case gone || n == nil || s.life >= 0 && s.life != life:
		return 0, errGone
	}
	s.life = life
	v := versionOf(life, *n)
	if s.own[r] != *n {
		s.board.saw(r, v)
	}
	return v, nil
}

// write changes a row. The number of the write is drawn while its lock is held,
// so that those of one row grow in the order of their commits.
func (s *session) write(ctx context.Context, r row) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	name, key := world.Databases[s.database], world.Keys[r.key()]
	batch := &pgx.Batch{}
	var life, n int
	var gone bool
	batch.Queue("SELECT pg_advisory_xact_lock_shared($1, $2)", lockWrites, s.database)
	batch.Queue("SELECT life, gone FROM tenant WHERE name = $1", name).QueryRow(func(row pgx.Row) error { return row.Scan(&life, &gone) })
	batch.Queue("SELECT FROM entry WHERE database = $1 AND tab = $2 AND key = $3 FOR UPDATE", name, r.table(), key)
	batch.Queue("UPDATE entry SET write = nextval('writes') WHERE database = $1 AND tab = $2 AND key = $3 RETURNING write", name, r.table(), key).
		QueryRow(func(row pgx.Row) error { return row.Scan(&n) })
	if err := s.tx.SendBatch(ctx, batch).Close(); errors.Is(err, pgx.ErrNoRows) {
		return errGone
	} else if err != nil {
		return err
	}
	switch {
	case gone || s.life >= 0 && s.life != life:
		return errGone
	case n >= maxWrites:
		return errTooLong
	}
	s.life = life
	s.board.drawn(n, r)
	s.own[r], s.made[n] = n, true
	s.board.tell(r, s.who, draws, versionOf(life, n))
	return nil
}

// savepoint begins a savepoint, and returns what ends it.
func (s *session) savepoint(ctx context.Context) (end func(undo bool) error, err error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	inner, err := s.tx.Begin(ctx)
	if err != nil {
		return nil, err
	}
	outer, own, made := s.tx, maps.Clone(s.own), maps.Clone(s.made)
	s.tx = inner
	return func(undo bool) error {
		s.tx = outer
		if !undo {
			return inner.Commit(ctx)
		}
		for n := range s.made {
			if _, before := made[n]; !before {
				s.made[n] = false
				s.board.undone(n)
			}
		}
		s.own = own
		return inner.Rollback(ctx)
	}, nil
}

// doom makes the commit of the session fail.
func (s *session) doom(ctx context.Context) error {
	s.doomed = true
	_, err := s.tx.Exec(ctx, "INSERT INTO orphan VALUES (1)")
	return err
}

// sending notes that the session is about to commit, having begun to do so when
// the count of faults was faults.
func (s *session) sending(faults uint64) {
	for r, n := range s.own {
		s.board.sent(n, r, faults)
		s.board.tell(r, s.who, sends, versionOf(s.life, n))
	}
}

// commit commits. After an error that is not the database's own answer nobody
// knows whether it did.
func (s *session) commit(ctx context.Context) error {
	if s.tx == nil {
		return nil
	}
	err := s.tx.Commit(ctx)
	var answer *pgconn.PgError
	s.unknown = err != nil && (!errors.As(err, &answer) || answer.Code == codeTerminated) && !errors.Is(err, pgx.ErrTxCommitRollback)
	if err != nil && !s.unknown {
		s.undone()
	}
	s.release()
	return err
}

// rollback undoes what the session did, unless it has ended.
func (s *session) rollback(ctx context.Context) {
	if s.tx == nil {
		return
	}
	s.undone()
	_ = s.tx.Rollback(ctx)
	s.release()
}

// undone notes that none of the session's writes will be seen.
func (s *session) undone() {
	for n := range s.made {
		s.made[n] = false
		s.board.undone(n)
	}
}

func (s *session) release() {
	s.conn.Release()
	s.conn, s.tx = nil, nil
}

// rows returns the rows that the session has written.
func (s *session) rows() []row { return slices.Collect(maps.Keys(s.own)) }
