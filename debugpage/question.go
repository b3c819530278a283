package debugpage

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
)

// A question is what the query of a request asks for.
type question struct {
	Caches    string // part of the names of caches to show
	Sort      string // the column that they are sorted by
	Order     string // "asc" or "desc"
	Databases string // part of the names of databases to show
	Database  string // the one of which to tell more
	Top       int    // how many of each to show
	History   bool   // in data.json
}

const (
	defaultTop = 100
	maxTop     = 1000

	maxSearch, maxName = 256, 1024 // in bytes
)

func parseQuestion(v url.Values) (*question, error) {
	q := &question{
		Caches:    v.Get("caches"),
		Sort:      v.Get("sort"),
		Order:     v.Get("order"),
		Databases: v.Get("databases"),
		Database:  v.Get("database"),
		Top:       defaultTop,
		History:   v.Get("history") == "1",
	}
	if q.Sort == "" {
		q.Sort = "lookups"
	}
	if !slices.ContainsFunc(columns, func(c column) bool { return c.Key == q.Sort }) {
		return nil, fmt.Errorf("txcache: sort is %q; it must be one of %s", q.Sort, columnKeys())
	}
	// Each row of the page repeats the question.
	if len(q.Caches) > maxSearch || len(q.Databases) > maxSearch || len(q.Database) > maxName {
		return nil, fmt.Errorf("txcache: a search must be of %d bytes at most, the name of a database of %d", maxSearch, maxName)
	}
	switch {
	case q.Order == "" && q.Sort == "name":
		q.Order = "asc"
	case q.Order == "":
		q.Order = "desc"
	case q.Order != "asc" && q.Order != "desc":
		return nil, fmt.Errorf("txcache: order is %q; it must be asc or desc", q.Order)
	}
	if history := v.Get("history"); history != "" && history != "0" && history != "1" {
		return nil, fmt.Errorf("txcache: history is %q; it must be 0 or 1", history)
	}
	if top := v.Get("top"); top != "" {
		n, err := strconv.Atoi(top)
		if err != nil || n < 1 || n > maxTop {
			return nil, fmt.Errorf("txcache: top is %q; it must be a number from 1 to %d", top, maxTop)
		}
		q.Top = n
	}
	return q, nil
}

// link returns the query that asks q, without what is the default.
func (q question) link() string {
	v := url.Values{}
	set := func(name, value, byDefault string) {
		if value != byDefault {
			v.Set(name, value)
		}
	}
	set("caches", q.Caches, "")
	set("sort", q.Sort, "lookups")
	v.Set("order", q.Order)
	set("databases", q.Databases, "")
	set("database", q.Database, "")
	set("top", strconv.Itoa(q.Top), strconv.Itoa(defaultTop))
	return "?" + v.Encode()
}

// SortBy returns the link that a column's heading has: largest first, names from
// A; the other way round if that is how it is.
func (q question) SortBy(key string) string {
	order := "desc"
	if key == "name" {
		order = "asc"
	}
	if q.Sort == key && q.Order == order {
		order = map[string]string{"asc": "desc", "desc": "asc"}[order]
	}
	q.Sort, q.Order = key, order
	return q.link()
}

// More returns the link that shows more rows.
func (q question) More() string { q.Top = maxTop; return q.link() }

// Open returns the link that tells more of a database, none if it is "".
func (q question) Open(database string) string { q.Database = database; return q.link() }

// Sorted returns aria-sort of a column.
func (q question) Sorted(key string) string {
	switch {
	case q.Sort != key:
		return "none"
	case q.Order == "asc":
		return "ascending"
	default:
		return "descending"
	}
}

// All reports whether as many rows are shown as can be.
func (q question) All() bool { return q.Top == maxTop }
