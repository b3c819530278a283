// Package quiet logs repeated messages at most once in ten seconds.
package quiet

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// A Logger logs at most one record every ten seconds for each message, database and
// cache, so that one tenant's failures neither hide another's nor flood the log. Of one
// message at most maxSubjects databases and caches get a record within that time.
type Logger struct {
	logger *slog.Logger

	mu       sync.Mutex
	messages map[string]*heard // a few, as they are constants
}

// A heard is what was logged of one message lately, and how much was suppressed.
type heard struct {
	subjects map[subject]*logged
	others   int // records of subjects that are not among them
}

type subject struct{ database, cache string }

type logged struct {
	at         time.Time
	suppressed int
}

const (
	quietFor    = 10 * time.Second
	maxSubjects = 100
)

// New returns a Logger that writes to logger.
func New(logger *slog.Logger) *Logger {
	return &Logger{logger: logger, messages: map[string]*heard{}}
}

// Warn logs message, unless it did so in the last ten seconds for the same database and
// cache. These are among attrs, which are pairs.
func (q *Logger) Warn(ctx context.Context, message string, attrs ...any) {
	suppressed, others, ok := q.ask(message, subjectOf(attrs), time.Now())
	if !ok {
		return
	}
	if suppressed > 0 {
		attrs = append(attrs, "suppressed", suppressed)
	}
	if others > 0 {
		attrs = append(attrs, "suppressed_others", others)
	}
	q.logger.WarnContext(ctx, "txcache: "+message, attrs...)
}

// ask reports whether a record may be logged, and how many were not since the
// last one: of the same subject, and of subjects that got none.
func (q *Logger) ask(message string, s subject, now time.Time) (suppressed, others int, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	h := q.messages[message]
	if h == nil {
		h = &heard{subjects: map[subject]*logged{}}
		q.messages[message] = h
	}
	t := h.subjects[s]
	switch {
	case t != nil && now.Sub(t.at) < quietFor:
		t.suppressed++
		return 0, 0, false
	case t != nil:
		suppressed = t.suppressed
	default:
		if len(h.subjects) >= maxSubjects {
			h.forget(now)
		}
		if len(h.subjects) >= maxSubjects {
			h.others++
			return 0, 0, false
		}
	}
	h.subjects[s] = &logged{at: now}
	others, h.others = h.others, 0
	return suppressed, others, true
}

// forget makes room for other subjects.
func (h *heard) forget(now time.Time) {
	for s, t := range h.subjects {
		if now.Sub(t.at) >= quietFor {
			h.others += t.suppressed
			delete(h.subjects, s)
		}
	}
}

func subjectOf(attrs []any) (s subject) {
	for i := 0; i+1 < len(attrs); i += 2 {
		text, _ := attrs[i+1].(string)
		switch attrs[i] {
		case "database":
			s.database = text
		case "cache":
			s.cache = text
		}
	}
	return s
}
