package processes

import (
	"fmt"
	"time"
)

// A Totals is what a run came to.
type Totals struct {
	Transactions, Commits, Ambiguous, Conflicts, Refused, Drops, Lookups, Hits, Violations, Deletes, Tags uint64

	Unasked, TermHits, Waits, WaitedOut, Lapsed uint64
	WaitTime                                    time.Duration
}

// Totals returns what was counted up to now.
func (c *Crew) Totals() Totals {
	b := c.Board
	return Totals{
		b.Count(Transactions), b.Count(Commits), b.Count(Ambiguous), b.Count(Conflicts), b.Count(Refused), b.Count(Drops),
		b.Count(Lookups), b.Count(Hits), b.Count(Violations), b.Count(Deletes), b.Count(Tags),
		b.Count(Unasked), b.Count(TermHits), b.Count(Waits), b.Count(WaitedOut), b.Count(Lapsed),
		time.Duration(b.Count(WaitTime)) * time.Microsecond,
	}
}

func (t Totals) String() string {
	return fmt.Sprintf("%d transactions, %d of them wrote, %d with an unknown outcome, %d conflicts, %d refused, %d drops, %d deletes, %d tags cleared; %d look-ups, %d hits checked, %d violations;"+
		" %d begins without a question, %d hits in those; %d changes waited for %v, %d of them for a term; %d commits excused as their fence had ended",
		t.Transactions, t.Commits, t.Ambiguous, t.Conflicts, t.Refused, t.Drops, t.Deletes, t.Tags, t.Lookups, t.Hits, t.Violations,
		t.Unasked, t.TermHits, t.Waits, t.WaitTime, t.WaitedOut, t.Lapsed)
}
