package history

import (
	"context"
	"errors"
	"fmt"
	"iter"
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
	Faults     int               // that befell the servers
	Counts     map[string]uint64 // of all servers together; see Counter
	Violations []*Violation
	Story      []string
}

// A play is a history being played.
type play struct {
	world   World
	truth   *truth
	servers []Server

	steps, lookups, hits, faults, refreshes atomic.Int64

	mu         sync.Mutex
	open       map[*transaction]bool // whether it was detached by a drop
	flights    map[flight]bool       // nil: Load may wait for others
	violations []*Violation
	story      []string
	telling    bool
}

// A flight is a loader that is running. Which value it loads makes no
// difference: a wrong cache may take one for another.
type flight struct{ server, cache int }

// Interleave plays the steps in the order in which the history has them, in one
// goroutine. Played twice, a history goes the same way, as far as the cache
// itself leaves nothing to chance.
func Interleave(ctx context.Context, open Open, h History, story bool) (*Outcomes, error) {
	return start(ctx, open, h, story, func(p *play) {
		p.flights = map[flight]bool{}
		resume := map[int]func(Step) bool{}
		var order []int
		for _, s := range h.Steps {
			if resume[s.Tx] == nil {
				resume[s.Tx] = p.coroutine(ctx, s.Tx)
				order = append(order, s.Tx)
			}
			resume[s.Tx](s)
		}
		for _, id := range order {
			for resume[id](Step{Do: end}) {
			}
		}
	})
}

// coroutine returns a function that gives a transaction its next step and lets
// it run until it waits for another; false when it has ended.
func (p *play) coroutine(ctx context.Context, id int) (resume func(Step) bool) {
	var next Step
	wait, _ := iter.Pull(func(yield func(struct{}) bool) {
		p.run(ctx, id, func() Step {
			yield(struct{}{})
			return next
		})
	})
	_, running := wait() // up to where it waits for its first step
	return func(s Step) bool {
		if running {
			next = s
			_, running = wait()
		}
		return running
	}
}

// Race plays transactions of the history in as many goroutines as it has open
// transactions at once, each in the order of its steps, but not of others'.
func Race(ctx context.Context, open Open, h History, story bool) (*Outcomes, error) {
	return start(ctx, open, h, story, func(p *play) {
		steps := map[int][]*Step{}
		var order []int
		for i := range h.Steps {
			s := &h.Steps[i]
			if steps[s.Tx] == nil {
				order = append(order, s.Tx)
			}
			steps[s.Tx] = append(steps[s.Tx], s)
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
					mine := steps[order[i]]
					p.run(ctx, order[i], func() Step {
						runtime.Gosched()
						if len(mine) == 0 {
							return Step{Do: end}
						}
						s := mine[0]
						mine = mine[1:]
						return *s
					})
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
	p := &play{world: h.World, truth: newTruth(), servers: servers, open: map[*transaction]bool{}, telling: story}
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
		Faults:     int(p.faults.Load()),
		Counts:     counts,
		Violations: p.violations,
		Story:      p.story,
	}, err
}

// run plays one transaction. A panic that no step made is a violation, so that
// it does not hide which history it was.
func (p *play) run(ctx context.Context, id int, feed func() Step) {
	t := &transaction{play: p, id: id, feed: feed}
	defer func() {
		if r := recover(); r != nil {
			p.violated(t, Failed, fmt.Sprintf("panic: %v\n%s", r, debug.Stack()))
		}
	}()
	t.run(ctx)
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
	p.story = append(p.story, fmt.Sprintf("t%d ", t.id)+fmt.Sprintf(format, args...))
}

// began and left keep the open transactions, which a drop detaches.
func (p *play) began(t *transaction) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open[t] = false
}

func (p *play) left(t *transaction) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, t)
}

func (p *play) opened(server int, database string) (open []*transaction) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for t := range p.open {
		if t.server == server && t.database == database {
			open = append(open, t)
		}
	}
	return open
}

func (p *play) detach(open []*transaction) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range open {
		if _, ok := p.open[t]; ok {
			p.open[t] = true
		}
	}
}

func (p *play) detached(t *transaction) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open[t]
}

// fly reports whether t may call Load: not where another's loader may be
// running that Load would wait for, when both are in one goroutine.
func (p *play) fly(t *transaction, cache int) (ok bool, landed func()) {
	if p.flights == nil {
		return true, func() {}
	}
	f := flight{t.server, cache}
	if p.flights[f] {
		return false, nil
	}
	p.flights[f] = true
	return true, func() { delete(p.flights, f) }
}
