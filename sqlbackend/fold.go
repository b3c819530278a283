package sqlbackend

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/cause"
	"github.com/seed-dad15c92/txcache/internal/querier"
)

// Fold makes one row of those that a database has in the table, of 5000 at a time. Nothing else changes:
// every snapshot has the same sums with the one or with the others. The
// Backend does so by itself, in part, when there are many; a service need not call Fold.
func (b *Backend) Fold(ctx context.Context, database string) error {
	n, err := b.usable(ctx, database)
	if err != nil {
		return err
	}
	if _, err := b.foldNow(ctx, n, true); err != nil {
		return fmt.Errorf("txcache: sql: folding the rows of database %q: %w", database, cause.Of(err))
	}
	return nil
}

// foldLater folds in the background, one tenant of the process at a time.
func (b *Backend) foldLater(n *tenant) {
	select {
	case b.folding <- struct{}{}:
	default:
		return
	}
	started := b.background(n, &n.fold, func(ctx context.Context) (pause time.Duration) {
		defer func() { <-b.folding }()
		folded, err := b.foldNow(ctx, n, false)
		if err == nil || errors.Is(err, errOther) {
			n.hasFolded()
		}
		switch {
		case folded:
			n.idle = 0
			return 0
		case err == nil || errors.Is(err, errOther): // another process folds, or has: that one goes on, and the others try seldom
			n.idle = min(max(2*n.idle, 10*time.Millisecond), time.Second)
			return n.idle
		case b.ctx.Err() == nil && !isReadOnly(err):
			b.log.Warn(ctx, "the rows of clears could not be folded; each begin reads all of them", "database", n.name, "table", b.table, "error", err)
		}
		return 10 * time.Second
	})
	if !started {
		<-b.folding
	}
}

// errOther says that another process was faster.
var errOther = errors.New("another process has folded them")

// foldNow folds the rows of a tenant: all of them, or those for which it is worth it. It
// reports whether it did.
//
// The sum takes the place of the oldest row. A DELETE of all rows that waits for the fold deletes it
// then: on PostgreSQL it would not see a row that was inserted after it has begun, and delete others
// that came after the fold has read, so that the table showed a state from before. Where the
// user may not update the table, the sum is inserted all the same: it matters only
// where somebody deletes all rows by hand.
//
// Its first statement of the table is a plain SELECT, and it changes exactly what that has
// shown: on MariaDB a snapshot may show a transaction that has written before it
// read, and not what it has read.
func (b *Backend) foldNow(ctx context.Context, n *tenant, all bool) (folded bool, err error) {
	p, release, err := b.pool(ctx, n)
	if err != nil {
		return false, err
	}
	defer release()
	err = b.within(ctx, p, b.lockName(n), func(q querier.Handle) error {
		rows, err := b.rows(ctx, q, n)
		if err != nil {
			return err
		}
		gone, whole, token := choose(rows, all)
		if len(gone) == 0 || len(gone) == 1 && token == 0 {
			return nil
		}
		ids, id := make([]string, len(gone)), sum{}
		for i, r := range gone {
			ids[i] = strconv.FormatInt(r.id, 10)
			id = id.plus(r.sum())
		}
		if token == 0 {
			token = id.numbers
		}
		inserts := p.inserts.Load()
		if !inserts {
			if err := b.change(ctx, q, 1, b.sql.pack, int64(token), int64(id.n), whole.pack(), n.column, gone[0].id); err != nil {
				return err
			}
			ids = ids[1:]
		}
		if len(ids) > 0 {
			statement, args := b.sql.fold(n.column, ids)
			if err := b.change(ctx, q, len(ids), statement, args...); err != nil {
				return err
			}
		}
		if inserts {
			if err := b.change(ctx, q, 1, b.sql.record, n.column, int64(token), int64(id.n), whole.pack()); err != nil {
				return err
			}
		}
		folded = true
		return nil
	})
	if isDenied(err) && !p.inserts.Swap(true) {
		b.log.Warn(ctx, "the user may not update the table of clears; grant it, or delete rows by hand only while no service runs", "table", b.table)
		return b.foldNow(ctx, n, all)
	}
	return folded && err == nil, err
}

// change executes a statement that must change as many rows as the fold has read.
func (b *Backend) change(ctx context.Context, q querier.Handle, want int, statement string, args ...any) error {
	result, err := q.ExecContext(ctx, statement, args...)
	if err != nil {
		return err
	}
	if affected, err := result.RowsAffected(); err != nil || affected != int64(want) {
		return cmp.Or(err, errOther)
	}
	return nil
}

// A storedRow is a row with its place in the table.
type storedRow struct {
	*row
	id int64
}

