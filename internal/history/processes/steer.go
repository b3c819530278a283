package processes

import (
	"math/rand/v2"
	"sync/atomic"
	"syscall"
	"time"
)

// reach is how long to wait until somebody comes to a point.
const reach = 10 * time.Second

// Kill has whoever comes to p next kill itself there, and reports whether
// anybody came. Another life of that worker begins.
func (c *Crew) Kill(p Point) bool {
	c.tickets++
	return c.issue(newTicket(c.tickets, p, false), func() bool { return c.Board.Count(Ticket) == 0 })
}

// Freeze has whoever comes to p next stop there for d, and reports whether
// anybody came.
func (c *Crew) Freeze(p Point, d time.Duration) bool {
	c.tickets++
	number := c.tickets
	defer c.Board.set(Resumed, number)
	if !c.issue(newTicket(number, p, true), func() bool { return c.Board.Count(Stopped)>>8 == number }) {
		return false
	}
	time.Sleep(d)
	worker := int(c.Board.Count(Stopped)&0xff) - 1
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Board.set(Resumed, number)
	_ = c.workers[worker].Process.Signal(syscall.SIGCONT)
	return true
}

// Strike kills a worker, wherever it is, or stops it for d if that is not 0. It must not be longer than
// a fence can stand unrenewed.
func (c *Crew) Strike(worker int, d time.Duration) {
	c.mu.Lock()
	process := c.workers[worker].Process
	c.mu.Unlock()
	if d == 0 {
		_ = process.Kill()
		return
	}
	if process.Signal(syscall.SIGSTOP) == nil { // unless it has ended
		time.Sleep(d)
		_ = process.Signal(syscall.SIGCONT)
	}
}

// issue hands out a ticket until it is taken or nobody comes.
func (c *Crew) issue(t ticket, taken func() bool) bool {
	c.Board.set(Ticket, uint64(t))
	if await(reach, taken) {
		return true
	}
	return !c.Board.swap(Ticket, uint64(t), 0) && await(reach, taken)
}

// Deaths returns how many workers were killed at a point, and Stops how many
// were stopped.
func (c *Crew) Deaths(p Point) uint64 { return atomic.LoadUint64(&c.Board.deaths[p]) }

// Stops is described with Deaths.
func (c *Crew) Stops(p Point) uint64 { return atomic.LoadUint64(&c.Board.stops[p]) }

// Recovers reports whether every database has hits of what others have cached,
// beginning now, within the lease and a little more. It is said of what others
// cached, as a transaction sees what it has set itself in any case.
func (c *Crew) Recovers() bool {
	before := make([]uint64, c.plan.databases())
	for i := range before {
		before[i] = atomic.LoadUint64(&c.Board.shared[i])
	}
	const more = 5 * time.Second
	return await(c.plan.Lease+more, func() bool {
		for i, n := range before {
			if atomic.LoadUint64(&c.Board.shared[i]) == n {
				return false
			}
		}
		return true
	})
}

// Befall lets a fault befall the servers. Unfences says that it may take down
// fences of commits under way: those count for others when they have returned.
func (c *Crew) Befall(unfences bool, fault func()) {
	if unfences {
		c.Board.Add(Faults, 1)
		defer c.Board.Add(Faults, 1)
	}
	fault()
}

// shuffled returns the points that want says yes to.
func shuffled(random *rand.Rand, want func(Point) bool) []Point {
	var points []Point
	for p := Point(0); p < lastPoint; p++ {
		if want(p) {
			points = append(points, p)
		}
	}
	random.Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
	return points
}
