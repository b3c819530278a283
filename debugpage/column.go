package debugpage

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// A column is a figure of a cache, as the page shows it and sorts by it.
type column struct {
	Key   string
	Label string
	Help  string
	value func(*cache) float64 // NaN: there is none
	text  func(float64) string
	Bad   bool // above zero is worth a look
}

// columns are those of the table of caches, in order.
var columns = []column{
	{Key: "name", Label: "Cache", Help: "name of the cache"},
	{Key: "now", Label: "Now", Help: "share of hits in the last ten seconds or so", value: func(c *cache) float64 { return orNaN(c.RecentRatio) }, text: percent},
	{Key: "ratio", Label: "Ratio", Help: "share of hits since the cache was made", value: func(c *cache) float64 { return orNaN(c.HitRatio) }, text: percent},
	{Key: "lookups", Label: "Look-ups", Help: "hits and misses", value: func(c *cache) float64 { return float64(c.Hits + c.Misses) }, text: count},
	{Key: "hits", Label: "Hits", Help: "values found: in the transaction, in the process, in the backend", value: func(c *cache) float64 { return float64(c.Hits) }, text: count},
	{Key: "misses", Label: "Misses", Help: "values not found, or not looked for", value: func(c *cache) float64 { return float64(c.Misses) }, text: count},
	{Key: "remote", Label: "Remote", Help: "those hits that came from the backend", value: func(c *cache) float64 { return float64(c.RemoteHits) }, text: count},
	{Key: "bypassed", Label: "Bypassed", Help: "those misses that did not look: the transaction had cleared the cache, or it was fenced", value: func(c *cache) float64 { return float64(c.Bypassed) }, text: count},
	{Key: "loads", Label: "Loads", Help: "calls of loaders", value: func(c *cache) float64 { return float64(c.Loads) }, text: count},
	{Key: "load_time", Label: "Mean load", Help: "how long a call of a loader takes", value: func(c *cache) float64 { return orNaN(c.MeanLoadSeconds) }, text: seconds},
	{Key: "load_errors", Label: "Errors", Help: "loads that failed", value: func(c *cache) float64 { return float64(c.LoadErrors) }, text: count, Bad: true},
	{Key: "clears", Label: "Clears", Help: "commits that cleared the cache", value: func(c *cache) float64 { return float64(c.Clears) }, text: count},
	{Key: "deletes", Label: "Deletes", Help: "keys that commits deleted", value: func(c *cache) float64 { return float64(c.Deletes) }, text: count},
	{Key: "floored", Label: "Floored", Help: "values that were lost because deletes were forgotten", value: func(c *cache) float64 { return float64(c.Floored) }, text: count},
	{Key: "evictions", Label: "Evictions", Help: "values pushed out by the size limit, or by that of memory", value: func(c *cache) float64 { return float64(c.Evictions) }, text: count},
	{Key: "values", Label: "Values", Help: "values in the process now", value: func(c *cache) float64 { return float64(c.Values) }, text: count},
	{Key: "memory", Label: "Memory", Help: "bytes that these take, about", value: func(c *cache) float64 { return float64(c.Bytes) }, text: memory},
}

func columnKeys() string {
	var keys []string
	for _, c := range columns {
		keys = append(keys, c.Key)
	}
	return strings.Join(keys, ", ")
}

// Value returns the figure as data.
func (c column) Value(of *cache) string {
	v := c.value(of)
	if math.IsNaN(v) {
		return ""
	}
	return number(v)
}

// Text returns the figure as people read it.
func (c column) Text(of *cache) string { return c.text(c.value(of)) }

// Alarming reports whether the figure is worth a look.
func (c column) Alarming(of *cache) bool { return c.Bad && c.value(of) > 0 }

// sortCaches sorts by the column that q names; caches without that figure come
// last whatever the order, equal ones by name.
func sortCaches(caches []cache, q *question) {
	by := columns[slices.IndexFunc(columns, func(c column) bool { return c.Key == q.Sort })]
	slices.SortStableFunc(caches, func(x, y cache) int {
		order := 1
		if q.Order == "desc" {
			order = -1
		}
		if by.value == nil {
			return order * strings.Compare(x.Name, y.Name)
		}
		a, b := by.value(&x), by.value(&y)
		if math.IsNaN(a) != math.IsNaN(b) {
			order = -1 // cmp.Compare has NaN first
		}
		return cmp.Or(order*cmp.Compare(a, b), strings.Compare(x.Name, y.Name))
	})
}
