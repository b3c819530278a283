package history

import (
	"slices"
	"time"
)

// A life is one of the databases of a name: the first is 0.
type life struct {
	database string
	life     int
}

// An event is what a server did.
type event struct {
	server  int
	at      time.Time // of its effect
	exposed bool      // it lost its fence before it took effect

	// When it had returned, and its clear had arrived: the time, and the tick,
	// as time may stand still. Zero before.
	arrived time.Time
	tick    int
}

// known reports whether others that began at that tick could not but know of
// what had happened by then. truth.mu is held.
func (e *event) known(tick int, by time.Time) bool {
	if e.exposed {
		return e.tick > 0 && e.tick < tick && !e.arrived.After(by)
	}
	return !e.at.After(by)
}

// committing notes that a server begins to commit. The caller gives the event
// to session.commit and, whatever became of it, to committed.
func (t *truth) committing(server int) *event {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := &event{server: server, exposed: t.unfenced > 0}
	t.underway[e] = true
	return e
}

// committed notes that a commit has returned.
func (t *truth) committed(e *event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.underway, e)
	if e.exposed {
		t.returned = append(t.returned, e)
	}
}

// arrive notes which clears have arrived, now that their commits have returned.
func (t *truth) arrive(servers []Server) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.returned = slices.DeleteFunc(t.returned, func(e *event) bool {
		if s, ok := servers[e.server].(Announcer); ok && s.Waiting() > 0 {
			return false
		}
		t.ticks++
		e.arrived, e.tick = time.Now(), t.ticks
		return true
	})
}

// unfence notes that fences are taken down until done is called.
func (t *truth) unfence() (done func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.unfenced++
	for e := range t.underway {
		e.exposed = true
	}
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.unfenced--
	}
}

// overwritten returns the first commit from one to another that wrote the row,
// of those that counts says yes to.
func (t *truth) overwritten(r row, from, to int, counts func(*event) bool) (commit int, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, n := range t.versions[r] {
		if at := t.writes[n].at; from <= at && at <= to && counts(t.events[at]) {
			return at, true
		}
	}
	return 0, false
}

// dropped reports whether a life of the database from one to another was
// started by a drop that counts says yes to.
func (t *truth) dropped(database string, from, to int, counts func(*event) bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for n := from; n <= to; n++ {
		if counts(t.drops[life{database, n}]) {
			return true
		}
	}
	return false
}
