package sqlread

import (
	"fmt"
	"iter"
	"slices"
	"strings"
)

// A Statement is what a statement does, as far as it concerns caches.
type Statement struct {
	Tables []string // that it changes
	Counts bool     // the number of rows that it has affected tells whether it changed any

	Control Control
	Name    string // of the savepoint, in lower case unless it is in quotes
}

// A Control is what a statement does to the transaction.
type Control int

// The controls.
const (
	None Control = iota
	Begin
	Commit
	Rollback
	Savepoint
	RollbackTo
	Release
)

// Read reads SQL, which may be several statements. It returns an error if it cannot tell
// what a statement changes. Where dialects differ in what is a string or a comment,
// it returns what the text says in either.
func Read(sql string) ([]Statement, error) {
	standard, err := read(sql, false)
	mysql, mysqlErr := read(sql, true)
	switch {
	case err != nil:
		return mysql, mysqlErr
	case mysqlErr != nil:
		return standard, nil
	}
	for _, s := range mysql {
		if s.Control == None && !slices.ContainsFunc(standard, func(other Statement) bool { return slices.Equal(s.Tables, other.Tables) }) {
			standard = append(standard, s)
		}
	}
	return standard, nil
}

func read(sql string, mysql bool) (all []Statement, err error) {
	tokens, err := scan(sql, mysql)
	if err != nil {
		return nil, err
	}
	for tokens := range split(tokens) {
		s, err := statement(tokens)
		if err != nil {
			return nil, err
		}
		if len(s.Tables) > 0 || s.Control != None {
			all = append(all, s)
		}
	}
	return all, nil
}

// Controls returns the statements of sql that begin or end a transaction or a savepoint, and whether
// there are others beside them. Where dialects differ in what is a string or a comment, it goes by the one in
// which there are more. It returns none if sql is a text in no dialect.
func Controls(sql string) (controls []Statement, others bool) {
	for _, mysql := range []bool{false, true} {
		tokens, err := scan(sql, mysql)
		if err != nil {
			continue
		}
		var found []Statement
		n := 0
		for tokens := range split(tokens) {
			n++
			if s, ok := (&reader{tokens: tokens}).control(); ok {
				found = append(found, s)
			}
		}
		if len(found) > len(controls) {
			controls, others = found, n > len(found)
		}
	}
	return controls, others
}

// split yields the tokens of each statement, without those of bodies.
func split(tokens []token) iter.Seq[[]token] {
	return func(yield func([]token) bool) {
		for len(tokens) > 0 {
			end := slices.IndexFunc(tokens, func(t token) bool { return !t.quoted && t.text == ";" })
			if end < 0 {
				end = len(tokens)
			}
			s := tokens[:end]
			if tokens = tokens[min(end+1, len(tokens)):]; hasBody(s) {
				tokens = afterBody(tokens)
			}
			if len(s) > 0 && !yield(s) {
				return
			}
		}
	}
}

// hasBody reports whether a statement defines a trigger or the like, whose body has statements of its own.
func hasBody(tokens []token) bool {
	r := &reader{tokens: tokens}
	if !r.skip("CREATE") {
		return false
	}
	for ; !r.done() && !slices.ContainsFunc([]string{"TRIGGER", "PROCEDURE", "FUNCTION", "EVENT"}, r.is); r.at++ {
		if slices.ContainsFunc([]string{"TABLE", "VIEW", "INDEX", "TYPE"}, r.is) {
			return false
		}
	}
	return slices.ContainsFunc(tokens[r.at:], func(t token) bool { return !t.quoted && t.text == "BEGIN" })
}

// afterBody returns what follows a body of which the first statement has been read.
func afterBody(tokens []token) []token {
	for depth := 1; len(tokens) > 0 && depth > 0; {
		end := slices.IndexFunc(tokens, func(t token) bool { return !t.quoted && t.text == ";" })
		if end < 0 {
			end = len(tokens)
		}
		switch r := (&reader{tokens: tokens[:end]}); {
		case r.skip("BEGIN"):
			depth++
		case r.skip("END") && !slices.ContainsFunc([]string{"IF", "CASE", "LOOP", "WHILE", "REPEAT", "FOR"}, r.is):
			depth--
		}
		tokens = tokens[min(end+1, len(tokens)):]
	}
	return tokens
}

// A reader reads the tokens of one statement.
type reader struct {
	tokens []token
	at     int
}

func (r *reader) done() bool { return r.at >= len(r.tokens) }

// is reports whether the next token is that word or character.
func (r *reader) is(text string) bool {
	return !r.done() && !r.tokens[r.at].quoted && r.tokens[r.at].text == text
}

// skip skips the words that are there, in any order and number.
func (r *reader) skip(words ...string) (skipped bool) {
	for slices.ContainsFunc(words, r.is) {
		r.at++
		skipped = true
	}
	return skipped
}

// name reads a name with its schema, "" if there is none.
func (r *reader) name() string {
	var parts []string
	for !r.done() {
		t := r.tokens[r.at]
		if !t.quoted && t.raw == "" {
			return ""
		}
		part := t.raw
		if t.quoted {
			part = t.text
		}
		parts = append(parts, part)
		r.at++
		if !r.is(".") {
			break
		}
		r.at++
	}
	return strings.Join(parts, ".")
}

