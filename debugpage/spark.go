package debugpage

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// The size of a sparkline in its own units; what it is on the page, CSS says.
const (
	sparkWidth  = 120
	sparkHeight = 24
	sparkMargin = 2
)

// shortest is what the whole width of a sparkline stands for at least.
const shortest = 30 * time.Second

// dot is the length of the line that stands for a lone sample. Of a line without
// a length nothing is to be seen.
const dot = "h1.5"

// spark returns the path of the share of hits over time: the whole width is the
// time that there are samples of, the whole height from none to all. The line is
// broken where nothing was looked up, and where nobody looked: what is known then
// is what happened on the whole, which is shown at the end.
func spark(t *times, h *history) string {
	if len(t.At) == 0 {
		return ""
	}
	newest := t.At[len(t.At)-1]
	width := max(shortest, newest.Sub(t.At[0]))
	var b strings.Builder
	joined, lone := false, false
	longest := maxInterval(t)
	before := t.From
	for i, at := range t.At {
		r := lookups{h.Hits[i], h.Misses[i]}.ratio()
		if r == nil || at.Sub(before) > longest {
			if lone {
				b.WriteString(dot)
			}
			joined, lone = false, false
		}
		before = at
		if r == nil {
			continue
		}
		x := sparkMargin + (sparkWidth-2*sparkMargin)*(1-float64(newest.Sub(at))/float64(width))
		y := sparkMargin + (sparkHeight-2*sparkMargin)*(1-*r)
		command := "M"
		if joined {
			command = "L"
		}
		fmt.Fprintf(&b, "%s%.1f %.1f", command, x, y)
		joined, lone = true, !joined
	}
	if lone {
		b.WriteString(dot)
	}
	return b.String()
}

// maxInterval returns how far apart samples are at most while somebody looks:
// the page asks every two seconds, but counting may take long, and without scripts
// the page is as new as it is reloaded.
func maxInterval(t *times) time.Duration {
	intervals := make([]time.Duration, len(t.At))
	before := t.From
	for i, at := range t.At {
		intervals[i], before = at.Sub(before), at
	}
	slices.Sort(intervals)
	return max(15*time.Second, 3*intervals[len(intervals)/2])
}

// Trend says in words what the sparkline of the cache shows.
func (c cache) Trend() string {
	first, last := "", ""
	for i := range c.History.Hits {
		if r := (lookups{c.History.Hits[i], c.History.Misses[i]}).ratio(); r != nil {
			last = percent(*r)
			if first == "" {
				first = last
			}
		}
	}
	if first == "" {
		return "collecting: no look-ups seen yet"
	}
	return fmt.Sprintf("share of hits over time: from %s to %s", first, last)
}
