// Package quiet logs the same trouble once in a while, not each time.
package quiet

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// A Logger logs at most one record in a while of each subject, which is a message
// about a database and a cache: one tenant's trouble hides neither another's nor
// floods the log. Of one message no more subjects than maxSubjects get a record
// in a while; others wait for one of these to be over.
type Logger struct {
	logger *slog.Logger

	mu       sync.Mutex
	messages map[string]*heard // a few, as they are constants
}

// A heard says what was logged of a message lately, and how much was not.
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

// New returns one that writes to logger.
func New(logger *slog.Logger) *Logger {
	return &Logger{logger: logger, messages: map[string]*heard{}}
}

// Warn logs message, unless it did so a moment ago for the same database and
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
