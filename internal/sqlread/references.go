package sqlread

import (
	"slices"
	"strings"
)

// A reference is a table in a list of them, and the name that the statement gives it.
type reference struct{ table, alias string }

func (r reference) is(name string) bool {
	return strings.EqualFold(name, r.alias) || strings.EqualFold(name, r.table) || strings.EqualFold(name, r.table[strings.LastIndexByte(r.table, '.')+1:])
}

// references reads a list of tables up to that word, which it skips, or to the end of the list. It returns
// nothing if what is there is no such list.
func (r *reader) references(end string) (all []reference) {
	more := true // a table must follow
	for !r.done() {
		switch {
		case r.skip(end):
			return all
		case r.is("("):
			r.parenthesis() // a subquery, which is not changed, or a condition
			more = false
		case more:
			r.skip("ONLY", "LATERAL")
			name := r.name()
			if name == "" {
				return nil
			}
			ref := reference{name, name}
			r.skip("*", "AS")
			if !r.done() && (r.tokens[r.at].quoted || r.tokens[r.at].raw != "") && !slices.ContainsFunc(listWords, r.is) && !r.is(end) {
				ref.alias = r.name()
			}
			all, more = append(all, ref), false
		case slices.ContainsFunc([]string{"WHERE", "RETURNING", "ORDER", "LIMIT", ")"}, r.is):
			if end == "SET" {
				return nil
			}
			return all
		default:
			more = r.is(",") || r.is("JOIN")
			r.at++
		}
	}
	if end == "SET" {
		return nil
	}
	return all
}

// listWords follow a table in a list, and are no name of it.
var listWords = []string{"SET", "WHERE", "RETURNING", "USING", "JOIN", "INNER", "LEFT", "RIGHT", "FULL", "CROSS", "NATURAL", "STRAIGHT_JOIN", "ON", "ORDER", "LIMIT", "FORCE", "USE", "IGNORE", "INDEXED", "NOT", "PARTITION"}

// targets returns the tables of an UPDATE that its assignments name. If there is one
// table, or an assignment names none, it is all of them.
func (r *reader) targets(all []reference) (tables []string) {
	for _, ref := range all {
		tables = append(tables, ref.table)
	}
	if len(all) == 1 {
		return tables
	}
	back := r.at
	defer func() { r.at = back }()
	var named []string
	for !r.done() && !r.is("WHERE") {
		column := r.name()
		i := strings.LastIndexByte(column, '.')
		if i < 0 {
			return tables
		}
		for _, ref := range all {
			if ref.is(column[:i]) {
				named = append(named, ref.table)
			}
		}
		for !r.done() && !r.is(",") && !r.is("WHERE") {
			if r.is("(") {
				r.parenthesis()
			} else {
				r.at++
			}
		}
		r.skip(",")
	}
	if len(named) == 0 {
		return tables
	}
	return named
}

// deleted reads DELETE FROM t, and the DELETE of MySQL from several tables.
func (r *reader) deleted() (tables []string) {
	several := !r.is("FROM")
	r.skip("FROM", "ONLY")
	for {
		tables = append(tables, strings.TrimSuffix(r.name(), "."))
		if r.skip(".") {
			r.skip("*")
		}
		if !r.skip(",") {
			break
		}
	}
	if several && !r.skip("FROM") || !several && (len(tables) == 1 || !r.skip("USING")) {
		return tables
	}
	all := r.references("WHERE")
	for i, name := range tables {
		for _, ref := range all {
			if ref.is(name) {
				tables[i] = ref.table
			}
		}
	}
	return tables
}
