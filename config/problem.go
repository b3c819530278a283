package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/seed-dad15c92/txcache/internal/spelling"
)

// A problem is one thing that is wrong with a configuration.
type problem struct {
	keys  []string // where; then the keys it is at odds with, if any
	line  int      // in the file; 0: that of the first of keys that is there
	found string   // the value, as it may be shown; "" where text says what was found
	text  string
}

func (p problem) String() string {
	if p.found == "" {
		return p.keys[0] + ": " + p.text
	}
	return p.keys[0] + ": " + p.found + " " + p.text
}

type problems []problem

// about returns those of ps that have no key in common with known: what is
// already known to be wrong needs no second error.
func (ps problems) about(known problems) problems {
	bad := map[string]bool{}
	for _, p := range known {
		bad[p.keys[0]] = true
	}
	return slices.DeleteFunc(ps, func(p problem) bool {
		return slices.ContainsFunc(p.keys, func(key string) bool { return bad[key] })
	})
}

// error joins ps, in the order of the file, or returns nil if there are none.
func (d *document) error(ps problems) error {
	for i := range ps {
		p := &ps[i]
		for _, key := range p.keys {
			if n := d.index[key]; n != nil && p.line == 0 {
				p.line = n.line
			}
		}
		// What the file says is more familiar to its author than what it
		// means, and with ${NAME} in place shows nothing of the environment.
		if n := d.index[p.keys[0]]; n != nil && p.found != "" {
			if _, ok := n.value.(string); ok {
				p.found = quote(n.raw)
			}
		}
	}
	slices.SortStableFunc(ps, func(a, b problem) int { return cmp.Compare(a.line, b.line) })
	errs := make([]error, len(ps))
	for i, p := range ps {
		errs[i] = fmt.Errorf("txcache: %s:%d: %s", d.name, p.line, p)
	}
	return errors.Join(errs...)
}

// quote returns text in quotes, in one line and not too long for an error.
func quote(text string) string {
	const maxShown = 60
	if len(text) > maxShown {
		end := maxShown
		for !utf8.RuneStart(text[end]) {
			end--
		}
		text = text[:end] + "..."
	}
	return strconv.Quote(text)
}

// suggest returns the end of an error about an unknown name: the one of names
// that was probably meant, or all of them.
func suggest(name string, names, elsewhere []string) string {
	if near := spelling.Nearest(name, names); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	for _, key := range elsewhere {
		if strings.HasSuffix(key, "."+name) {
			return fmt.Sprintf("; did you mean %s?", key)
		}
	}
	if len(names) == 0 {
		return "; expected none here"
	}
	return "; expected one of " + strings.Join(names, ", ")
}
