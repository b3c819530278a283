// Cmd prints a table, in Markdown or for a terminal, of the hit ratios of eviction
// policies over traces made from seeds, or over published traces of real caches.
//
//	go run ./hitratio/cmd
//	go run ./hitratio/cmd -traces DIR -text
package main

import (
	"flag"
	"log"
	"os"

	"github.com/seed-dad15c92/txcache/bench/hitratio"
)

func main() {
	only := flag.String("only", "", "run only the traces whose name contains this")
	seeds := flag.Int("seeds", 5, "how many seeds, or runs of a published trace, to take the mean of")
	traces := flag.String("traces", os.Getenv("TXCACHE_TRACES"), "`directory` of published traces, to run them in place of those from seeds (default: $TXCACHE_TRACES)")
	text := flag.Bool("text", false, "write the table for a terminal")
	flag.Parse()
	rows, err := rows(*traces, *only, *seeds)
	if err != nil {
		log.Fatal(err)
	}
	write := hitratio.Write
	if *text {
		write = hitratio.WriteText
	}
	if err := write(os.Stdout, rows); err != nil {
		log.Fatal(err)
	}
}

func rows(traces, only string, seeds int) ([]hitratio.Row, error) {
	if traces != "" {
		return hitratio.Recorded(traces, only, seeds)
	}
	return hitratio.Rows(seeds, only)
}
