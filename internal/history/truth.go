package history

import (
	"errors"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/seed-dad15c92/txcache/internal/enlistertest"
)

var (
	errGone     = errors.New("history: the database is gone")
	errConflict = errors.New("history: the row was changed since the snapshot")
	errLocked   = errors.New("history: another transaction has written the row")
)

// truth is what is really in the databases: every version of every row. It is
// safe for concurrent use.
type truth struct {
	mu       sync.Mutex
	commits  int             // how many changed something: the time of this world
	events   []*event        // the commits, from 1 on
	drops    map[life]*event // that started lives
	underway map[*event]bool // commits that have not taken effect
	returned []*event        // commits without a fence whose clears may not have arrived
	ticks    int             // counts what must be told apart when time stands still
	unfenced int             // faults under way that take fences down
	lives    map[string]int  // of each database: how many there were before
	gone     map[string]bool
	versions map[row][]int // numbers of the committed writes, oldest first
	locks    map[row]*session
	writes   []write // by number; 0 is no write

	clears  *enlistertest.DB // what Enlisters keep beside the rows; nil: the servers are none
	moments []moment         // the last ones, for replicas
}

// A moment is what was committed at one.
type moment struct {
	commits int
	lives   map[string]int
	clears  *enlistertest.Snapshot
}

// maxMoments is how many commits a replica may be behind.
const maxMoments = 20

// remember notes the moment, for replicas. t.mu is held.
func (t *truth) remember() {
	if t.clears == nil {
		return
	}
	if len(t.moments) == maxMoments {
		t.moments = t.moments[1:]
	}
	t.moments = append(t.moments, moment{t.commits, maps.Clone(t.lives), t.clears.Snapshot()})
}

// A row is one row of one life of a database.
type row struct {
	database string
	life     int
	table    int
	key      string
}

type write struct {
	row   row
	gone  bool // it removed the row
	by    int  // transaction
	state writeStatus
	at    int // commit that made it visible
	until int // commit that overwrote it
}

type writeStatus uint8

const (
	pending writeStatus = iota
	committed
	undone
)

func newTruth() *truth {
	return &truth{
		events:   make([]*event, 1),
		drops:    map[life]*event{},
		underway: map[*event]bool{},
		lives:    map[string]int{},
		gone:     map[string]bool{},
		versions: map[row][]int{},
		locks:    map[row]*session{},
		writes:   make([]write, 1),
	}
}

// now returns the time, and which life of the database it is; not ok if there
// is none at present.
func (t *truth) now(database string) (commits, tick, life int, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ticks++
	return t.commits, t.ticks, t.lives[database], !t.gone[database]
}

// tick returns the next tick.
func (t *truth) tick() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ticks++
	return t.ticks
}

// remove ends the life of a database; not ok if there is none.
func (t *truth) remove(database string) (ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.gone[database] {
		return false
	}
	t.gone[database] = true
	return true
}

// create starts the next life of a database that was removed, after server
// dropped it.
func (t *truth) create(database string, server int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.gone[database] = false
	t.lives[database]++
	t.drops[life{database, t.lives[database]}] = &event{server: server, at: time.Now()}
	t.remember()
}

// lookup returns a copy of what is known of the write that v shows.
func (t *truth) lookup(v Value, table int) write {
	t.mu.Lock()
	defer t.mu.Unlock()
	if v.Write > 0 && v.Write < len(t.writes) {
		return t.writes[v.Write]
	}
	r := row{v.Database, v.Life, table, v.Key}
	none := write{row: r, state: committed, until: math.MaxInt}
	if versions := t.versions[r]; len(versions) > 0 {
		none.until = t.writes[versions[0]].at
	}
	return none
}

// A session is a database transaction. It starts with its first statement.
type session struct {
	*truth
	id         int
	database   string
	repeatable bool // read
	started    bool
	life       int
	snapshot   int
	ended      bool
	own        map[row]int // the last write of each row
	made       []int       // all writes

	clears *enlistertest.Tx // the same transaction, of what Enlisters keep; nil: the servers are none
}

func (t *truth) session(id int, database string, repeatable bool) *session {
	return &session{truth: t, id: id, database: database, repeatable: repeatable, own: map[row]int{}}
}

// start takes the snapshot, if that was not done. t.mu is held.
func (s *session) start() error {
	if s.ended {
		return errOver
	}
	if s.gone[s.database] || s.started && s.life != s.lives[s.database] {
		return errGone
	}
	if !s.started {
		s.started, s.life, s.snapshot = true, s.lives[s.database], s.commits
		if s.truth.clears != nil {
			s.clears = s.truth.clears.Begin(s.repeatable)
		}
	}
	return nil
}