func (b *Backend) rows(ctx context.Context, q querier.Handle, n *tenant) (rows []storedRow, err error) {
	args, known := n.args()
	err = querier.Of(q).Query(ctx, b.sql.rows[len(known)], args, func(scan func(...any) error) error {
		var id, token, count int64
		var clears string
		if err := scan(&id, &token, &count, &clears); err != nil {
			return err
		}
		r := newRow(token, count, clears, known)
		if slices.Contains(known, r) {
			n.parse(r)
		}
		rows = append(rows, storedRow{r, id})
		return nil
	})
	return rows, err
}

// choose returns the rows to fold, by their ids, and what their sum is: those of transactions, and
// those packed ones that are not much larger than what is folded anyway. So a large row
// is written again only after as much has come to it.
//
// If there are more keys than are remembered, all rows are folded, and some keys
// forgotten; the sum is another one then, and gets a token of its own. Otherwise the token
// is 0: it is the sum of those of the rows, so that every process knows what is in the row.
func choose(rows []storedRow, all bool) (gone []storedRow, whole *content, token uint64) {
	whole = newContent()
	keys := 0
	var packed []storedRow
	for _, r := range rows {
		c, err := r.content()
		if err != nil {
			continue // it stays, for an operator to see
		}
		keys += len(c.keys)
		if r.packed() {
			packed = append(packed, r)
		} else {
			gone = append(gone, r)
			whole.add(c)
		}
	}
	if all = all || keys > backend.MaxDeletes; !all && len(gone) <= foldAfter {
		return nil, nil, 0
	}
	slices.SortFunc(packed, func(r, s storedRow) int { return cmp.Compare(r.parsed.len(), s.parsed.len()) })
	for _, r := range packed {
		if !all && r.parsed.len() > 2*whole.len() {
			break
		}
		gone = append(gone, r)
		whole.add(r.parsed)
	}
	slices.SortFunc(gone, func(r, s storedRow) int { return cmp.Compare(r.id, s.id) })
	whole.of = madeOf(gone)
	if whole.forget() {
		token = backend.NewToken().Number()
	}
	return gone, whole, token
}

// within runs do in a transaction of its own, at read committed. If lock is not empty, do
// is not run while another process has the lock. It is politeness: two that fold at once are both right, or one
// of them fails.
func (b *Backend) within(ctx context.Context, p *pool, lock string, do func(querier.Handle) error) (err error) {
	conn, err := p.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if b.dialect == SQLite {
		return immediate(ctx, conn, do)
	}
	if lock != "" && b.dialect == MySQL {
		got, err := ask(ctx, conn, "SELECT COALESCE(GET_LOCK(?, 0), 0)", lock)
		if err != nil || got != 1 {
			return err
		}
		defer unlock(ctx, conn, lock)
	}
	tx, err := conn.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if lock != "" && b.dialect == Postgres {
		key := int64(binary.BigEndian.Uint64([]byte(lock)))
		got, err := ask(ctx, tx, "SELECT CASE WHEN pg_try_advisory_xact_lock($1) THEN 1 ELSE 0 END", key)
		if err != nil || got != 1 {
			return err
		}
	}
	if err := do(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// lockName returns the name of the lock of a tenant.
func (b *Backend) lockName(n *tenant) string {
	digest := sha256.Sum256([]byte("txcache fold\x00" + b.table + "\x00" + n.column))
	return hex.EncodeToString(digest[:20])
}

func ask(ctx context.Context, q querier.Handle, statement string, arg any) (answer int64, err error) {
	err = querier.Of(q).Query(ctx, statement, []any{arg}, func(scan func(...any) error) error { return scan(&answer) })
	return answer, err
}

// unlock gives back a lock of MySQL, which is the connection's.
func unlock(ctx context.Context, conn *sql.Conn, lock string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	if _, err := ask(ctx, conn, "SELECT COALESCE(RELEASE_LOCK(?), 0)", lock); err != nil {
		discard(conn)
	}
}

// discard makes database/sql close a connection rather than give it to others.
func discard(conn *sql.Conn) {
	_ = conn.Raw(func(any) error { return driver.ErrBadConn })
}

// immediate is within for SQLite, where a transaction that has read may not be able to
// write any more unless it began so.
func immediate(ctx context.Context, conn *sql.Conn, do func(querier.Handle) error) error {
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := do(conn)
	if err == nil {
		_, err = conn.ExecContext(ctx, "COMMIT")
	}
	if err != nil {
		if _, err := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK"); err != nil {
			discard(conn)
		}
	}
	return err
}

// isDenied reports whether the user may not do what a statement does.
func isDenied(err error) bool { return sqlState(err) == "42501" || number(err) == 1142 }

// isReadOnly reports whether a statement failed because the server is a replica, or
// otherwise not to be written.
func isReadOnly(err error) bool { return sqlState(err) == "25006" || number(err) == 1290 }
