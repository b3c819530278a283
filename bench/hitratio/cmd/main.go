// Cmd prints, as a table in Markdown, the hit ratio of eviction policies.
package main

import (
	"flag"
	"log"
	"os"

	"github.com/seed-dad15c92/txcache/bench/hitratio"
)

func main() {
	only := flag.String("only", "", "run only the traces whose name contains this")
	seeds := flag.Int("seeds", 5, "how many seeds to take the mean of")
	flag.Parse()
	rows, err := hitratio.Rows(*seeds, *only)
	if err != nil {
		log.Fatal(err)
	}
	if err := hitratio.Write(os.Stdout, rows); err != nil {
		log.Fatal(err)
	}
}
