package debugpage

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
)

// A scanner goes through the databases of a store, of which there may be
// hundreds of thousands, for what a page shows of them. One scan runs at a time,
// and its answer serves all who ask the same until it is due again.
type scanner struct {
	store   *txcache.Store
	turn    chan struct{} // holds one while somebody uses what follows
	answers map[wanted]answer
}

// wanted is what is asked of the databases.
type wanted struct {
	search string // part of the names, in any case
	detail string // the name of one of which to tell more; "": of none
	top    int    // how many to return
}

// An answer is never changed once it is there.
type answer struct {
	until    time.Time
	used     int // databases that there are
	matching int // those that were searched for
	fenced   int // those of all with a fenced cache
	top      []database
	detail   *txcache.DatabaseStatus // nil if it was not asked for, or is not there
}

type database struct {
	Name       string        `json:"name"`
	Caches     int           `json:"caches"`
	Fenced     int           `json:"fenced"`
	Values     int           `json:"values"`
	Generation backend.Token `json:"generation"`
}

const maxAnswers = 16

func newScanner(s *txcache.Store) *scanner {
	return &scanner{store: s, turn: make(chan struct{}, 1), answers: map[wanted]answer{}}
}

func (s *scanner) lock(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *scanner) unlock() { <-s.turn }

// scan returns what is wanted. Its error is that of ctx.
func (s *scanner) scan(ctx context.Context, w wanted) (answer, error) {
	w.search = strings.ToLower(w.search)
	if err := s.lock(ctx); err != nil {
		return answer{}, err
	}
	defer s.unlock()
	begun := time.Now()
	for w, a := range s.answers {
		if !begun.Before(a.until) {
			delete(s.answers, w)
		}
	}
	if a, ok := s.answers[w]; ok {
		return a, nil
	}
	var a answer
	for status := range s.store.Databases() {
		if ctx.Err() != nil {
			return answer{}, ctx.Err()
		}
		a.add(w, status)
	}
	a.cut(w.top)
	now := time.Now()
	a.until = now.Add(max(spacing, rest*now.Sub(begun)))
	if len(s.answers) < maxAnswers {
		s.answers[w] = a
	}
	return a, nil
}

// forget makes the next scan look again.
func (s *scanner) forget(ctx context.Context) {
	if s.lock(ctx) == nil {
		clear(s.answers)
		s.unlock()
	}
}

func (a *answer) add(w wanted, status txcache.DatabaseStatus) {
	a.used++
	d := summary(status)
	if d.Fenced > 0 {
		a.fenced++
	}
	if w.detail != "" && w.detail == d.Name {
		a.detail = &status
	}
	if !strings.Contains(strings.ToLower(d.Name), w.search) {
		return
	}
	a.matching++
	a.top = append(a.top, d)
	if len(a.top) >= 4*w.top { // so that most of them are never kept
		a.cut(w.top)
	}
}

// cut leaves the n databases with the most values.
func (a *answer) cut(n int) {
	slices.SortFunc(a.top, func(x, y database) int {
		return cmp.Or(cmp.Compare(y.Values, x.Values), strings.Compare(x.Name, y.Name))
	})
	a.top = a.top[:min(n, len(a.top))]
}

func summary(status txcache.DatabaseStatus) database {
	d := database{Name: status.Name, Caches: len(status.Caches)}
	for _, c := range status.Caches {
		d.Values += c.Values
		d.Generation = max(d.Generation, c.Generation) // tokens sort by time
		if c.Fenced {
			d.Fenced++
		}
	}
	return d
}
