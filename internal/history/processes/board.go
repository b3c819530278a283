package processes

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// A Board is memory that all processes of a run share: a file that each of them
// has mapped. What a process has written there outlives it, however it ends. All
// words are read and written atomically.
type Board struct {
	words []uint64
	data  []byte

	counters, lives, lowerBounds, heads, events, deaths, stops, shared, writes []uint64
}

// maxWrites bounds the writes of a run.
const maxWrites = 1 << 21

// rowEvents is how many events of each row are remembered.
const rowEvents = 64

// The words of an event.
const (
	eventAt = iota
	eventWho
	eventWhat
	eventWords
)

// A Counter is one of the words that say how far a run is.
type Counter int

// The counters. Those from Halt on are no sums but signals between processes.
const (
	Transactions Counter = iota
	Commits
	Ambiguous
	Refused
	Conflicts
	Drops
	Lookups
	Hits
	Violations
	Deletes    // of keys
	Tags       // that were cleared
	Unasked    // transactions whose begin has sent no question to the backend
	TermHits   // hits in those
	Waits      // changes that waited for members
	WaitedOut  // and did not get an answer from all
	WaitTime   // of these changes, in microseconds
	Lapsed     // commits that others may not know of, as their fence may have ended before
	Halt       // everybody is to end
	Faults     // how often a fault that takes fences down began or ended
	Ticket     // what is to happen to whoever comes to a certain point
	Stopped    // the ticket and the worker that has stopped itself
	Resumed    // the ticket whose worker may go on
	Ready      // how many workers have begun
	lastSignal // no counter
)

// layout cuts the words into the parts of the board.
func (b *Board) layout() {
	rest := b.words
	for _, part := range []struct {
		to *[]uint64
		n  int
	}{
		{&b.counters, int(lastSignal)},
		{&b.lives, len(world.Databases)},
		{&b.shared, len(world.Databases)},
		{&b.lowerBounds, rows},
		{&b.heads, rows},
		{&b.events, rows * rowEvents * eventWords},
		{&b.deaths, int(lastPoint)},
		{&b.stops, int(lastPoint)},
		{&b.writes, maxWrites},
	} {
		*part.to, rest = rest[:part.n:part.n], rest[part.n:]
	}
}

func boardWords() int {
	return int(lastSignal) + 2*len(world.Databases) + rows*(2+rowEvents*eventWords) + 2*int(lastPoint) + maxWrites
}

// NewBoard makes a board in a new file at path.
func NewBoard(path string) (*Board, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	err = errors.Join(f.Truncate(int64(8*boardWords())), f.Close())
	if err != nil {
		return nil, err
	}
	return OpenBoard(path)
}

// OpenBoard maps the board at path.
func OpenBoard(path string) (*Board, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := syscall.Mmap(int(f.Fd()), 0, 8*boardWords(), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("processes: mapping the board: %w", err)
	}
	b := &Board{data: data, words: unsafe.Slice((*uint64)(unsafe.Pointer(&data[0])), boardWords())}
	b.layout()
	return b, nil
}

// Close unmaps the board. Nobody in this process may use it any more.
func (b *Board) Close() error { return syscall.Munmap(b.data) }

// Count returns a counter.
func (b *Board) Count(c Counter) uint64 { return atomic.LoadUint64(&b.counters[c]) }

// Add adds to a counter.
func (b *Board) Add(c Counter, n uint64) { atomic.AddUint64(&b.counters[c], n) }

func (b *Board) set(c Counter, n uint64) { atomic.StoreUint64(&b.counters[c], n) }

func (b *Board) swap(c Counter, from, to uint64) bool {
	return atomic.CompareAndSwapUint64(&b.counters[c], from, to)
}

// raise makes *word n at least.
func raise(word *uint64, n uint64) {
	for {
		old := atomic.LoadUint64(word)
		if n <= old || atomic.CompareAndSwapUint64(word, old, n) {
			return
		}
	}
}
