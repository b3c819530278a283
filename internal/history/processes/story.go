package processes

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// A name is who did something: a goroutine of a life of a worker, in its
// transaction of that number.
type name struct{ worker, life, actor, tx int }

func (n name) word() uint64 {
	return uint64(n.worker)<<56 | uint64(n.life&0xffff)<<40 | uint64(n.actor)<<32 | uint64(uint32(n.tx))
}

func nameOf(w uint64) name {
	return name{int(w >> 56), int(w >> 40 & 0xffff), int(w >> 32 & 0xff), int(uint32(w))}
}

func (n name) String() string {
	return fmt.Sprintf("worker %d, life %d, actor %d, transaction %d", n.worker, n.life, n.actor, n.tx)
}

// An event is something that happened to a row.
type event uint8

const (
	reads event = iota + 1
	draws
	undoes
	fences
	sends
	isShown
	fails
	isUnsure
	returns
)

var eventTexts = [...]string{
	reads: "reads, to cache it,", draws: "writes", undoes: "undoes", fences: "is about to fence, and commit,", sends: "sends to commit",
	isShown: "has committed", fails: "failed to commit", isUnsure: "does not know whether it committed", returns: "has cleared after",
}

// tell remembers that something happened to a row. A teller that is killed or
// overtaken by 64 others leaves an event of which parts are another's.
func (b *Board) tell(r row, who name, what event, v version) {
	n := atomic.AddUint64(&b.heads[r], 1)
	at := (int(r)*rowEvents + int(n%rowEvents)) * eventWords
	atomic.StoreUint64(&b.events[at+eventAt], uint64(time.Now().UnixNano()))
	atomic.StoreUint64(&b.events[at+eventWho], who.word())
	atomic.StoreUint64(&b.events[at+eventWhat], uint64(what)<<56|uint64(v))
}

// story returns the last events of a row, one a line, with the times before now.
func (b *Board) story(r row) string {
	type line struct {
		at   uint64
		text string
	}
	var lines []line
	now := uint64(time.Now().UnixNano())
	for i := range rowEvents {
		at := (int(r)*rowEvents + i) * eventWords
		l := line{at: atomic.LoadUint64(&b.events[at+eventAt])}
		if l.at == 0 {
			continue
		}
		who, what := nameOf(atomic.LoadUint64(&b.events[at+eventWho])), atomic.LoadUint64(&b.events[at+eventWhat])
		text := eventTexts[min(int(what>>56), len(eventTexts)-1)]
		l.text = fmt.Sprintf("  %10v %v %s %v", -time.Duration(now-l.at).Round(time.Microsecond), who, text, version(what&(1<<56-1)))
		lines = append(lines, l)
	}
	slices.SortFunc(lines, func(a, b line) int { return cmp.Compare(a.at, b.at) })
	var all strings.Builder
	for _, l := range lines {
		all.WriteString(l.text)
		all.WriteByte('\n')
	}
	return all.String()
}
