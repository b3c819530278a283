package redisbackend

import (
	"math"
	"strings"
	"time"
)

// A vigil holds, for the line of each fence that stands, when the process has
// first seen it, by Backend.now. A renewal makes another line. So a fence whose
// line was seen for longer than its lease was not renewed for as long, whatever
// the clock of the server or of another process shows. That is why a process
// that meets a fence for the first time leaves it alone for a lease, also if the
// fence's owner has long been dead.
type vigil map[string]time.Duration

// see takes note at now of the lines that a script has answered with. Answers
// may overtake each other: one that is late at worst makes the wait longer.
func (v *vigil) see(lines string, now time.Duration) {
	if lines == "" {
		*v = nil
		return
	}
	next := vigil{}
	for line := range strings.SplitSeq(lines, "\n") {
		first, ok := (*v)[line]
		if !ok {
			first = now
		}
		next[line] = first
	}
	*v = next
}

// overdue returns the lines that were seen for a whole lease, one a line.
func (v vigil) overdue(now time.Duration) string {
	var lines []string
	for line, first := range v {
		if lease, ok := leaseOf(line); ok && now-first >= lease {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

// leaseOf returns the lease of the fence of a line, as scripts/database.lua describes it.
func leaseOf(line string) (time.Duration, bool) {
	parts := strings.Fields(line)
	if len(parts) < 4 {
		return 0, false
	}
	ms, ok := number(parts[2])
	return time.Duration(ms) * time.Millisecond, ok && ms <= math.MaxInt64/uint64(time.Millisecond)
}
