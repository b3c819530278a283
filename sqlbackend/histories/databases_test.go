package histories_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/internal/postgrestest"
)

// play runs a history for its time, and longer until it has shown enough, if the machine is slow.
func (h *history) play(d time.Duration, readers, writers int) {
	end := h.start(readers, writers)
	began := time.Now()
	for !h.t.Failed() && (time.Since(began) < d || h.missing() != "" && time.Since(began) < 5*time.Minute) {
		time.Sleep(20 * time.Millisecond)
	}
	end()
}

// missing returns what the history has not shown yet, "" if there is nothing.
func (h *history) missing() string {
	for _, goal := range h.goals {
		if missing := goal(); missing != "" {
			return missing
		}
	}
	return ""
}

// fewHits is the goal of each history: so many hits of exact transactions on the primary, and on its standby.
func (h *history) fewHits() string {
	const want = 5_000
	n := h.exact.hits.Load()
	if len(h.replica) > 0 {
		n = min(n, h.onStandby.hits.Load())
	}
	if n >= want {
		return ""
	}
	return fmt.Sprintf("%d hits of exact transactions are too few to show anything, want %d", n, want)
}

// Each hit at repeatable read is what the transaction itself reads by SQL, and each other
// hit at least what was committed when its transaction began. Baselines in the same run are
// found to be wrong.
func TestHitsAreWhatTheTransactionReadsPostgres(t *testing.T) {
	e, _ := overPostgres(t)
	h := newHistory(t, newServer(t, e, "a"), newServer(t, e, "b"))
	h.compare(newBaselines(e))
	h.play(duration(t), 20, 10)
	h.sane()
}

// So it is with a hot standby, with a store of its own, and with one whose transactions
// that write are on the primary.
func TestHitsAreWhatTheTransactionReadsOnAStandby(t *testing.T) {
	e, primary := overPostgres(t)
	h := onAStandby(t, e, primary)
	h.play(duration(t), 24, 8)
	h.sane()
}

// onAStandby returns a history of two servers on a primary, and two on its standby.
func onAStandby(t *testing.T, e *engine, primary *postgrestest.Server) *history {
	t.Helper()
	a := newServer(t, e, "a")
	if err := a.backend.Prepare(t.Context(), database); err != nil { // the table must have come to the standby
		t.Fatal(err)
	}
	replica := primary.Standby(t, "hot_standby_feedback=on", "max_standby_streaming_delay=-1")
	there := &engine{dialect: e.dialect, driver: e.driver, dsn: replica.URI("postgres"), redis: e.redis}
	b := newServer(t, there, "standby")
	b.standby = true
	both := *a // the caches and the backend of the primary, transactions on the standby
	both.name, both.db, both.standby, both.elsewhere = "a on the standby", b.db, true, true
	return newHistory(t, a, newServer(t, e, "b"), b, &both)
}

func TestHitsAreWhatTheTransactionReadsMariaDB(t *testing.T) {
	e, _ := overMariaDB(t)
	h := newHistory(t, newServer(t, e, "a"), newServer(t, e, "b"))
	h.compare(newBaselines(e))
	h.play(duration(t), 16, 8)
	h.sane()
}

func TestHitsAreWhatTheTransactionReadsSQLite(t *testing.T) {
	e, _ := overSQLite(t)
	h := newHistory(t, newServer(t, e, "a"), newServer(t, e, "b"))
	h.rest = 20 * time.Millisecond // or the folds, which wait for the same lock, never get it
	h.compare(newBaselines(e))
	h.play(duration(t), 10, 6)
	h.sane()
}
