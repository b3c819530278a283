package history

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Recover checks that the servers cache again after each of the world's faults,
// within the given time: every server takes a commit that clears, and what a
// transaction has loaded the next one on that server hits. A fault comes once
// when all is quiet, once within a commit, where readers on every server fill
// what they read before it took effect. Whatever is hit meanwhile is checked.
// Recover returns the longest time that it took, and after which fault.
func Recover(ctx context.Context, open Open, world World, within time.Duration) (longest time.Duration, fault string, err error) {
	world = world.withDefaults()
	for i, f := range world.Faults {
		for _, commits := range []bool{false, true} {
			took, err := recoverFrom(ctx, open, world, i, commits, within)
			if err != nil {
				return longest, fault, fmt.Errorf("history: after a fault (%s, within a commit: %v): %w", f.Name, commits, err)
			}
			if took >= longest {
				longest, fault = took, f.Name
			}
		}
	}
	return longest, fault, nil
}

func recoverFrom(ctx context.Context, open Open, world World, fault int, commits bool, within time.Duration) (took time.Duration, err error) {
	out, openErr := start(ctx, open, History{World: world}, true, func(p *play) {
		p.running = map[loaderOf]loaderRuns{}
		r := &recovery{play: p}
		r.cached(ctx)
		if commits {
			r.within(ctx, fault)
		} else {
			r.once(ctx, Step{Do: Break, Fault: fault})
		}
		begin := time.Now()
		for server := 0; server < world.Servers; {
			if r.cleared(ctx, server) && r.cached(ctx) {
				server++
				continue
			}
			if took = time.Since(begin); took > within {
				err = fmt.Errorf("server %d does not cache again within %v", server, within)
				return
			}
			time.Sleep(within / 1000)
		}
		took = time.Since(begin)
	})
	if openErr != nil {
		return took, openErr
	}
	if len(out.Violations) > 0 {
		return took, &Failure{Violation: out.Violations[0], Story: out.Story}
	}
	if err != nil {
		return took, fmt.Errorf("%w; how it ended:\n  %s", err, strings.Join(out.Story[max(0, len(out.Story)-60):], "\n  "))
	}
	return took, nil
}

// A recovery plays transactions one after another.
type recovery struct {
	*play
	last int // number of the last transaction
}

// begin begins a transaction and returns what plays further steps of it.
func (r *recovery) begin(ctx context.Context, steps ...Step) (resume func(Step) bool) {
	r.last++
	resume = r.coroutine(ctx, r.player(player{tx: r.last}))
	for _, s := range steps {
		s.Tx = r.last
		resume(s)
	}
	return resume
}

// once plays a transaction and returns how many hits it had.
func (r *recovery) once(ctx context.Context, steps ...Step) (hits int) {
	before := r.hits.Load()
	for resume := r.begin(ctx, steps...); resume(Step{Do: end}); {
	}
	return int(r.hits.Load() - before)
}

// cached reports whether all servers have hits of what was loaded before.
func (r *recovery) cached(ctx context.Context) bool {
	for server := range r.world.Servers {
		begin := Step{Do: Begin, Server: server, ReadOnly: true}
		r.once(ctx, begin, Step{Do: Load}, Step{}, Step{}, Step{Do: Commit}, Step{}, Step{})
		if r.once(ctx, begin, Step{Do: Get}) == 0 {
			return false
		}
	}
	return true
}

// within plays a fault within the commit of a change, and readers of all servers
// that would like to keep what the row was before.
func (r *recovery) within(ctx context.Context, fault int) {
	commit := r.clear(ctx, 0)
	r.once(ctx, Step{Do: Break, Fault: fault})
	var readers []func(Step) bool
	for server := range r.world.Servers {
		readers = append(readers, r.begin(ctx, Step{Do: Begin, Server: server, ReadOnly: true}, Step{Do: Fill}, Step{}))
	}
	commit(Step{}) // it takes effect
	for server, reader := range readers {
		for reader(Step{Do: end}) {
		}
		r.once(ctx, Step{Do: Begin, Server: server, ReadOnly: true}, Step{Do: Get})
	}
	for commit(Step{Do: end}) { // it returns
	}
	for server := range r.world.Servers {
		r.once(ctx, Step{Do: Begin, Server: server, ReadOnly: true}, Step{Do: Get})
	}
}

// clear commits a change on a server, up to the database's commit.
func (r *recovery) clear(ctx context.Context, server int) (resume func(Step) bool) {
	return r.begin(ctx, Step{Do: Begin, Server: server}, Step{Do: Write}, Step{Do: Commit})
}

// cleared reports whether a server takes a commit that clears.
func (r *recovery) cleared(ctx context.Context, server int) bool {
	before := r.commits()
	for resume := r.clear(ctx, server); resume(Step{Do: end}); {
	}
	return r.commits() > before
}

func (r *recovery) commits() int {
	r.truth.mu.Lock()
	defer r.truth.mu.Unlock()
	return r.truth.commits
}
