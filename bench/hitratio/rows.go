// Package hitratio compares the hit ratios of eviction policies over traces
// that are made from seeds, and over one public trace.
package hitratio

import (
	"fmt"
	"io"
	"strings"
)

// A Row holds what each policy reaches on one trace in a cache of one size.
type Row struct {
	Trace  string
	Keys   int       // how many different ones the trace has; of the first seed
	Size   int       // how many values the cache keeps
	Ratios []float64 // hits in per cent, in the order of Policies
}

// Near and Otter are the places in Policies of those that the table compares.
const Near, Otter = 0, 4

// Policies returns the names of the policies.
func Policies() []string {
	var names []string
	for _, p := range policies {
		names = append(names, p.name)
	}
	return names
}

// Rows returns the means over the seeds from 1 on, of all traces whose name
// contains only. It must run within the module that this package belongs to,
// where it finds the public trace.
func Rows(seeds int, only string) ([]Row, error) {
	glimpse, err := published()
	if err != nil {
		return nil, err
	}
	var rows []Row
	for seed := range seeds {
		n := 0
		for _, t := range append(source{uint64(seed + 1)}.traces(), glimpse) {
			if !strings.Contains(t.name, only) {
				continue
			}
			for _, size := range t.sizes {
				if seed == 0 {
					rows = append(rows, Row{t.name, t.distinct(), size, make([]float64, len(policies))})
				}
				for i, p := range policies {
					rows[n].Ratios[i] += hitRatio(p.open(size), t.keys) / float64(seeds)
				}
				n++
			}
		}
	}
	return rows, nil
}

// row returns the row of t, which has keys different keys, for a cache of size.
func (t trace) row(keys, size int) Row {
	r := Row{t.name, keys, size, make([]float64, len(policies))}
	for i, p := range policies {
		r.Ratios[i] = hitRatio(p.open(size), t.keys)
	}
	return r
}

// hitRatio returns the share of accesses that hit, in per cent.
func hitRatio(c cache, keys []uint64) float64 {
	if c, ok := c.(io.Closer); ok {
		defer c.Close()
	}
	hits := 0
	for _, k := range keys {
		if c.access(k) {
			hits++
		}
	}
	return 100 * float64(hits) / float64(len(keys))
}

// Write writes rows and their mean as a table in Markdown. The last column says
// how far the near cache is from otter.
func Write(w io.Writer, rows []Row) error {
	var b strings.Builder
	fmt.Fprintf(&b, "| trace | keys | size | %s | near − otter |\n", strings.Join(Policies(), " | "))
	fmt.Fprintf(&b, "|---|--:|--:|%s\n", strings.Repeat("--:|", len(policies)+1))
	mean := make([]float64, len(policies))
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s | %d | %d |", r.Trace, r.Keys, r.Size)
		writeRatios(&b, r.Ratios)
		for i, ratio := range r.Ratios {
			mean[i] += ratio / float64(len(rows))
		}
	}
	b.WriteString("| mean | | |")
	writeRatios(&b, mean)
	_, err := io.WriteString(w, b.String())
	return err
}

func writeRatios(b *strings.Builder, ratios []float64) {
	for _, ratio := range ratios {
		fmt.Fprintf(b, " %.1f |", ratio)
	}
	fmt.Fprintf(b, " %+.1f |\n", ratios[Near]-ratios[Otter])
}
