package processes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/history"
)

// A Plan says what a worker is to do. It is handed over in the environment.
type Plan struct {
	Board    string // path of the board
	Postgres string // URI of the database
	Redis    string // URI of Redis
	Prefix   string // of all keys in Redis
	Scheme   string // see Schemes
	Sync     string // as in the configuration of txcache
	Late     time.Duration
	Lease    time.Duration
	Term     time.Duration // with sync = "lease"; the wait is twice that
	Actors   int
	Worker   int
	Life     int // how many there were of this worker before
	Seed     uint64

	Databases    int  // how many of the world are used; 0: all
	Quick        bool // transactions look up little, and seldom is a commit in doubt: begins are many, and fences do not stand for long
	Readers      int  // of so many transactions all but one are read-only
	Slow         int  // one of so many commits takes longer than the lease; 0: none
	Faults       bool // Redis may be away
	Terminations bool // connections to PostgreSQL may be ended
}

// comesTo reports whether workers come to a point, as they work by p.
func (p Plan) comesTo(at Point) bool { return at != Waiting || p.Term > 0 }

// databases is how many databases are used.
func (p Plan) databases() int {
	if p.Databases > 0 {
		return p.Databases
	}
	return len(world.Databases)
}

// environment is the variable that makes a process a worker.
const environment = "TXCACHE_PROCESSES_PLAN"

func (p Plan) environment() string {
	text, err := json.Marshal(p)
	if err != nil {
		panic(err) // it has but strings and numbers
	}
	return environment + "=" + string(text)
}

// Work does what a worker does if this process is one, and returns its exit
// code. Otherwise ok is false.
func Work(out io.Writer) (code int, ok bool) {
	text := os.Getenv(environment)
	if text == "" {
		return 0, false
	}
	var p Plan
	err := json.Unmarshal([]byte(text), &p)
	if err == nil {
		err = work(context.Background(), p, out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "worker:", err)
		return 1, true
	}
	return 0, true
}

// A Worker is a process that uses the cache.
type Worker struct {
	plan  Plan
	board *Board
	pool  *pgxpool.Pool
	*opened
	horizon *horizon
	drops   []atomic.Uint64 // of each database, by this process

	mu   sync.Mutex
	out  io.Writer
	owed []*session // committed, but others need not know of them yet
}

func work(ctx context.Context, p Plan, out io.Writer) error {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // outages are a part of the play
	board, err := OpenBoard(p.Board)
	if err != nil {
		return err
	}
	defer board.Close()
	w := &Worker{plan: p, board: board, out: out, horizon: newHorizon(board, p.Late), drops: make([]atomic.Uint64, len(world.Databases))}
	config, err := pgxpool.ParseConfig(p.Postgres)
	if err != nil {
		return err
	}
	config.MaxConns = int32(p.Actors) + 1
	config.ConnConfig.DialFunc = dial
	config.ConnConfig.RuntimeParams["lock_timeout"] = "200"
	if w.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return err
	}
	defer w.pool.Close()
	scheme, ok := Schemes[p.Scheme]
	if !ok {
		return fmt.Errorf("there is no scheme %q", p.Scheme)
	}
	if w.opened, err = scheme(ctx, p, w.board); err != nil {
		return err
	}
	board.Add(Ready, 1)
	var all sync.WaitGroup
	for i := range p.Actors {
		all.Go(func() { newActor(w, i).act(ctx) })
	}
	if p.Term > 0 && w.backend != nil {
		all.Go(func() { w.keepAsking(ctx) })
	}
	all.Wait()
	if err := w.server.Close(); err != nil && !(p.Faults && errors.Is(err, history.ErrRefused)) {
		return err
	}
	return nil
}

// keepAsking asks for the state of each database all the time, as a process does that is busy: it has a
// term whenever it can. It also tells the board of the waits of this process.
func (w *Worker) keepAsking(ctx context.Context) {
	var before backend.Stats
	for w.board.Count(Halt) == 0 {
		for _, name := range world.Databases[:w.plan.databases()] {
			_, _, _ = w.backend.Backend.SyncAged(ctx, name)
		}
		s := w.backend.Stats()
		w.board.Add(Waits, s.Waits-before.Waits)
		w.board.Add(WaitedOut, s.WaitedOut-before.WaitedOut)
		w.board.Add(WaitTime, uint64((s.WaitTime - before.WaitTime).Microseconds()))
		before = s
		time.Sleep(time.Millisecond)
	}
}

// report writes a paragraph for the one who has started the worker.
func (w *Worker) report(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fmt.Fprintln(w.out, strings.TrimRight(text, "\n")+"\n")
}

// owe notes a commit that others must know of once its clear has arrived.
func (w *Worker) owe(s *session) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.owed = append(w.owed, s)
}

// settle tells everybody of what is owed, if no clear waits for the backend.
func (w *Worker) settle() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.owed) == 0 || w.waiting() > 0 {
		return
	}
	for _, s := range w.owed {
		for r, n := range s.own {
			w.board.counts(n)
			if !s.unknown && s.made[n] {
				w.board.known(r, versionOf(s.life, n))
			}
		}
	}
	w.owed = nil
}
