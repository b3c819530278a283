// Package workloads says what is compared: which work, of which subject, with
// which peer, and what is to be reached.
package workloads

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/seed-dad15c92/txcache/bench/measure"
)

// An Env is where the work is done.
type Env struct {
	Redis string  // host and port of a Redis server; "": without
	Scale float64 // 1 for the sizes that the names of the pairs say, less for a trial
}

// The headings of the report, in its order.
const (
	sectionHit         = "Hits in the process"
	sectionTransaction = "Transactions"
	sectionMix         = "Reads and writes over more keys than fit"
	sectionERP         = "A request of an ERP server"
	sectionClear       = "Clear and drop"
	sectionMemory      = "Memory"
	sectionDatabases   = "Many databases"
	sectionBegin       = "Begin on Redis"
	sectionNear        = "Hits near Redis"
	sectionRemote      = "Hits on Redis"
	sectionFill        = "Fills"
)

// All returns all pairs, in the order of the report.
func All(e Env) []measure.Pair {
	var pairs []measure.Pair
	for _, some := range []func(Env) []measure.Pair{
		hits, transactions, mixes, requests, clears, drops, footprints, databases, fills,
		begins, nearHits, remoteHits, remoteFills, remoteDrops,
	} {
		pairs = append(pairs, some(e)...)
	}
	return pairs
}

// size returns n scaled, and at least 64.
func (e Env) size(n int) int { return max(64, int(float64(n)*e.Scale)) }

// cached is the number of keys that are read where all of them fit, a power of
// two, and room is the size of the caches that they are read from.
const (
	cached = 1024
	room   = 2 * cached
)

// keysOf returns n keys, always the same.
func keysOf(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = "some.record." + strconv.Itoa(i)
	}
	return keys
}

// errMiss is the error of a look-up that should have been a hit.
var errMiss = errors.New("a miss where only hits are measured")

// side returns a side whose work needs nothing but a loop.
func side(name string, open func(ctx context.Context) (*measure.Work, error)) measure.Side {
	return measure.Side{Name: name, Open: open}
}

// grouped writes n with spaces between the thousands.
func grouped(n int) string {
	if n < 1000 {
		return strconv.Itoa(n)
	}
	return fmt.Sprintf("%s %03d", grouped(n/1000), n%1000)
}
