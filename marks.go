package txcache

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/codec"
)

// Processes whose loaders need each other's keys must not wait for each other's
// leases. So the mark of a lease says, besides its owner, for which owners this one
// waits, by way of others too: a load that is about to wait for a lease tells it
// all leases that cannot be given back before it goes on. Each look at a mark
// carries that one step further, until a load finds an owner that waits for
// itself in the mark that it looks at, and loads for itself. (After Chandy, Misra
// and Haas, "Distributed Deadlock Detection", 1983, with looks for messages.) What
// a mark says may be out of date: a load that is done for that reason is one too
// many and no more.
//
// A mark without an owner says that each process loads for itself.

// manyOwners stands in a mark for owners that there is no room for.
const manyOwners = "*"

// readMark returns what the mark of a lease says: its owner, and for whom that one
// waits.
func readMark(data []byte) []string {
	text, _ := codec.LeaseText(data)
	return strings.Fields(text)
}

// writeMark returns what readMark returns, as text.
func writeMark(owner string, waits []string) string {
	text := strings.Join(append([]string{owner}, waits...), " ")
	if len(text) > codec.MaxLease {
		return owner + " " + manyOwners
	}
	return text
}

// leases are those that one call of a loader runs under.
type leases struct {
	store  *Store
	owner  string
	until  time.Time
	encode func(dst []byte, text string) []byte

	mu    sync.Mutex
	marks []backend.Swap // Old is what is there; nil if the lease is another's by now
	waits map[*foreign][]string
}

// tell notes for whom w makes the leases wait, and returns the changes that the
// marks need. What came of them is for told.
func (l *leases) tell(w *foreign, owners []string) (changes []backend.Swap, places []int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waits == nil {
		l.waits = map[*foreign][]string{}
	}
	l.waits[w] = owners
	var all []string
	for _, owners := range l.waits {
		all = append(all, owners...)
	}
	slices.Sort(all)
	all = slices.DeleteFunc(slices.Compact(all), func(owner string) bool { return owner == l.owner })
	mark := l.encode(nil, writeMark(l.owner, all))
	left := time.Until(l.until)
	for i, m := range l.marks {
		if left > 0 && m.Old != nil && !bytes.Equal(m.Old, mark) {
			changes = append(changes, backend.Swap{Key: m.Key, Old: m.Old, New: mark, TTL: max(left, time.Millisecond)})
			places = append(places, i)
		}
	}
	return changes, places
}

// told notes what was found where changes were to be made.
func (l *leases) told(changes []backend.Swap, places []int, found [][]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, place := range places {
		switch m := &l.marks[place]; {
		case bytes.Equal(found[i], changes[i].Old):
			m.Old = changes[i].New
		case ownerOf(found[i]) == l.owner: // another load of the loader has told it meanwhile
			m.Old = found[i]
		default:
			m.Old = nil
		}
	}
}

func (l *leases) forget(w *foreign) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.waits, w)
}

func ownerOf(data []byte) string {
	if mark := readMark(data); len(mark) > 0 {
		return mark[0]
	}
	return ""
}

// A foreign is a wait for leases of other processes.
type foreign struct {
	behind []*transaction // those that cannot go on meanwhile
	told   map[*leases]bool
}

// ownLeases are leases of this process.
type ownLeases []*leases

// own returns the leases that cannot be given back while the wait lasts. Others of
// the process may begin to wait for this one at any time.
func (f *foreign) own() ownLeases { return waiting.behind(f.behind) }

// waitedForBy reports whether the owner of a mark may be waiting for one of own.
func (own ownLeases) waitedForBy(mark []string) bool {
	return len(own) > 0 && slices.ContainsFunc(mark, func(owner string) bool {
		return owner == manyOwners || slices.ContainsFunc(own, func(l *leases) bool { return l.owner == owner })
	})
}

// announce tells the marks of own that they wait for owners. Where that fails the
// next look tries again.
func (f *foreign) announce(ctx context.Context, own ownLeases, owners []string) {
	type part struct {
		of      *leases
		changes []backend.Swap
		places  []int
	}
	parts := map[*Store][]part{}
	for _, l := range own {
		if f.told == nil {
			f.told = map[*leases]bool{}
		}
		f.told[l] = true
		if changes, places := l.tell(f, owners); len(changes) > 0 {
			parts[l.store] = append(parts[l.store], part{l, changes, places})
		}
	}
	for s, parts := range parts {
		var all []backend.Swap
		for _, p := range parts {
			all = append(all, p.changes...)
		}
		found, err := s.swapper.Swap(ctx, all)
		if err != nil {
			s.quiet.warn(ctx, "remote lease", "error", err)
			continue
		}
		for _, p := range parts {
			p.of.told(p.changes, p.places, found[:len(p.changes)])
			found = found[len(p.changes):]
		}
	}
}

// end ends the wait. The marks stay as they are: what they say of others' loads is
// over in a moment.
func (f *foreign) end() {
	for l := range f.told {
		l.forget(f)
	}
}

// swapMarks carries out swaps of marks of owner, whatever these say by now.
func (s *Store) swapMarks(ctx context.Context, swaps []backend.Swap, owner string) error {
	for range 2 { // what a mark said may have been changed since
		found, err := s.swapper.Swap(ctx, swaps)
		if err != nil {
			return err
		}
		var again []backend.Swap
		for i, swap := range swaps {
			if !bytes.Equal(found[i], swap.Old) && ownerOf(found[i]) == owner {
				swap.Old = found[i]
				again = append(again, swap)
			}
		}
		if swaps = again; len(swaps) == 0 {
			break
		}
	}
	return nil
}