func statement(tokens []token) (s Statement, err error) {
	r := &reader{tokens: tokens}
	if s, ok := r.control(); ok {
		return s, nil
	}
	if r.skip("EXPLAIN") && !slices.ContainsFunc(tokens, func(t token) bool { return t.text == "ANALYZE" }) {
		return s, nil // it does nothing
	}
	r.at = 0
	for first := true; !r.done(); first = false {
		verb := r.tokens[r.at]
		start := first || r.follows(")", "ANALYZE", "VERBOSE")
		inner := start || r.follows("(")
		r.at++
		if verb.quoted || verb.raw == "" || !inner {
			continue
		}
		back := r.at
		tables, known := r.change(verb.text, start)
		switch {
		case !known:
			r.at = back
		case len(tables) == 0 || slices.Contains(tables, ""):
			return s, fmt.Errorf("what %s changes is not clear", verb.text)
		default:
			s.Tables = append(s.Tables, tables...)
			s.Counts = first && slices.Contains([]string{"INSERT", "UPDATE", "DELETE", "MERGE"}, verb.text)
		}
	}
	slices.Sort(s.Tables)
	s.Tables = slices.Compact(s.Tables)
	return s, nil
}

// follows reports whether the token before is one of these.
func (r *reader) follows(texts ...string) bool {
	return r.at > 0 && !r.tokens[r.at-1].quoted && slices.Contains(texts, r.tokens[r.at-1].text)
}

// control reads a statement that begins or ends something.
func (r *reader) control() (s Statement, ok bool) {
	switch {
	case r.skip("BEGIN"):
		return Statement{Control: Begin}, true
	case r.skip("START"):
		return Statement{Control: Begin}, r.is("TRANSACTION")
	case r.skip("COMMIT", "END"):
		return Statement{Control: Commit}, !r.is("PREPARED")
	case r.skip("SAVEPOINT"):
		return Statement{Control: Savepoint, Name: r.savepoint()}, true
	case r.skip("SAVE") && r.skip("TRAN", "TRANSACTION"): // SQL Server
		return Statement{Control: Savepoint, Name: r.savepoint()}, true
	case r.skip("RELEASE"):
		return Statement{Control: Release, Name: r.savepoint()}, true
	case r.skip("ROLLBACK", "ABORT"):
		named := r.skip("TRAN", "TRANSACTION") && !r.is("AND") && !r.done() // in SQL Server
		r.skip("WORK")
		if !r.skip("TO") && !named {
			return Statement{Control: Rollback}, true
		}
		return Statement{Control: RollbackTo, Name: r.savepoint()}, true
	}
	return s, false
}

// savepoint reads the name of a savepoint.
func (r *reader) savepoint() string {
	r.skip("SAVEPOINT")
	if !r.done() && r.tokens[r.at].quoted {
		return r.name()
	}
	return strings.ToLower(r.name())
}

// change reads what follows a verb. known is false if the verb is none here. start says that a
// statement begins with it, also after WITH.
func (r *reader) change(verb string, start bool) (tables []string, known bool) {
	switch verb {
	case "INSERT", "REPLACE":
		if !start && (verb == "REPLACE" || !r.is("INTO")) || r.is("(") {
			return nil, false
		}
		r.or()
		r.skip("LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY", "IGNORE", "INTO")
		return []string{r.name()}, true
	case "MERGE":
		if !start && !r.is("INTO") {
			return nil, false
		}
		r.skip("INTO", "ONLY")
		return []string{r.name()}, true
	case "UPDATE":
		r.or()
		r.skip("LOW_PRIORITY", "IGNORE", "ONLY")
		all := r.references("SET")
		if len(all) == 0 {
			return nil, start
		}
		return r.targets(all), true
	case "DELETE":
		if !start && !r.is("FROM") {
			return nil, false
		}
		r.skip("LOW_PRIORITY", "QUICK", "IGNORE")
		return r.deleted(), true
	case "TRUNCATE":
		if !start || r.is("(") {
			return nil, false
		}
		r.skip("TABLE", "ONLY")
		for {
			tables = append(tables, r.name())
			r.skip("*")
			if !r.skip(",") {
				return tables, true
			}
			r.skip("ONLY")
		}
	case "COPY":
		if !start || r.is("(") { // of a query, which may change something itself
			return nil, false
		}
		name := r.name()
		if r.is("(") {
			r.parenthesis()
		}
		return []string{name}, r.is("FROM")
	case "LOAD":
		for ; start && !r.done(); r.at++ {
			if r.is("TABLE") {
				r.at++
				return []string{r.name()}, true
			}
		}
		return nil, false
	case "CALL", "DO", "EXECUTE", "EXEC", "PREPARE":
		return nil, start && r.at == 1
	}
	return nil, false
}

// or skips OR REPLACE and the like of SQLite.
func (r *reader) or() {
	if r.skip("OR") {
		r.at++
	}
}

// parenthesis skips what is in parentheses.
func (r *reader) parenthesis() {
	for depth := 0; !r.done(); {
		switch {
		case r.is("("):
			depth++
		case r.is(")"):
			depth--
		}
		r.at++
		if depth == 0 {
			return
		}
	}
}
