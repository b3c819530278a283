package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/BurntSushi/toml"
)

// A document is what a file says, with the place of every key.
type document struct {
	name     string
	root     *node
	index    map[string]*node // every key of every table, by its path
	sections []*node          // the tables of [cache] that only a backend can know

	mu   sync.Mutex
	read map[string]bool // what Section was asked for
}

// A node is a value of a document.
type node struct {
	parent *node
	name   string // of the key in its table
	path   string // from the root, as errors show it
	line   int
	value  any    // string, int64, float64, bool or time.Time; nil for a table or an array
	raw    string // a string as it is in the file, before the environment filled it in
	table  map[string]*node
	array  []*node // not nil for an array, even if empty
	bad    bool    // its problem is known; its value is not to be used
}

// newDocument reads text. The problems are those of strings that the
// environment could not fill in; the error is that of text that is not TOML.
func newDocument(text []byte, name string) (*document, problems, error) {
	var tables map[string]toml.Primitive
	md, err := toml.Decode(string(text), &tables)
	if err != nil {
		return nil, nil, syntaxError(err, text, name)
	}
	if line, key := redefinition(string(text)); line > 0 {
		return nil, nil, definedTwice(name, line, key.String())
	}
	d := &document{name: name, index: map[string]*node{}, read: map[string]bool{}}
	b := builder{document: d, lines: map[string]int{}}
	b.locate(md, tables, text)
	values := make(map[string]any, len(tables))
	for key, p := range tables {
		var v any
		md.PrimitiveDecode(p, &v) // cannot fail: an any takes everything
		values[key] = v
	}
	d.root = b.build(nil, "", "", values, 0)
	d.root.place()
	return d, b.problems, nil
}

// deepest is how many levels of tables and arrays a file may have.
const deepest = 32

// A builder makes the nodes of a document.
type builder struct {
	*document
	lines    map[string]int // by path
	problems problems
}

// locate finds the line of each key of tables, and of those below. The decoder
// tells no positions but in errors, so each key is decoded into a type that
// fails.
func (b *builder) locate(md toml.MetaData, tables map[string]toml.Primitive, text []byte) {
	for _, p := range tables {
		var at toml.ParseError
		if errors.As(md.PrimitiveDecode(p, &refusal{}), &at) && at.Position.Line > 0 {
			b.lines[at.LastKey] = lineOf(text, at.Position)
		}
		var below map[string]toml.Primitive
		if md.PrimitiveDecode(p, &below) == nil {
			b.locate(md, below, text)
		}
	}
}

// A refusal decodes nothing.
type refusal struct{}

func (*refusal) UnmarshalTOML(any) error { return errors.New("refused") }

// lineOf returns the line in which at begins. The parser's own count is that
// of the end, which differs for text over several lines.
func lineOf(text []byte, at toml.Position) int {
	return 1 + bytes.Count(text[:min(max(at.Start, 0), len(text))], []byte("\n"))
}

// build makes the node at path, and those below it.
func (b *builder) build(parent *node, name, path string, value any, depth int) *node {
	n := &node{parent: parent, name: name, path: path, line: b.lines[path]}
	b.index[path] = n
	if depth > deepest {
		b.problems = append(b.problems, problem{keys: []string{path}, text: fmt.Sprintf("found too many levels; expected at most %d", deepest)})
		return n
	}
	switch value := value.(type) {
	case map[string]any:
		n.table = make(map[string]*node, len(value))
		for name, v := range value {
			below := toml.Key{name}.String()
			if parent != nil {
				below = path + "." + below
			}
			n.table[name] = b.build(n, name, below, v, depth+1)
		}
		for _, child := range n.table { // it may have no header, only dotted keys
			if n.line == 0 || child.line > 0 && child.line < n.line && b.lines[path] == 0 {
				n.line = child.line
			}
		}
	case []map[string]any:
		n.array = make([]*node, len(value))
		for i, v := range value {
			n.array[i] = b.build(n, name, fmt.Sprintf("%s[%d]", path, i), v, depth+1)
		}
	case []any:
		n.array = make([]*node, len(value))
		for i, v := range value {
			n.array[i] = b.build(n, name, fmt.Sprintf("%s[%d]", path, i), v, depth+1)
		}
	case string:
		fill := expand
		if path == uriKey {
			fill = expandURI
		}
		text, wrong := fill(value)
		n.value, n.raw = text, value
		if wrong != "" {
			n.bad = true
			b.problems = append(b.problems, problem{keys: []string{path}, text: wrong})
		}
	default:
		n.value = value
	}
	return n
}

