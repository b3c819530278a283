// Package hitratio compares the hit ratios of eviction policies over traces that are
// made from seeds, and over published ones.
package hitratio

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
)

// A Row holds what each policy reaches on one trace in a cache of one size.
type Row struct {
	Trace  string
	Keys   int       // how many different ones the trace has; of the first seed
	Size   int       // how many values the cache keeps
	Ratios []float64 // hits in per cent, in the order of Policies
}

// Near and the others are the places in Policies of those that the table compares.
const Near, LRU, S3FIFO, Otter = 0, 1, 3, 4

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

// row returns the row of t, which has keys different keys, for a cache of size: the means
// of some runs.
func (t trace) row(keys, size, runs int) Row {
	r := Row{t.name, keys, size, make([]float64, len(policies))}
	for i, p := range policies {
		for range runs {
			r.Ratios[i] += hitRatio(p.open(size), t.keys) / float64(runs)
		}
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

// Write writes rows and their mean as a table in Markdown. The last columns say how far
// the near cache is from otter, and from the best of LRU, S3-FIFO and otter.
func Write(w io.Writer, rows []Row) error {
	var b strings.Builder
	for i, cells := range table(rows) {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
		if i == 0 {
			fmt.Fprintf(&b, "|---%s|\n", strings.Repeat("|--:", len(cells)-1))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteText writes the same table for a terminal.
func WriteText(w io.Writer, rows []Row) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, cells := range table(rows) {
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	return t.Flush()
}

func table(rows []Row) [][]string {
	head := append([]string{"trace", "keys", "size"}, Policies()...)
	lines := [][]string{append(head, "near − otter", "near − best")}
	mean := make([]float64, len(policies))
	for _, r := range rows {
		lines = append(lines, append([]string{r.Trace, strconv.Itoa(r.Keys), strconv.Itoa(r.Size)}, ratioCells(r.Ratios)...))
		for i, ratio := range r.Ratios {
			mean[i] += ratio / float64(len(rows))
		}
	}
	return append(lines, append([]string{"mean", "", ""}, ratioCells(mean)...))
}

func ratioCells(ratios []float64) []string {
	var cells []string
	for _, ratio := range ratios {
		cells = append(cells, fmt.Sprintf("%.1f", ratio))
	}
	return append(cells, fmt.Sprintf("%+.1f", ratios[Near]-ratios[Otter]), fmt.Sprintf("%+.1f", ratios[Near]-best(ratios)))
}

// best returns the highest of the ratios that the near cache is measured by.
func best(ratios []float64) float64 { return max(ratios[LRU], ratios[S3FIFO], ratios[Otter]) }
