package redisbackend

import (
	"math"
	"strings"
	"time"
)

// fenceTimers hold, for the line of each fence that stands, when the process first
// saw it, by Backend.now. A renewal makes another line. So a fence whose line was
// seen for its whole time to live was not renewed for as long, whatever the clock
// of the server or of another process shows. That is why a process that meets a
// fence for the first time leaves it alone for the time to live, even if the
// fence's owner has long been dead.
type fenceTimers map[string]time.Duration

// observe takes note at now of the lines that a script has answered with. Answers
// may overtake each other: one that is late at worst makes the wait longer.
func (t *fenceTimers) observe(lines string, now time.Duration) {
	if lines == "" {
		*t = nil
		return
	}
	next := fenceTimers{}
	for line := range strings.SplitSeq(lines, "\n") {
		first, ok := (*t)[line]
		if !ok {
			first = now
		}
		next[line] = first
	}
	*t = next
}

// expired returns the lines that were seen for their whole time to live, one a line.
func (t fenceTimers) expired(now time.Duration) string {
	var lines []string
	for line, first := range t {
		if ttl, ok := fenceTTL(line); ok && now-first >= ttl {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

// fenceTTL returns the time to live of the fence of a line, as scripts/database.lua
// describes it.
func fenceTTL(line string) (time.Duration, bool) {
	parts := strings.Fields(line)
	if len(parts) < 4 {
		return 0, false
	}
	ms, ok := number(parts[2])
	return time.Duration(ms) * time.Millisecond, ok && ms <= math.MaxInt64/uint64(time.Millisecond)
}