// place gives what has no line, such as an element of an array, that of what it
// is in.
func (n *node) place() {
	for _, child := range slices.AppendSeq(slices.Clone(n.array), maps.Values(n.table)) {
		child.line = cmp.Or(child.line, n.line)
		child.place()
	}
}

// sorted returns the nodes of the table n in the order of the file.
func (n *node) sorted() []*node {
	return slices.SortedFunc(maps.Values(n.table), func(a, b *node) int {
		return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.name, b.name))
	})
}

// syntaxError says what is wrong with text. It is in our words, as the parser's
// quote the file, and what is quoted may be a part of a password.
func syntaxError(err error, text []byte, name string) error {
	var at toml.ParseError
	errors.As(err, &at) // it is always one
	line, key := lineOf(text, at.Position), at.LastKey
	if twice, ok := strings.CutPrefix(at.Message, "Key '"); ok {
		return definedTwice(name, line, twice[:max(0, strings.LastIndex(twice, "'"))])
	}
	says := "found text that is not TOML; expected key = value, or a [table]"
	for _, m := range messages {
		if strings.Contains(at.Message, m.theirs) {
			says = m.ours
			break
		}
	}
	if key == "" {
		return fmt.Errorf("txcache: %s:%d: %s", name, line, says)
	}
	return fmt.Errorf("txcache: %s:%d: %s: %s", name, line, plain(key), says)
}

func definedTwice(name string, line int, key string) error {
	return fmt.Errorf("txcache: %s:%d: %s: is defined twice; expected it once", name, line, plain(key))
}

var messages = []struct{ theirs, ours string }{
	{"unexpected EOF", "found the end of the file in the middle; expected the rest"},
	{"strings cannot contain newlines", `found no end of the quotes in this line; expected " or '`},
	{"expected value", "found no value; expected text in quotes, a number, true, false, an array or a table"},
	{"expected a top-level item to end", "found more text after the end; expected nothing else in the line (text is put in quotes)"},
	{"expected '.' or '='", "found no = after the key; expected key = value"},
	{"key name appears blank", "found no key before the =; expected key = value"},
	{"escape", `found an invalid escape; expected \" and the like, or text in single quotes`},
	{"hexadecimal digits after", `found an invalid escape; expected \" and the like, or text in single quotes`},
	{"out of range", "found a number that is out of range; expected one of 64 bits"},
	{"UTF-", "found text that is not UTF-8; expected UTF-8"},
	{"control character", "found a control character; expected text without"},
	{"float", "found a malformed number; expected a number, or text in quotes"},
	{"integer", "found a malformed number; expected a number, or text in quotes"},
	{"number", "found a malformed number; expected a number, or text in quotes"},
	{"digit", "found a malformed number; expected a number, or text in quotes"},
	{"datetime", "found a malformed date; expected a date, or text in quotes"},
	{"array terminator", "found no end of the array; expected a comma or ]"},
	{"inline table", "found no end of the table; expected a comma or }"},
	{"table", "found a malformed name of a table; expected one such as [cache.redis]"},
}

// plain returns a key of the file in one line.
func plain(key string) string {
	if strings.ContainsFunc(key, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return strconv.Quote(key)
	}
	return key
}
