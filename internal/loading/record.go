package loading

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/codec"
	"github.com/seed-dad15c92/txcache/internal/transaction"
)

// Processes whose loaders need each other's keys must not wait for each other's
// leases. So the record of a lease names its owner and the owners for which that
// owner waits, directly or through others. A load that is about to wait for a lease
// writes what it reads in that record into the records of all leases that cannot be
// given back before it goes on. Each check carries that one step further, until a load
// reads that an owner waits for itself, and calls its own loader. (After Chandy, Misra
// and Haas, "Distributed Deadlock Detection", 1983, with checks in place of messages.)
// A record may be out of date: this costs a needless load and no more.
//
// A record without an owner says that each process must load without a lease.

// anyOwner stands in a record for owners for which it has no room.
const anyOwner = "*"

// parseRecord returns what a record says: the owner, and the owners for which it waits.
func parseRecord(data []byte) []string {
	text, _ := codec.LeaseText(data)
	return strings.Fields(text)
}

// isRecord reports whether data is a record: that of a lease which began before a delete
// may be found in place of a value.
func isRecord(data []byte) bool {
	_, ok := codec.LeaseText(data)
	return ok
}

// formatRecord returns the text from which parseRecord returns owner and waits.
func formatRecord(owner string, waits []string) string {
	text := strings.Join(append([]string{owner}, waits...), " ")
	if len(text) > codec.MaxLeaseText {
		return owner + " " + anyOwner
	}
	return text
}

// A leaseGroup is the leases that one call of a loader runs under.
type leaseGroup struct {
	store  *transaction.Store
	owner  string
	ends   time.Time
	encode func(text string) []byte

	mu      sync.Mutex
	records []backend.Swap // Old is what is there; nil if another process has the lease now
	waits   map[*leaseWait][]string
}

// addWait records that w makes the group wait for owners, and returns the changes that
// the records need. The caller must pass the results of these changes to swapped.
func (l *leaseGroup) addWait(w *leaseWait, owners []string) (changes []backend.Swap, places []int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waits == nil {
		l.waits = map[*leaseWait][]string{}
	}
	l.waits[w] = owners
	var all []string
	for _, owners := range l.waits {
		all = append(all, owners...)
	}
	slices.Sort(all)
	all = slices.DeleteFunc(slices.Compact(all), func(owner string) bool { return owner == l.owner })
	record := l.encode(formatRecord(l.owner, all))
	left := time.Until(l.ends)
	for i, r := range l.records {
		if left > 0 && r.Old != nil && !bytes.Equal(r.Old, record) {
			changes = append(changes, backend.Swap{Key: r.Key, Old: r.Old, New: record, TTL: max(left, time.Millisecond)})
			places = append(places, i)
		}
	}
	return changes, places
}

// swapped records what the backend found in the places of changes.
func (l *leaseGroup) swapped(changes []backend.Swap, places []int, found [][]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, place := range places {
		switch r := &l.records[place]; {
		case bytes.Equal(found[i], changes[i].Old):
			r.Old = changes[i].New
		case ownerOf(found[i]) == l.owner: // another load of the loader has changed it meanwhile
			r.Old = found[i]
		default:
			r.Old = nil
		}
	}
}

func (l *leaseGroup) removeWait(w *leaseWait) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.waits, w)
}

func ownerOf(data []byte) string {
	if record := parseRecord(data); len(record) > 0 {
		return record[0]
	}
	return ""
}

// A leaseWait is a wait for leases of other processes.
type leaseWait struct {
	blocked []*transaction.Transaction // that cannot continue meanwhile
	added   map[*leaseGroup]bool       // that were told of it
}

// groups returns the leases that cannot be given back while the wait lasts. Other
// transactions of the process may begin to wait for this one at any time.
func (w *leaseWait) groups() []*leaseGroup { return waiting.leasesBehind(w.blocked) }

// waitsForOne reports whether the owner of a record may be waiting for one of groups.
func waitsForOne(record []string, groups []*leaseGroup) bool {
	return len(groups) > 0 && slices.ContainsFunc(record, func(owner string) bool {
		return owner == anyOwner || slices.ContainsFunc(groups, func(l *leaseGroup) bool { return l.owner == owner })
	})
}

// write writes into the records of groups that they wait for owners. After a failure
// the next check tries again.
func (w *leaseWait) write(ctx context.Context, groups []*leaseGroup, owners []string) {
	type part struct {
		of      *leaseGroup
		changes []backend.Swap
		places  []int
	}
	parts := map[*transaction.Store][]part{}
	for _, l := range groups {
		if w.added == nil {
			w.added = map[*leaseGroup]bool{}
		}
		w.added[l] = true
		if changes, places := l.addWait(w, owners); len(changes) > 0 {
			parts[l.store] = append(parts[l.store], part{l, changes, places})
		}
	}
	for s, parts := range parts {
		var all []backend.Swap
		for _, p := range parts {
			all = append(all, p.changes...)
		}
		found, err := s.Swapper.Swap(ctx, all)
		if err != nil {
			s.Log.Warn(ctx, "remote lease", "error", err)
			continue
		}
		for _, p := range parts {
			p.of.swapped(p.changes, p.places, found[:len(p.changes)])
			found = found[len(p.changes):]
		}
	}
}

// end ends the wait. It does not rewrite the records: they expire soon.
func (w *leaseWait) end() {
	for l := range w.added {
		l.removeWait(w)
	}
}

// swapRecords carries out swaps of records of owner, even if other loads have changed
// these records.
func swapRecords(ctx context.Context, s *transaction.Store, swaps []backend.Swap, owner string) error {
	for range 2 { // another load may have changed a record since
		found, err := s.Swapper.Swap(ctx, swaps)
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
