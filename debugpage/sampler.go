package debugpage

import (
	"slices"
	"sync"
	"time"

	"github.com/seed-dad15c92/txcache"
)

const (
	window     = 5 * time.Minute  // for which samples are kept
	recently   = 10 * time.Second // what "now" means of a ratio
	spacing    = time.Second      // at least, between samples
	maxSamples = int(window / spacing)
	rest       = 10 // times as long as counting took, nothing is counted again
)

// A sampler keeps what was counted while somebody looked.
type sampler struct {
	store *txcache.Store

	mu   sync.Mutex // also held while counting: who comes meanwhile waits for it
	next time.Time  // when to count again
	last samples
}

// samples are never changed once they are there.
type samples struct {
	stats   []txcache.Stats // the newest
	history []sample        // oldest first, never empty, maxSamples at most
}

// A sample is the look-ups of each cache at one moment, in the order of Stats:
// caches are added to its end only.
type sample struct {
	at     time.Time
	counts []lookups
}

type lookups struct{ hits, misses uint64 }

func (l lookups) minus(m lookups) lookups { return lookups{l.hits - m.hits, l.misses - m.misses} }
func (l lookups) plus(m lookups) lookups  { return lookups{l.hits + m.hits, l.misses + m.misses} }
func (l lookups) sum() uint64             { return l.hits + l.misses }

// ratio returns the share of hits, nil if there was no look-up.
func (l lookups) ratio() *float64 {
	if l.sum() == 0 {
		return nil
	}
	r := float64(l.hits) / float64(l.sum())
	return &r
}

// take returns the samples, with a new one if it is time for that.
func (s *sampler) take() samples {
	s.mu.Lock()
	defer s.mu.Unlock()
	begun := time.Now()
	if begun.Before(s.next) {
		return s.last
	}
	stats := slices.Collect(s.store.Stats())
	at := time.Now()
	now := sample{at: at, counts: make([]lookups, len(stats))}
	for i, c := range stats {
		now.counts[i] = lookups{c.Hits, c.Misses}
	}
	kept := s.last.history
	for len(kept) > 0 && (len(kept) >= maxSamples || at.Sub(kept[0].at) > window) {
		kept = kept[1:]
	}
	s.last = samples{stats, append(slices.Clone(kept), now)} // readers may have the old one
	s.next = at.Add(max(spacing, rest*at.Sub(begun)))
	return s.last
}

// forget makes the next take count.
func (s *sampler) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = time.Time{}
}

// of returns what a sample counted of cache i, or of all if i is negative.
func (s sample) of(i int) lookups {
	if i >= len(s.counts) {
		return lookups{} // the cache was made later
	}
	if i >= 0 {
		return s.counts[i]
	}
	var all lookups
	for _, c := range s.counts {
		all = all.plus(c)
	}
	return all
}

func (s samples) newest() sample { return s.history[len(s.history)-1] }

// before returns the sample that "now" is counted from: the newest of those that
// are old enough, or the oldest.
func (s samples) before() sample {
	end := s.newest().at.Add(-recently)
	for _, b := range slices.Backward(s.history) {
		if !b.at.After(end) {
			return b
		}
	}
	return s.history[0]
}

// recent returns what was looked up in cache i just now, or in all if i is
// negative, and how long that took.
func (s samples) recent(i int) (lookups, time.Duration) {
	before, now := s.before(), s.newest()
	return now.of(i).minus(before.of(i)), now.at.Sub(before.at)
}

// maxIntervals bounds what is drawn, and sent, of one cache.
const maxIntervals = 60

// thin returns samples of the whole history, maxIntervals+1 at most, the newest
// among them.
func (s samples) thin() []sample {
	step := (len(s.history)-2)/maxIntervals + 1
	var thin []sample
	for i := (len(s.history) - 1) % step; i < len(s.history); i += step {
		thin = append(thin, s.history[i])
	}
	return thin
}
