package history

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-dad15c92/txcache/internal/enlistertest"
)

// An Enlister is a Server that keeps its generations in the database that is cached, beside
// the rows (class sql). All servers of a history are Enlisters, or none.
type Enlister interface {
	Server

	// Clears is where they are kept. It is the same for all servers of a history. What a transaction
	// of the history writes there becomes visible at the same moment as the rows
	// that it writes.
	Clears() *enlistertest.DB

	// Enlist is Begin for a transaction of the database that has begun. It is exact if q is.
	Enlist(ctx context.Context, database string, q *enlistertest.Tx, readOnly bool) (Tx, error)
}

// enlisting gives the database what the servers keep in it.
func (p *play) enlisting() {
	if e, ok := p.servers[0].(Enlister); ok {
		p.truth.clears = e.Clears()
		p.truth.remember()
	}
}

// enlist begins both sides, the database's first. A replica may be behind.
func (t *transaction) enlist(ctx context.Context, e Enlister, behind int) (Tx, error) {
	if !t.readOnly { // nothing is written on a replica
		behind = 0
	}
	if err := t.session.beginBehind(behind); err != nil {
		return nil, err
	}
	t.lowerBound, t.life, t.since = t.session.snapshot, t.session.life, time.Now().Add(-t.world.Late)
	t.tell(t, "takes its snapshot, after commit %d", t.lowerBound)
	t.pause()
	return e.Enlist(ctx, t.database, t.session.clears, t.readOnly)
}

// exact reports whether the session has one snapshot, which tells what was cleared too.
func (s *session) exact() bool { return s.clears != nil && s.clears.Exact() }

// differs returns why a hit of v is not what t's own snapshot shows, "" if it is. A write of
// its own is not in its snapshot; other rules say when t may see it. // P12
func (t *transaction) differs(r row, v own, w write) (why string) {
	if !t.session.exact() || w.by == t.id && v.Write > 0 {
		return ""
	}
	t.truth.mu.Lock()
	defer t.truth.mu.Unlock()
	if shows := t.session.shown(row{r.database, t.session.life, r.table, r.key}); v.Life != t.session.life || v.Write != shows {
		return fmt.Sprintf("its own snapshot shows w%d of life %d", shows, t.session.life)
	}
	return ""
}
