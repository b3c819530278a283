package config

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A decoder sets Go values to nodes, as strictly as the package doc says, and
// collects the problems. It is our own because that of the TOML library matches
// keys in any case, takes 60 for 60 nanoseconds and stops at the first error.
type decoder struct {
	problems  problems
	takes     func(*node) bool // whether someone else reads a key that no field has; may be nil
	elsewhere []string         // paths to suggest for a key that is in the wrong table
}

// report adds a problem with n. Only a number, a truth value, or a string in
// the place of one, is shown; a string in its place may be a password.
func (d *decoder) report(n *node, found, text, expects string) {
	if own, ok := expected[n.path]; ok {
		expects = own
	}
	d.problems = append(d.problems, problem{keys: []string{n.path}, line: n.line, found: found, text: text + "; expected " + expects})
}

// unknown is the problem of a key that is none of names.
func (d *decoder) unknown(n *node, names []string) problem {
	return problem{keys: []string{n.path}, line: n.line, text: "unknown key" + suggest(n.name, names, d.elsewhere)}
}

// decode sets v, which can be set, to n, or reports why it cannot. What is
// absent in n keeps its value in v.
func (d *decoder) decode(n *node, v reflect.Value) {
	if n.bad {
		return
	}
	switch v.Interface().(type) {
	case time.Duration:
		quantity(d, n, v, parseDuration, suchAs(time.Duration(v.Int())))
		return
	case Bytes:
		quantity(d, n, v, parseBytes, anAmount)
		return
	case time.Time:
		if t, ok := n.value.(time.Time); ok {
			v.Set(reflect.ValueOf(t))
			return
		}
	}
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		d.text(n, v, u)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		d.decode(n, v.Elem())
	case reflect.Struct:
		d.structure(n, v)
	case reflect.Map:
		d.mapping(n, v)
	case reflect.Slice:
		d.slice(n, v)
	case reflect.Interface:
		if v.NumMethod() > 0 {
			d.report(n, "", "a file cannot set a Go value of type "+v.Type().String(), "no such key")
			return
		}
		v.Set(reflect.ValueOf(n.any()))
	default:
		d.scalar(n, v)
	}
}

func (d *decoder) structure(n *node, v reflect.Value) {
	if n.table == nil {
		d.mismatch(n, "a table")
		return
	}
	fields := fieldsOf(v.Type(), nil)
	for _, child := range n.sorted() {
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == child.name })
		switch {
		case i >= 0:
			d.decode(child, v.FieldByIndex(fields[i].index))
		case d.takes == nil || !d.takes(child):
			d.problems = append(d.problems, d.unknown(child, keysOf(v.Type())))
		}
	}
}

func (d *decoder) mapping(n *node, v reflect.Value) {
	if v.Type().Key().Kind() != reflect.String {
		d.report(n, "", "a file cannot set a Go value of type "+v.Type().String(), "no such key")
		return
	}
	if n.table == nil {
		d.mismatch(n, "a table")
		return
	}
	if v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
	for _, child := range n.sorted() {
		element := reflect.New(v.Type().Elem()).Elem()
		d.decode(child, element)
		v.SetMapIndex(reflect.ValueOf(child.name).Convert(v.Type().Key()), element)
	}
}

func (d *decoder) slice(n *node, v reflect.Value) {
	if n.array == nil {
		d.mismatch(n, "an array")
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.array), len(n.array)))
	for i, element := range n.array {
		d.decode(element, v.Index(i))
	}
}

func (d *decoder) scalar(n *node, v reflect.Value) {
	switch {
	case v.Kind() == reflect.String:
		if s, ok := n.value.(string); ok {
			v.SetString(s)
			return
		}
		d.report(n, "", "found "+n.kind(), "a string")
	case v.Kind() == reflect.Bool:
		if b, ok := n.value.(bool); ok {
			v.SetBool(b)
			return
		}
		d.mismatch(n, "true or false")
	case v.CanInt(), v.CanUint():
		i, ok := n.value.(int64)
		switch {
		case !ok:
			d.mismatch(n, "an integer")
		case v.CanInt() && !v.OverflowInt(i):
			v.SetInt(i)
		case v.CanUint() && i >= 0 && !v.OverflowUint(uint64(i)):
			v.SetUint(uint64(i))
		default:
			d.report(n, strconv.FormatInt(i, 10), "is out of range", "a number that fits a Go "+v.Kind().String())
		}
	case v.CanFloat():
		f, ok := n.value.(float64)
		if i, whole := n.value.(int64); whole {
			f, ok = float64(i), true
		}
		if !ok || v.OverflowFloat(f) {
			d.mismatch(n, "a number that fits a Go "+v.Kind().String())
			return
		}
		v.SetFloat(f)
	default:
		d.report(n, "", "a file cannot set a Go value of type "+v.Type().String(), "no such key")
	}
}

