package config

import (
	"strings"

	"github.com/BurntSushi/toml"
)

// redefinition returns the line and the key of what text defines a second time in
// a way that TOML 1.0 forbids and the parser takes: a table by a header after
// dotted keys have made it, by dotted keys after a header or an inline table has,
// or anything in the place of one that dotted keys have made. The line is 0 if
// there is none. The parser must have taken text as it is.
//
// The rules are those of Python's tomllib: a header closes its table to dotted
// keys and to another header; the tables that dotted keys make are closed when
// the next header comes; a value and all within it are closed at once.
func redefinition(text string) (line int, key toml.Key) {
	s := scanner{text: text}
	root := &definition{}
	current, path := root, toml.Key(nil)
	for s.blank(); s.at < len(s.text) && s.twice == nil; s.blank() {
		if s.peek() != '[' {
			s.pair(current, path)
			continue
		}
		for _, d := range s.dotted {
			d.closed = true
		}
		s.dotted = nil
		array := strings.HasPrefix(s.text[s.at:], "[[")
		s.at++
		if array {
			s.at++
		}
		line := s.line()
		path = s.key()
		current = root
		for i, name := range path {
			if current = current.child(name); current.value {
				s.redefined(line, path[:i+1])
			}
		}
		switch {
		case array:
			current.children = nil // its next element has none of those
		case current.closed:
			s.redefined(line, path)
		}
		current.closed = true
		s.skip("]")
	}
	return s.found, s.twice
}

// A definition is what was defined at a path so far.
type definition struct {
	closed   bool // neither a header nor dotted keys may define it again
	value    bool // it is closed, and so is all below
	children map[string]*definition
}

func (d *definition) child(name string) *definition {
	if d.children == nil {
		d.children = map[string]*definition{}
	}
	if d.children[name] == nil {
		d.children[name] = &definition{}
	}
	return d.children[name]
}

// A scanner goes through a document that is known to be TOML.
type scanner struct {
	text string
	at   int

	dotted []*definition // that dotted keys have made since the last header
	found  int           // the line of twice
	twice  toml.Key      // the first that is defined twice
}

func (s *scanner) redefined(line int, key toml.Key) {
	if s.twice == nil {
		s.found, s.twice = line, key
	}
}

func (s *scanner) peek() byte {
	if s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

func (s *scanner) line() int { return 1 + strings.Count(s.text[:s.at], "\n") }

// skip passes over all characters that are among those given.
func (s *scanner) skip(these string) {
	for s.at < len(s.text) && strings.IndexByte(these, s.text[s.at]) >= 0 {
		s.at++
	}
}

// until goes to the first character that is among those given.
func (s *scanner) until(these string) {
	if n := strings.IndexAny(s.text[s.at:], these); n >= 0 {
		s.at += n
	} else {
		s.at = len(s.text)
	}
}

// blank passes over white space, ends of lines and comments.
func (s *scanner) blank() {
	for s.skip(" \t\r\n"); s.peek() == '#'; s.skip(" \t\r\n") {
		s.until("\n")
	}
}

// pair passes over key = value in the table at path.
func (s *scanner) pair(in *definition, path toml.Key) {
	line := s.line()
	key := s.key()
	for i, name := range key[:len(key)-1] {
		in = in.child(name)
		if in.closed {
			s.redefined(line, append(path[:len(path):len(path)], key[:i+1]...))
		}
		s.dotted = append(s.dotted, in)
	}
	path = append(path[:len(path):len(path)], key...)
	last := key[len(key)-1]
	if in.children[last] != nil {
		s.redefined(line, path)
	}
	s.skip("= \t")
	value := in.child(last)
	if s.peek() == '{' {
		s.inline(value, path)
	} else {
		s.value()
	}
	value.closed, value.value = true, true
}

// key passes over a key and returns its parts.
func (s *scanner) key() (key toml.Key) {
	for {
		s.skip(" \t")
		start := s.at
		switch s.peek() {
		case '"', '\'':
			s.quoted()
			var part struct{ Is string }
			toml.Decode("Is = "+s.text[start:s.at], &part) // the parser has taken it
			key = append(key, part.Is)
		default:
			s.until(".=] \t\r\n")
			key = append(key, s.text[start:s.at])
		}
		if s.skip(" \t"); s.peek() != '.' {
			return key
		}
		s.at++
	}
}

// quoted passes over text in quotes.
func (s *scanner) quoted() {
	quote := s.text[s.at : s.at+1]
	if long := strings.Repeat(quote, 3); strings.HasPrefix(s.text[s.at:], long) {
		quote = long
	}
	s.at += len(quote)
	for s.at < len(s.text) && !strings.HasPrefix(s.text[s.at:], quote) {
		if s.text[s.at] == '\\' && quote[0] == '"' {
			s.at++
		}
		s.at++
	}
	s.at = min(s.at+len(quote), len(s.text))
	for range len(quote) - 1 { // text over several lines may end in two quotes
		if s.peek() == quote[0] {
			s.at++
		}
	}
}

// value passes over a value that is no inline table of a key.
func (s *scanner) value() {
	switch s.peek() {
	case '"', '\'':
		s.quoted()
	case '[':
		s.at++
		for s.blank(); s.at < len(s.text) && s.peek() != ']'; s.blank() {
			s.value()
			s.blank()
			s.skip(",")
		}
		s.skip1()
	case '{':
		s.inline(&definition{}, nil)
	default:
		s.until(",]}#\n")
	}
}

// inline passes over an inline table. What its dotted keys make is closed when it
// ends, like the table itself.
func (s *scanner) inline(in *definition, path toml.Key) {
	outer := s.dotted
	s.dotted = nil
	s.at++
	for s.blank(); s.at < len(s.text) && s.peek() != '}'; s.blank() {
		s.pair(in, path)
		s.blank()
		s.skip(",")
	}
	s.skip1()
	for _, d := range s.dotted {
		d.closed = true
	}
	s.dotted = outer
}

func (s *scanner) skip1() { s.at = min(s.at+1, len(s.text)) }
