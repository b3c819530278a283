package history

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// A Driver plays a history on servers that open opens, and closes them. Story
// says whether the outcome is to tell it.
type Driver func(ctx context.Context, open Open, h History, story bool) (*Outcomes, error)

// Outcomes are what came of playing a history.
type Outcomes struct {
	Steps      int               // that were played
	Lookups    int               // of values in caches
	Hits       int               // of those, all checked
	Demanded   int               // of those, hits of what was known to be kept; see World.Kept
	Exact      int               // of those, hits that were compared with the transaction's own snapshot
	Faults     int               // that befell the servers
	Counts     map[string]uint64 // of all servers together; see Counter
	Violations []*Violation
	Story      []string
}

// A play is a history being played.
type play struct {
	world   World
	truth   *truth
	kept    *kept
	servers []Server

	steps, lookups, hits, demanded, exact, faults, refreshes atomic.Int64

	mu         sync.Mutex
	open       map[*transactionState]bool // whether it was detached by a drop
	running    map[loaderOf]loaderRuns    // nil: Load may wait for others
	violations []*Violation
	story      []string
	telling    bool
}

// A loaderOf is where a loader runs. Which value it loads makes no
// difference: a wrong cache may take one for another.
type loaderOf struct{ server, cache int }

// A loaderRuns is how many loaders of a transaction are running.
type loaderRuns struct {
	by *transactionState
	n  int
}

// Interleave plays the steps in the order in which the history has them, in one
// goroutine. Played twice, a history goes the same way, as far as the cache
// itself leaves nothing to chance.
func Interleave(ctx context.Context, open Open, h History, story bool) (*Outcomes, error) {
	return start(ctx, open, h, story, func(p *play) {
		p.running = map[loaderOf]loaderRuns{}
		resume := map[player]func(Step) bool{}
		var order []player
		for _, s := range h.Steps {
			who := player{s.Tx, s.Goroutine}
			if resume[who] == nil {
				t := p.player(who)
				if t == nil {
					continue // it has nothing to take part in
				}
				resume[who] = p.coroutine(ctx, t)
				order = append(order, who)
			}
			resume[who](s)
		}
		for _, who := range order {
			for resume[who](Step{Do: end}) {
			}
		}
	})
}

// A player is a goroutine of a transaction.
type player struct{ tx, goroutine int }

