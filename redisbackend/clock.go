package redisbackend

import (
	"strconv"
	"sync"
	"time"
)

// clockTolerance is by how much a server's clock may be ahead of what is
// expected before it is taken to have been set: requests are on their way for
// a while, and clocks are slewed.
const clockTolerance = 5 * time.Second

// A clock compares that of a server, in milliseconds, with the monotonic clock
// of the process. Where the server's was set forward, fences seem to be past
// their deadline whose owners are alive; for one lease, in which the living
// renew theirs, none of them is taken to have lapsed.
type clock struct {
	mu     sync.Mutex
	seen   bool
	offset time.Duration // the server's clock less the process's, at most
	lease  time.Duration // the longest that was met
	hold   time.Duration // the monotonic time until which fences are left alone
}

// limit returns what a script is told: the latest that its server's clock can
// show, "" if there is no telling, "0" if nothing may lapse.
func (c *clock) limit(now time.Duration) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !c.seen:
		return ""
	case now < c.hold:
		return "0"
	}
	return strconv.FormatInt((now + c.offset + clockTolerance).Milliseconds(), 10)
}

// observe learns from a reply to what was sent at the monotonic time sent that
// the server's clock showed server.
func (c *clock) observe(server, sent, now time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen && server > sent+c.offset+clockTolerance && now >= c.hold {
		c.hold = now + c.lease
	}
	c.seen, c.offset = true, server-sent
}

// met notes that there are fences with this lease.
func (c *clock) met(lease time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lease = max(c.lease, lease)
}
