package histories_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/sqlbackend"
	"github.com/seed-dad15c92/txcache/sqltx"
)

// processEnv tells a run of this program that it is a process that writes, until it kills itself.
const processEnv = "TXCACHE_SQLHISTORY_PROCESS"

func TestMain(m *testing.M) {
	if text := os.Getenv(processEnv); text != "" {
		if err := process(text); err != nil {
			fmt.Println("failed:", err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// process writes, as text says: a seed, a dialect, a driver and a DSN.
func process(text string) error {
	part := strings.SplitN(text, " ", 4)
	seed, err := strconv.ParseUint(part[0], 10, 64)
	if err != nil {
		return err
	}
	e := &engine{driver: part[2], dsn: part[3]}
	if err := e.dialect.UnmarshalText([]byte(part[1])); err != nil {
		return err
	}
	db, err := e.connect()
	if err != nil {
		return err
	}
	s, err := e.server("process", db)
	if err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(seed, 6))
	ctx := context.Background()
	for {
		if err := doomed(ctx, random, s, int(seed%uint64(len(steps)))); err != nil && !refused(err) {
			return err
		}
	}
}

// steps are those at which a process kills itself: one at each of them, in turns.
var steps = [...]string{"before the write", "after the write", "before the record", "after the record", "in COMMIT", "after COMMIT"}

// doomed is a transaction that writes, in a process that kills itself at a step of some of them.
func doomed(ctx context.Context, random *rand.Rand, s *server, dies int) error {
	if random.IntN(8) > 0 {
		dies = -1
	}
	at := func(step int) {
		if step == dies {
			fmt.Println(steps[step])
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	opts := &sql.TxOptions{}
	if s.backend.Dialect() == sqlbackend.Postgres && random.IntN(2) == 0 {
		opts.Isolation = sql.LevelRepeatableRead
	}
	if err := s.backend.Prepare(ctx, database); err != nil {
		return err
	}
	tx, err := s.db.BeginTx(ctx, opts)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	exact := opts.Isolation != sql.LevelDefault || s.backend.DefaultExact()
	q := &watched{Querier: sqltx.Querier(tx), exec: at}
	cache, err := s.store.Enlist(ctx, database, q, &txcache.EnlistOptions{Exact: exact})
	if err != nil {
		return err
	}
	defer cache.Rollback()
	at(0)
	row := random.IntN(rows)
	more := 1 + random.IntN(1<<30)
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("UPDATE item SET v = v + %d WHERE id = %d", more, row)); err != nil {
		return err
	}
	v, err := readRow(ctx, tx, row)
	if err != nil {
		return err
	}
	at(1)
	if err := s.clear(random, cache, row, v-int64(more)); err != nil {
		return err
	}
	return cache.CommitWith(ctx, func(context.Context) error {
		if dies == 4 {
			time.AfterFunc(time.Duration(random.IntN(300))*time.Microsecond, func() { at(4) })
		}
		err := tx.Commit()
		at(5)
		return err
	})
}

// watched is a Querier whose statements that write are steps.
type watched struct {
	backend.Querier
	exec func(step int)
}

func (w *watched) Exec(ctx context.Context, sql string, args []any) (int64, error) {
	w.exec(2)
	n, err := w.Querier.Exec(ctx, sql, args)
	w.exec(3)
	return n, err
}

// processes are runs of this program that write, and what they have died of.
type processes struct {
	mu   sync.Mutex
	died map[string]int
}

// start starts n processes, and another for each that has died, until the history ends.
func (p *processes) start(h *history, e *engine, n int) (end func()) {
	p.died = map[string]int{}
	ctx, cancel := context.WithCancel(h.ctx)
	var group sync.WaitGroup
	for i := range uint64(n) {
		group.Go(func() {
			for generation := i << 32; ctx.Err() == nil; generation++ {
				p.run(ctx, h, fmt.Sprintf("%d %s %s %s", h.seed+generation, e.dialect, e.driver, e.dsn))
			}
		})
	}
	return func() {
		cancel()
		group.Wait()
	}
}

func (p *processes) run(ctx context.Context, h *history, text string) {
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), processEnv+"="+text)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		if ctx.Err() == nil { // else the history ended before the process began
			h.t.Error(err)
		}
		return
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		p.mu.Lock()
		p.died[lines.Text()]++
		p.mu.Unlock()
		if strings.HasPrefix(lines.Text(), "failed") && !h.shaky {
			h.t.Error(lines.Text())
		}
	}
	_ = cmd.Wait() // it was killed
}

// spared is the goal that processes were killed at each step.
func (p *processes) spared() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, step := range steps {
		if p.died[step] == 0 {
			return "no process was killed " + step
		}
	}
	return ""
}

// Processes that write and are killed at any step leave nothing stale, and nothing in doubt.
func TestKilledProcessesLeaveNothingStale(t *testing.T) {
	over := map[string]func(*testing.T) *engine{
		"postgres": func(t *testing.T) *engine { e, _ := overPostgres(t); return e },
		"mariadb":  func(t *testing.T) *engine { e, _ := overMariaDB(t); return e },
		"sqlite":   func(t *testing.T) *engine { e, _ := overSQLite(t); return e },
	}
	for _, name := range []string{"postgres", "mariadb", "sqlite"} {
		t.Run(name, func(t *testing.T) {
			e := over[name](t)
			h := newHistory(t, newServer(t, e, "a"), newServer(t, e, "b"))
			h.foreign = true
			if e.dialect == sqlbackend.SQLite {
				h.rest = 20 * time.Millisecond
			}
			var p processes
			h.goals = append(h.goals, p.spared)
			end := p.start(h, e, 3)
			h.play(duration(t), 10, 3)
			end()
			h.sane()
			t.Logf("killed: %v", p.died)
		})
	}
}
