package debugpage

import (
	"fmt"
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

// spark returns the path of the share of hits over time: the whole width is the
// time that there are samples of, the whole height from none to all. Where
// nothing was looked up the line is broken.
func spark(t *times, h *history) string {
	if len(t.At) == 0 {
		return ""
	}
	newest := t.At[len(t.At)-1]
	width := max(shortest, newest.Sub(t.At[0]))
	var b strings.Builder
	joined, lone := false, false
	for i, at := range t.At {
		r := lookups{h.Hits[i], h.Misses[i]}.ratio()
		if r == nil {
			if lone {
				b.WriteString("h0") // a dot, by its round ends
			}
			joined, lone = false, false
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
		b.WriteString("h0")
	}
	return b.String()
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
		return "no look-ups seen yet"
	}
	return fmt.Sprintf("share of hits over time: from %s to %s", first, last)
}
