package processes

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed-dad15c92/txcache/internal/history"
)

// dropPause is how long to wait with a drop that was refused.
const dropPause = 10 * time.Millisecond

// drop removes a database, drops it, and makes it again. Where somebody else is
// at it, it does nothing; where somebody has died over it, it goes on with that.
// With gone, it does nothing where the database is there.
func (a *actor) drop(ctx context.Context, database int, gone bool) {
	a.txs++
	who := name{a.plan.Worker, a.plan.Life, a.number, a.txs}
	err := func() error {
		pooled, err := a.pool.Acquire(ctx)
		if err != nil {
			return err
		}
		conn := pooled.Hijack() // the lock goes with it
		defer conn.Close(ctx)
		var mine bool
		if err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1, $2)", lockDrop, database).Scan(&mine); err != nil || !mine {
			return err
		}
		there := true
		if err := conn.QueryRow(ctx, "SELECT NOT gone FROM tenant WHERE name = $1", world.Databases[database]).Scan(&there); err != nil || gone && there {
			return err
		}
		if err := remove(ctx, conn, database); err != nil {
			return err
		}
		for {
			err := a.server.Drop(ctx, world.Databases[database])
			a.drops[database].Add(1)
			if err == nil {
				break
			}
			if !errors.Is(err, history.ErrRefused) {
				return err
			}
			if a.board.Count(Halt) != 0 {
				return nil
			}
			time.Sleep(dropPause)
		}
		life := 0
		err = revive(ctx, conn, a.board, database, func(r row, v version) {
			life = v.life()
			a.horizon.did(r, v)
			a.board.tell(r, who, isShown, v)
		})
		if err == nil {
			a.horizon.made(database, life)
			a.board.Add(Drops, 1)
		}
		return err
	}()
	var answer *pgconn.PgError
	switch {
	case err == nil, errors.Is(err, errNotGone):
	case errors.As(err, &answer) && (answer.Code == codeLocked || answer.Code == codeDeadlock):
		time.Sleep(time.Millisecond)
	case a.plan.Terminations:
	default:
		a.fail(err)
	}
}