// quantity sets v to what parse makes of n, which must be a string of a number and
// a unit.
func quantity[Q time.Duration | Bytes](d *decoder, n *node, v reflect.Value, parse func(string) (Q, string), expects string) {
	text, ok := n.value.(string)
	_, integer := n.value.(int64)
	_, float := n.value.(float64)
	switch {
	case ok:
		value, wrong := parse(text)
		if wrong != "" {
			d.report(n, quote(n.raw), wrong, expects)
			return
		}
		v.SetInt(int64(value))
	case integer, float && v.Type() == reflect.TypeFor[time.Duration](): // there is no part of a byte
		d.report(n, fmt.Sprint(n.value), "is a number without a unit", expects)
	default:
		d.mismatch(n, expects)
	}
}

// text leaves n to u. The error of u is not shown, as it may quote a secret.
func (d *decoder) text(n *node, v reflect.Value, u encoding.TextUnmarshaler) {
	s, ok := n.value.(string)
	if !ok {
		d.report(n, "", "found "+n.kind(), "a string")
	} else if u.UnmarshalText([]byte(s)) != nil {
		d.report(n, "", "found a string that is invalid", "the text of a "+v.Type().String())
	}
}

// mismatch reports that n is of another type than expects.
func (d *decoder) mismatch(n *node, expects string) {
	switch value := n.value.(type) {
	case string:
		d.report(n, quote(n.raw), "is "+n.kind(), expects)
	case int64, float64, bool:
		d.report(n, fmt.Sprint(value), "is "+n.kind(), expects)
	default:
		d.report(n, "", "found "+n.kind(), expects)
	}
}

// kind names the type of n.
func (n *node) kind() string {
	switch n.value.(type) {
	case string:
		return "a string"
	case int64:
		return "an integer"
	case float64:
		return "a float"
	case bool:
		return "a boolean"
	case time.Time:
		return "a date"
	}
	if n.table != nil {
		return "a table"
	}
	return "an array"
}

// any returns n as the TOML library would have decoded it into an any.
func (n *node) any() any {
	switch {
	case n.table != nil:
		m := make(map[string]any, len(n.table))
		for name, child := range n.table {
			m[name] = child.any()
		}
		return m
	case n.array != nil:
		a := make([]any, len(n.array))
		for i, element := range n.array {
			a[i] = element.any()
		}
		return a
	}
	return n.value
}

// A field is a key that a struct takes.
type field struct {
	name  string
	index []int
}

// fieldsOf returns the exported fields of the struct type t, and those of the
// structs that it embeds, by the names in their toml tags or else their own in
// lower case.
func fieldsOf(t reflect.Type, index []int) (fields []field) {
	for i := range t.NumField() {
		f := t.Field(i)
		at := append(slices.Clip(index), i)
		name, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
		switch {
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct:
			fields = append(fields, fieldsOf(f.Type, at)...)
		case !f.IsExported() || name == "-":
		case name == "":
			fields = append(fields, field{strings.ToLower(f.Name), at})
		default:
			fields = append(fields, field{name, at})
		}
	}
	return fields
}

// keysOf returns the keys that the struct type t takes, sorted.
func keysOf(t reflect.Type) (keys []string) {
	for _, f := range fieldsOf(t, nil) {
		keys = append(keys, f.name)
	}
	slices.Sort(keys)
	return keys
}

// allKeys returns the paths of all keys of a Config.
func allKeys() (paths []string) {
	for prefix, t := range map[string]reflect.Type{"cache.": reflect.TypeFor[Config](), "cache.redis.": reflect.TypeFor[Redis]()} {
		for _, key := range keysOf(t) {
			paths = append(paths, prefix+key)
		}
	}
	slices.Sort(paths)
	return paths
}
