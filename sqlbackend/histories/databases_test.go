package histories_test

import (
	"testing"
	"time"
)

// least is how many hits of exact transactions a run of a history must check.
const least = 20_000

// Each hit at repeatable read is what the transaction itself reads by SQL, and each other
// hit at least what was committed when its transaction began.
func TestHitsAreWhatTheTransactionReads(t *testing.T) {
	run := func(t *testing.T, h *history, readers, writers int) {
		end := h.start(readers, writers)
		for began := time.Now(); (time.Since(began) < duration(t) || h.exact.hits.Load() < least && time.Since(began) < time.Minute) && !t.Failed(); {
			time.Sleep(50 * time.Millisecond)
		}
		end()
		h.sane(least)
	}
	t.Run("mariadb", func(t *testing.T) {
		e, _ := overMariaDB(t)
		run(t, newHistory(t, newServer(t, e, "a"), newServer(t, e, "b")), 16, 8)
	})
	t.Run("sqlite", func(t *testing.T) {
		e, _ := overSQLite(t)
		run(t, newHistory(t, newServer(t, e, "a"), newServer(t, e, "b")), 10, 6)
	})
	t.Run("postgres", func(t *testing.T) {
		e, _ := overPostgres(t)
		h := newHistory(t, newServer(t, e, "a"), newServer(t, e, "b"))
		run(t, h, 20, 10)
	})
}
