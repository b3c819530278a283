package workloads

import "time"

// A record is a value as a service caches many of: a row with a few columns.
type record struct {
	ID      int64
	Name    string
	Email   string
	Active  bool
	Created time.Time
	Balance float64
	Groups  []int64
}

func recordOf(i int) record {
	return record{
		ID: int64(i), Name: "Ada Lovelace", Email: "ada@example.com", Active: true,
		Created: time.Date(2024, 12, 10, 8, 30, 0, 0, time.UTC), Balance: 1815.12, Groups: []int64{1, 4, 9, 16},
	}
}

// A document is a value with many parts.
type document struct {
	ID    int64
	Title string
	Lines []line
}

type line struct {
	Product  string
	Quantity int64
	Price    float64
	Taxed    bool
}

// documentOf returns one that takes about so many bytes when it is encoded.
func documentOf(i, bytes int) document {
	const each = 60
	d := document{ID: int64(i), Title: "Order of the day", Lines: make([]line, bytes/each)}
	for j := range d.Lines {
		d.Lines[j] = line{"A product", int64(j), 9.99, j%2 == 0}
	}
	return d
}

// textOf returns a value of a hundred bytes.
func textOf(i int) string {
	text := keysOf(i + 1)[i]
	for len(text) < 100 {
		text += "."
	}
	return text
}
