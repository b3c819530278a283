// Hitratio prints, as a table in Markdown, the hit ratio of eviction policies
// over traces that are made from fixed seeds, and over one public trace.
//
// The last column says how far the near cache is from otter.
package main

import (
	"flag"
	"fmt"
	"log"
	"strings"
)

func main() {
	only := flag.String("only", "", "run only the traces whose name contains this")
	flag.Parse()
	traces, err := allTraces()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print("| trace | keys | size |")
	for _, p := range policies {
		fmt.Printf(" %s |", p.name)
	}
	fmt.Println(" near − otter |\n|---|--:|--:|" + strings.Repeat("--:|", len(policies)+1))
	sums := make([]float64, len(policies))
	rows := 0
	for _, t := range traces {
		if !strings.Contains(t.name, *only) {
			continue
		}
		for _, size := range t.sizes {
			ratio := make(map[string]float64)
			fmt.Printf("| %s | %d | %d |", t.name, t.distinct(), size)
			for i, p := range policies {
				r := hitRatio(p.open(size), t.keys)
				ratio[p.name] = r
				sums[i] += r
				fmt.Printf(" %.1f |", r)
			}
			fmt.Printf(" %+.1f |\n", ratio["near"]-ratio["otter"])
			rows++
		}
	}
	fmt.Print("| mean | | |")
	for _, sum := range sums {
		fmt.Printf(" %.1f |", sum/float64(rows))
	}
	fmt.Println(" |")
}

// hitRatio returns the share of accesses that hit, in per cent.
func hitRatio(c cache, keys []uint64) float64 {
	hits := 0
	for _, k := range keys {
		if c.access(k) {
			hits++
		}
	}
	return 100 * float64(hits) / float64(len(keys))
}
