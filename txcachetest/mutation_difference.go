package txcachetest

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// difference tells what is not the same in now: one difference, of those with
// the shortest way to them, or "".
func (s *snapshot) difference(now *snapshot) string {
	c := comparison{was: s, is: now, met: map[[2]reference]bool{}}
	what := c.compare(nil, s.root, now.root)
	for what == "" && len(c.open) > 0 {
		next := c.open[0]
		c.open = c.open[1:]
		what = c.compareReferred(next.at, s.referred[next.was], now.referred[next.is])
	}
	return what
}

// A comparison compares two snapshots of one value.
type comparison struct {
	was, is *snapshot
	met     map[[2]reference]bool
	open    []comparedReference // met and not yet compared
}

type comparedReference struct {
	at      *path
	was, is reference
}

// A path leads to one part of a value; nil is the value itself. It is made into
// text only where something has changed.
type path struct {
	up         *path
	field, key string
	index      int // where there is no field and no key
}

// compare compares one part, and remembers what it refers to for later.
func (c *comparison) compare(at *path, was, is node) string {
	switch none := (reference{}); {
	case was.typ != is.typ:
		return at.changed(typeText(was.typ), typeText(is.typ))
	case was.scalar != is.scalar:
		return at.changed(scalarText(was.scalar), scalarText(is.scalar))
	case was.ref == none && is.ref == none:
		return c.compareParts(at, was, is)
	case was.ref == none:
		return at.changed("nil", typeText(is.typ))
	case is.ref == none:
		return at.changed(typeText(was.typ), "nil")
	case was.ref.len != is.ref.len:
		return at.changed(fmt.Sprintf("of length %d", was.ref.len), fmt.Sprint(is.ref.len))
	}
	if pair := [2]reference{was.ref, is.ref}; !c.met[pair] {
		c.met[pair] = true
		c.open = append(c.open, comparedReference{at, was.ref, is.ref})
	}
	return ""
}

// compareParts compares the parts of a struct, an array or an interface, or what
// a pointer or slice refers to.
func (c *comparison) compareParts(at *path, was, is node) string {
	for i := range was.parts {
		part := at
		switch was.typ.Kind() {
		case reflect.Struct:
			part = &path{up: at, field: was.typ.Field(i).Name}
		case reflect.Array, reflect.Slice:
			part = &path{up: at, index: i}
		}
		if what := c.compare(part, was.parts[i], is.parts[i]); what != "" {
			return what
		}
	}
	return ""
}

// compareReferred compares what pointers, slices or maps refer to.
func (c *comparison) compareReferred(at *path, was, is node) string {
	for _, key := range slices.Sorted(maps.Keys(was.entries)) {
		part := &path{up: at, key: key}
		entry, ok := is.entries[key]
		if !ok {
			return part.String() + " was removed"
		}
		if what := c.compare(part, was.entries[key], entry); what != "" {
			return what
		}
	}
	for _, key := range slices.Sorted(maps.Keys(is.entries)) {
		if _, ok := was.entries[key]; !ok {
			return (&path{up: at, key: key}).String() + " was added"
		}
	}
	if was.size != is.size {
		return at.changed(fmt.Sprintf("of size %d", was.size), fmt.Sprint(is.size))
	}
	if before, ok := was.scalar.(string); ok {
		after := is.scalar.(string) // as long: the length is part of the reference
		for i := range len(before) {
			if before[i] != after[i] {
				return (&path{up: at, index: i}).changed(fmt.Sprint(before[i]), fmt.Sprint(after[i]))
			}
		}
	}
	return c.compareParts(at, was, is)
}

func (p *path) changed(was, is string) string {
	return fmt.Sprintf("%s was %s and is %s", p, short(was), short(is))
}

// String returns the path as one would write it in Go.
func (p *path) String() string {
	if p == nil {
		return "it"
	}
	var steps []string
	for ; p != nil && len(steps) < maxPath; p = p.up {
		switch {
		case p.field != "":
			steps = append(steps, "."+p.field)
		case p.key != "":
			steps = append(steps, "["+short(p.key)+"]")
		default:
			steps = append(steps, fmt.Sprintf("[%d]", p.index))
		}
	}
	if p != nil {
		steps = append(steps, "…")
	}
	slices.Reverse(steps)
	return strings.Join(steps, "")
}

const maxPath = 20 // steps in a text; those at its end say more

func typeText(t reflect.Type) string {
	if t == nil {
		return "nil"
	}
	return "a " + t.String()
}

// short cuts a text that is too long for a failure.
func short(text string) string {
	const maxRunes = 100
	if runes := []rune(text); len(runes) > maxRunes {
		return string(runes[:maxRunes]) + "…"
	}
	return text
}
