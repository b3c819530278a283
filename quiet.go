package txcache

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// A quieter logs, of each message, at most one record in a while.
type quieter struct {
	logger *slog.Logger

	mu   sync.Mutex
	last map[string]*heard
}

type heard struct {
	at         time.Time
	suppressed int
}

const quietFor = 10 * time.Second

func newQuieter(logger *slog.Logger) *quieter {
	return &quieter{logger: logger, last: map[string]*heard{}}
}

// warn logs message, unless it did so a moment ago.
func (q *quieter) warn(ctx context.Context, message string, attrs ...any) {
	now := time.Now()
	q.mu.Lock()
	h := q.last[message]
	if h == nil {
		h = &heard{}
		q.last[message] = h
	}
	if !h.at.IsZero() && now.Sub(h.at) < quietFor {
		h.suppressed++
		q.mu.Unlock()
		return
	}
	suppressed := h.suppressed
	h.at, h.suppressed = now, 0
	q.mu.Unlock()
	if suppressed > 0 {
		attrs = append(attrs, "suppressed", suppressed)
	}
	q.logger.WarnContext(ctx, "txcache: "+message, attrs...)
}