// player returns what plays the steps of a goroutine; nil if it is one of a
// transaction that is not open.
func (p *play) player(who player) *transaction {
	if who.goroutine == 0 {
		return &transaction{play: p, transactionState: newTransactionState(who.tx)}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for s := range p.open {
		if s.id == who.tx {
			return &transaction{play: p, transactionState: s, goroutine: who.goroutine}
		}
	}
	return nil
}

// coroutine returns a function that gives t its next step and lets it run until
// it waits for another; false when it has ended.
func (p *play) coroutine(ctx context.Context, t *transaction) (resume func(Step) bool) {
	steps, waits := make(chan Step), make(chan struct{})
	t.feed = func() Step {
		waits <- struct{}{}
		return <-steps
	}
	go func() { // not iter.Pull: the race detector never forgets a goroutine of its
		defer close(waits)
		p.run(ctx, t)
	}()
	_, running := <-waits // up to where it waits for its first step
	return func(s Step) bool {
		if running {
			steps <- s
			_, running = <-waits
		}
		return running
	}
}

// Race plays as many transactions of the history at once as it has open, each
// goroutine of a transaction in the order of its steps, but not of others'.
func Race(ctx context.Context, open Open, h History, story bool) (*Outcomes, error) {
	return start(ctx, open, h, story, func(p *play) {
		steps := map[player][]*Step{}
		others := map[int][]player{}
		var order []player
		for i := range h.Steps {
			s := &h.Steps[i]
			who := player{s.Tx, s.Goroutine}
			if steps[who] == nil && s.Goroutine == 0 {
				order = append(order, who)
			} else if steps[who] == nil {
				others[s.Tx] = append(others[s.Tx], who)
			}
			steps[who] = append(steps[who], s)
		}
		play := func(who player, t *transaction) {
			mine := steps[who]
			t.feed = func() Step {
				runtime.Gosched()
				if len(mine) == 0 {
					return Step{Do: end}
				}
				s := mine[0]
				mine = mine[1:]
				return *s
			}
			p.run(ctx, t)
		}
		var next atomic.Int64
		var group sync.WaitGroup
		for range h.World.Open {
			group.Go(func() {
				for {
					i := int(next.Add(1)) - 1
					if i >= len(order) {
						return
					}
					t := p.player(order[i])
					t.others = func(s *transactionState) (wait func()) {
						var group sync.WaitGroup
						for _, who := range others[s.id] {
							group.Go(func() { play(who, p.player(who)) })
						}
						return group.Wait
					}
					play(order[i], t)
				}
			})
		}
		group.Wait()
	})
}

func start(ctx context.Context, open Open, h History, story bool, drive func(*play)) (*Outcomes, error) {
	servers, err := open(ctx, h.World.Servers, h.World.Caches)
	if err != nil {
		return nil, err
	}
	p := &play{world: h.World, truth: newTruth(), kept: newKept(), servers: servers, open: map[*transactionState]bool{}, telling: story}
	p.enlisting()
	p.refreshing()
	drive(p)
	counts := map[string]uint64{}
	for _, s := range servers {
		if c, ok := s.(Counter); ok {
			for what, n := range c.Counts() {
				counts[what] += n
			}
		}
		if e := s.Close(); len(h.World.Faults) == 0 || !errors.Is(e, ErrRefused) {
			err = errors.Join(err, e)
		}
	}
	return &Outcomes{
		Steps:      int(p.steps.Load()),
		Lookups:    int(p.lookups.Load()),
		Hits:       int(p.hits.Load()),
		Demanded:   int(p.demanded.Load()),
		Exact:      int(p.exact.Load()),
		Faults:     int(p.faults.Load()),
		Counts:     counts,
		Violations: p.violations,
		Story:      p.story,
	}, err
}

// run plays what is one goroutine's of a transaction. A panic that no step made
// is a violation, so that it does not hide which history it was.
func (p *play) run(ctx context.Context, t *transaction) {
	defer func() {
		if r := recover(); r != nil {
			p.violated(t, Failed, fmt.Sprintf("panic: %v\n%s", r, debug.Stack()))
		}
	}()
	if t.goroutine > 0 {
		t.join(ctx)
	} else {
		t.run(ctx)
	}
}

func (p *play) violated(t *transaction, rule Rule, what string) {
	p.tell(t, "VIOLATES %s: %s", rule, what)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.violations = append(p.violations, &Violation{Rule: rule, Tx: t.id, What: what})
}

// tell adds a line to the story.
func (p *play) tell(t *transaction, format string, args ...any) {
	if !p.telling {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	who := fmt.Sprintf("t%d", t.id)
	if t.goroutine > 0 {
		who += fmt.Sprintf(".%d", t.goroutine)
	}
	p.story = append(p.story, who+" "+fmt.Sprintf(format, args...))
}

// began and left keep the open transactions, which a drop detaches.
func (p *play) began(t *transactionState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open[t] = false
}

func (p *play) left(t *transactionState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, t)
}

func (p *play) opened(server int, database string) (open []*transactionState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for t := range p.open {
		if t.server == server && t.database == database {
			open = append(open, t)
		}
	}
	return open
}

func (p *play) detach(open []*transactionState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range open {
		if _, ok := p.open[t]; ok {
			p.open[t] = true
		}
	}
}

func (p *play) detached(t *transactionState) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open[t]
}

// startLoader reports whether t may call Load. It may not where Load would wait for a
// loader of another transaction that is in the same goroutine. The caller must call
// ended when its loader has ended.
func (p *play) startLoader(t *transactionState, cache int) (ok bool, ended func()) {
	if p.running == nil {
		return true, func() {}
	}
	at := loaderOf{t.server, cache}
	runs := p.running[at]
	if runs.n > 0 && runs.by != t {
		return false, nil
	}
	p.running[at] = loaderRuns{t, runs.n + 1}
	return true, func() { p.running[at] = loaderRuns{t, p.running[at].n - 1} }
}
