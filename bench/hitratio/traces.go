package hitratio

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"

	"github.com/dgraph-io/ristretto/v2/sim"
)

// A trace is a sequence of keys that are asked for, and the sizes of the caches
// to try.
type trace struct {
	name  string
	keys  []uint64
	sizes []int
}

func (t trace) distinct() int {
	seen := make(map[uint64]bool)
	for _, k := range t.keys {
		seen[k] = true
	}
	return len(seen)
}

const (
	universe = 4000  // keys of the skewed traces
	length   = 60000 // accesses of a trace
	single   = 1 << 40
)

// shares are 1 %, 5 %, 10 % and 25 % of the universe.
var shares = []int{universe / 100, universe / 20, universe / 10, universe / 4}

// A source makes traces, the same ones from the same seed.
type source struct{ seed uint64 }

func (s source) traces() []trace {
	var traces []trace
	for _, skew := range []float64{0.7, 0.8, 0.9, 1.0, 1.2} {
		traces = append(traces, s.skewed(fmt.Sprintf("zipf %.1f", skew), universe, skew, shares))
	}
	return append(traces, s.scans(), s.oneHits(), s.loop(), s.skewedAndLoop(), s.shifting(), s.drifting(), s.hotSet(), s.recency(), s.requests(),
		s.skewed("zipf 0.9, small", 200, 0.9, []int{1, 2, 4, 8, 16, 32, 64}))
}

// random returns numbers that are others for each stream.
func (s source) random(stream uint64) *rand.Rand { return rand.New(rand.NewPCG(stream, s.seed)) }

// zipf returns a source of ranks below n, where rank i has a weight of
// 1/(i+1)^s. That of math/rand takes no s below 1.
func zipf(r *rand.Rand, n int, s float64) func() uint64 {
	sums := make([]float64, n)
	sum := 0.0
	for i := range sums {
		sum += math.Pow(float64(i+1), -s)
		sums[i] = sum
	}
	return func() uint64 { return uint64(sort.SearchFloat64s(sums, r.Float64()*sum)) }
}

func (s source) skewed(name string, n int, skew float64, sizes []int) trace {
	next := zipf(s.random(1), n, skew)
	keys := make([]uint64, length)
	for i := range keys {
		keys[i] = next()
	}
	return trace{name, keys, sizes}
}

// scans is a skewed trace with a scan over keys that never come again now and then.
func (s source) scans() trace {
	next := zipf(s.random(2), universe, 0.9)
	keys := make([]uint64, length)
	for i := range keys {
		if i%1400 < 1000 {
			keys[i] = next()
		} else {
			keys[i] = single + uint64(i)
		}
	}
	return trace{"zipf 0.9, scans", keys, shares}
}

// oneHits is a skewed trace where four in ten keys never come again.
func (s source) oneHits() trace {
	r := s.random(3)
	next := zipf(r, universe, 0.9)
	keys := make([]uint64, length)
	for i := range keys {
		keys[i] = next()
		if r.IntN(10) < 4 {
			keys[i] = single + uint64(i)
		}
	}
	return trace{"zipf 0.9, 40 % once", keys, shares}
}

func (source) loop() trace {
	keys := make([]uint64, length)
	for i := range keys {
		keys[i] = uint64(i % 1000)
	}
	return trace{"loop", keys, []int{100, 200, 500, 900, 980}}
}

// skewedAndLoop is a loop of 800 keys, and in between, three times in five, keys
// of a skewed trace.
func (s source) skewedAndLoop() trace {
	r := s.random(8)
	next := zipf(r, universe, 1)
	keys := make([]uint64, length)
	turn := uint64(0)
	for i := range keys {
		if r.IntN(5) < 3 {
			keys[i] = next()
		} else {
			keys[i] = single + turn%800
			turn++
		}
	}
	return trace{"zipf 1.0 and loop", keys, shares}
}

// shifting is a skewed trace whose most wanted keys are others every 5000 accesses.
func (s source) shifting() trace {
	next := zipf(s.random(4), universe, 1)
	keys := make([]uint64, length)
	for i := range keys {
		keys[i] = next() + uint64(i/5000)*600
	}
	return trace{"shifting zipf 1.0", keys, shares}
}

// drifting is a skewed trace where every 20 accesses another key is the most
// wanted, and all others are wanted a little less.
func (s source) drifting() trace {
	next := zipf(s.random(9), universe, 1)
	keys := make([]uint64, length)
	for i := range keys {
		keys[i] = uint64(length-i)/20 + next()
	}
	return trace{"drifting zipf 1.0", keys, shares}
}

// hotSet asks nine times in ten for one of 200 keys, others every 10000 accesses.
func (s source) hotSet() trace {
	r := s.random(5)
	keys := make([]uint64, length)
	for i := range keys {
		keys[i] = single + r.Uint64N(20000)
		if r.IntN(10) < 9 {
			keys[i] = uint64(i/10000)*1000 + r.Uint64N(200)
		}
	}
	return trace{"changing hot set", keys, []int{50, 125, 250, 500}}
}

// recency asks again for what is new, and the less the older it is.
func (s source) recency() trace {
	r := s.random(6)
	keys := make([]uint64, length)
	newest := uint64(1000)
	for i := range keys {
		if r.IntN(3) == 0 {
			newest++
		}
		keys[i] = newest - min(newest, uint64(r.ExpFloat64()*100))
	}
	return trace{"recency only", keys, []int{40, 100, 200, 400}}
}

// requests is what a business application asks for: each request takes settings
// and rights that all users share and some of the user's own; one in four shows
// a page of records and goes over it twice; users come and go; and every 2000
// requests a batch goes over many records.
func (s source) requests() trace {
	r := s.random(7)
	shared, user := zipf(r, 2000, 1.1), zipf(r, 300, 0.8)
	keys := make([]uint64, 0, length)
	for n := 0; len(keys) < length; n++ {
		u := user() + uint64(n/3000)*40
		for range 15 {
			keys = append(keys, shared())
		}
		for range 10 {
			keys = append(keys, 1<<32+u*64+r.Uint64N(20))
		}
		if r.IntN(4) == 0 {
			page := single + r.Uint64N(5000)*40
			for i := range uint64(80) {
				keys = append(keys, page+i%40)
			}
		}
		if n%2000 == 1999 {
			for i := range uint64(6000) {
				keys = append(keys, single+i)
			}
		}
	}
	return trace{"requests", keys, []int{256, 1024, 2048, 4096}}
}

// published returns the trace "glimpse" of the LIRS paper (Jiang and Zhang,
// SIGMETRICS 2002), which the module ristretto carries.
func published() (trace, error) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/dgraph-io/ristretto/v2").Output()
	if err != nil {
		return trace{}, fmt.Errorf("where is the module ristretto: %w", err)
	}
	file, err := os.Open(filepath.Join(strings.TrimSpace(string(dir)), "sim", "gli.lirs.gz"))
	if err != nil {
		return trace{}, err
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		return trace{}, err
	}
	t := trace{name: "glimpse (LIRS)", sizes: []int{250, 500, 1000, 2000}}
	next := sim.NewReader(sim.ParseLIRS, unzipped)
	for {
		key, err := next()
		if errors.Is(err, sim.ErrDone) || errors.Is(err, io.EOF) {
			return t, nil
		} else if err != nil {
			return trace{}, err
		}
		t.keys = append(t.keys, key)
	}
}
