package redisbackend

import (
	"time"

	"github.com/seed-dad15c92/txcache/backend"
)

// notes tell up to which serial number the registrations of a database are over.
//
// A registration is never given an end by a clock of the server. A process that got an answer with
// a serial number knows that all registrations up to that number were made before the
// answer came: once it has waited for Options.Wait, by its own monotonic clock, the terms of
// all of them have ended. It says so with the next script, which removes them. While that clock
// stands still the wait only becomes longer; the wall clock, which may be set forward, could end
// it too early.
type notes struct {
	epoch backend.Token
	list  []note // serial numbers and times grow
}

type note struct {
	serial uint64
	at     time.Duration // when the answer had arrived, by Backend.now
}

// notesKept is about how many notes are kept of those that are younger than Options.Wait. What
// is not noted is noted with a later answer.
const notesKept = 16

// add takes note of an answer that has arrived by now.
func (n *notes) add(epoch backend.Token, serial uint64, now, wait time.Duration) {
	if epoch != n.epoch {
		*n = notes{epoch: epoch}
	}
	n.forget(now, wait)
	if len(n.list) > 0 {
		if last := n.list[len(n.list)-1]; serial <= last.serial || now-last.at < wait/notesKept {
			return
		}
	}
	n.list = append(n.list, note{serial, now})
}

// forget keeps, of the notes that have become old enough, the last.
func (n *notes) forget(now, wait time.Duration) {
	for len(n.list) > 1 && now-n.list[1].at >= wait {
		n.list = n.list[1:]
	}
}

// over returns the serial number up to which registrations are over, 0 for none.
func (n *notes) over(now, wait time.Duration) uint64 {
	n.forget(now, wait)
	if len(n.list) == 0 || now-n.list[0].at < wait {
		return 0
	}
	return n.list[0].serial
}

// next returns how long it takes until more registrations are known to be over: Options.Wait
// if there is no note.
func (n *notes) next(now, wait time.Duration) time.Duration {
	for _, note := range n.list {
		if left := wait - (now - note.at); left > 0 { // the first is the oldest
			return left
		}
	}
	return wait
}