// begin takes the snapshot.
func (s *session) begin() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.start()
}

// beginBehind takes the snapshot of a replica that is so many commits behind, or as many as there
// were in this life of the database.
func (s *session) beginBehind(commits int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.start(); err != nil || commits == 0 {
		return err
	}
	moments := s.moments[max(0, len(s.moments)-commits):]
	i := slices.IndexFunc(moments, func(m moment) bool { return m.lives[s.database] == s.life })
	if i < 0 {
		return nil
	}
	s.clears.Rollback()
	s.snapshot, s.repeatable, s.clears = moments[i].commits, true, s.truth.clears.BeginAt(moments[i].clears)
	return nil
}

// A content is what a row shows: the number of the write, 0 for none, whether that removed
// the row, and the life of the database.
type content struct {
	number, life int
	gone         bool
}

// read returns what the row shows to s.
func (s *session) read(table int, key string) (content, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.start(); err != nil {
		return content{}, err
	}
	r := row{s.database, s.life, table, key}
	n, ok := s.own[r]
	if !ok {
		n = s.shown(r)
	}
	return content{n, s.life, s.writes[n].gone}, nil
}

// shown returns the number of the write that the row shows, were it not for the session's own.
// t.mu is held.
func (s *session) shown(r row) int {
	for _, n := range slices.Backward(s.versions[r]) {
		if !s.repeatable || s.writes[n].at <= s.snapshot {
			return n
		}
	}
	return 0
}

// write changes the row, or removes it. It returns the number of the write, and what the
// row showed before.
func (s *session) write(table int, key string, gone bool) (n int, before content, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.start(); err != nil {
		return 0, before, err
	}
	r := row{s.database, s.life, table, key}
	if by := s.locks[r]; by != nil && by != s {
		return 0, before, errLocked
	}
	versions := s.versions[r]
	if s.repeatable && len(versions) > 0 && s.writes[versions[len(versions)-1]].at > s.snapshot {
		return 0, before, errConflict
	}
	last, ok := s.own[r]
	if !ok && len(versions) > 0 {
		last = versions[len(versions)-1]
	}
	before = content{last, s.life, s.writes[last].gone}
	n = len(s.writes)
	s.writes = append(s.writes, write{row: r, gone: gone, by: s.id, until: math.MaxInt})
	s.locks[r], s.own[r] = s, n
	s.made = append(s.made, n)
	return n, before, nil
}

// absences returns the writes that may have left the row as one that is not there, the newest
// first. The last is 0: there was no write.
func (t *truth) absences(r row) []int {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []int
	for n, w := range slices.Backward(t.writes) {
		if w.row == r && w.gone && n > 0 {
			all = append(all, n)
		}
	}
	return append(all, 0)
}

// latest returns the session's own last write of the row.
func (s *session) latest(r row) (int, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, ok := s.own[r]
	return n, ok
}

// savepoint returns what takes the session back to where it is now.
func (s *session) savepoint() (undo func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	own, made := maps.Clone(s.own), len(s.made)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.undo(s.made[made:])
		for r := range s.own {
			if _, kept := own[r]; !kept {
				delete(s.locks, r)
			}
		}
		s.own, s.made = own, s.made[:made]
	}
}

func (s *session) undo(made []int) {
	for _, n := range made {
		if s.writes[n].state == pending {
			s.writes[n].state = undone
		}
	}
}

// commit makes the session's writes visible, all at once, as the event e.
func (s *session) commit(e *event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.started && s.start() != nil {
		s.end()
		return errGone
	}
	if s.clears != nil {
		if err := s.clears.Commit(); err != nil {
			s.end()
			return err
		}
		defer s.remember()
	}
	if len(s.own) > 0 {
		s.commits++
		e.at = time.Now()
		s.events = append(s.events, e)
		delete(s.underway, e)
	}
	for r, n := range s.own {
		if versions := s.versions[r]; len(versions) > 0 {
			s.writes[versions[len(versions)-1]].until = s.commits
		}
		s.versions[r] = append(s.versions[r], n)
		s.writes[n].state, s.writes[n].at = committed, s.commits
	}
	s.end()
	return nil
}

// rollback undoes what the session did, unless it was committed.
func (s *session) rollback() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end()
}

// end lets go of the locks and of every write that was not committed.
func (s *session) end() {
	s.undo(s.made)
	for r := range s.own {
		delete(s.locks, r)
	}
	if s.clears != nil {
		s.clears.Rollback() // unless it has ended
	}
	s.own, s.made, s.ended = nil, nil, true
}
