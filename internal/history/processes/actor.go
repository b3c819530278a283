package processes

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed-dad15c92/txcache/internal/history"
)

// An actor is a goroutine of a worker that does one transaction after another.
type actor struct {
	*Worker
	*rand.Rand
	number     int
	txs        int
	lowerBound lowerBound

	// What it has counted since it last told the board.
	lookups, hits uint64
	termHits      uint64
	shared        []uint64 // hits of values that others have set, by database
}

func newActor(w *Worker, number int) *actor {
	return &actor{
		Worker: w, number: number, lowerBound: newLowerBound(), shared: make([]uint64, len(world.Databases)),
		Rand: rand.New(rand.NewPCG(w.plan.Seed, uint64(w.plan.Worker)<<48|uint64(w.plan.Life)<<16|uint64(number))),
	}
}

func (a *actor) one(in int) bool { return a.IntN(in) == 0 }

func (a *actor) pass(p Point) { a.board.pass(p, a.plan.Worker) }

// someDatabase returns some database.
func (a *actor) someDatabase() int { return a.IntN(a.plan.databases()) }

// act does transactions until everybody is to end.
func (a *actor) act(ctx context.Context) {
	for a.board.Count(Halt) == 0 {
		p, ok := a.board.wanted()
		if a.one(3000) || ok && (p == BeforeDrop || p == AfterDrop) && a.one(10) {
			a.drop(ctx, a.someDatabase(), false)
			continue
		}
		t, err := a.begin(ctx, !a.one(a.plan.Readers))
		if err == nil {
			err = t.run(ctx)
		}
		a.tally()
		a.excuse(ctx, t, err)
	}
}

// tally tells the board what was counted.
func (a *actor) tally() {
	a.board.Add(Lookups, a.lookups)
	a.board.Add(Hits, a.hits)
	a.board.Add(TermHits, a.termHits)
	a.lookups, a.hits, a.termHits = 0, 0, 0
	for i, n := range a.shared {
		if n > 0 {
			atomic.AddUint64(&a.board.shared[i], n)
			a.shared[i] = 0
		}
	}
}

// What PostgreSQL answers to those who meet others, or a fault.
const (
	codeSerialization = "40001"
	codeDeadlock      = "40P01"
	codeLocked        = "55P03"
	codeOrphan        = "23503"
	codeTerminated    = "57P01"
)

// excuse counts an error that has a reason, and reports one that has none.
func (a *actor) excuse(ctx context.Context, t *transaction, err error) {
	var answer *pgconn.PgError
	switch {
	case err == nil:
	case errors.Is(err, errGone):
		if t != nil {
			a.drop(ctx, t.database, true) // whoever began to drop it may be dead
		}
	case errors.Is(err, history.ErrRefused):
		a.board.Add(Refused, 1)
		if !a.plan.Faults {
			a.report("refused, though nothing was wrong: " + err.Error())
		}
	case errors.Is(err, errCut):
	case errors.As(err, &answer):
		switch answer.Code {
		case codeSerialization, codeDeadlock, codeLocked:
			a.board.Add(Conflicts, 1)
		case codeOrphan:
		case codeTerminated:
			if !a.plan.Terminations {
				a.fail(err)
			}
		default:
			a.fail(err)
		}
	case a.plan.Terminations: // the next error of a line that is dead
		time.Sleep(time.Millisecond)
	default:
		a.fail(err)
	}
}

func (a *actor) fail(err error) {
	a.board.Add(Violations, 1)
	a.report(string(history.Failed) + ": " + err.Error())
	time.Sleep(100 * time.Millisecond) // it will come again
}
