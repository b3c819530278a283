package codec

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"reflect"
	"strings"
)

// A compiler makes the plan of a type and, in the same walk so that they cannot
// disagree, a description of its shape.
type compiler struct {
	plans map[planKey]*plan
	shape strings.Builder
	path  []string // of the part being compiled
	err   error    // why the type cannot be encoded
}

var lowerBase32 = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv")

// fingerprint digests the description to 50 bits: enough for the few shapes
// that one cache ever has.
func (c *compiler) fingerprint() string {
	sum := sha256.Sum256([]byte(c.shape.String()))
	return lowerBase32.EncodeToString(sum[:])[:10]
}

// compile returns the plan of t. It is of no use if c.err is set.
func (c *compiler) compile(t reflect.Type) *plan { return c.compileAt(t.String(), planKey{typ: t}) }

func (c *compiler) compileKey(k planKey) *plan {
	if p, ok := c.plans[k]; ok {
		c.describe("#%d", p.id)
		return p
	}
	if c.plans == nil {
		c.plans = map[planKey]*plan{}
	}
	// The plan is entered before it is made, as a recursive type needs it.
	p := &plan{id: len(c.plans), min: 1}
	c.plans[k] = p
	m, marshals := k.marshaling()
	switch {
	case k.empty():
		c.describe("empty")
		p.coder = emptyCoder{}
	case k.time():
		c.describe("time %s.%s", k.typ.PkgPath(), k.typ.Name())
		p.coder, p.min = timeCoder{k.typ}, 6
	case marshals:
		c.describe("%s %s.%s", m.name, k.typ.PkgPath(), k.typ.Name())
		p.coder, p.min = &marshalerCoder{k.typ, m}, m.min
	default:
		c.compileKind(p, k.typ)
	}
	return p
}

func (c *compiler) compileKind(p *plan, t reflect.Type) {
	if t.Kind() != reflect.Struct && t.PkgPath() != "" {
		c.describe("%s.%s=", t.PkgPath(), t.Name())
	}
	switch t.Kind() {
	case reflect.Slice:
		c.compileSlice(p, t)
		return
	case reflect.Array:
		c.compileArray(p, t)
		return
	case reflect.Map:
		c.compileMap(p, t)
		return
	case reflect.Pointer:
		c.compilePointer(p, t)
		return
	case reflect.Interface:
		c.compileInterface(p, t)
		return
	case reflect.Struct:
		c.compileStruct(p, t)
		return
	}
	c.describe("%s", t.Kind())
	switch t.Kind() {
	case reflect.Bool:
		p.coder = boolCoder{}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		p.coder = intCoder{}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		p.coder = uintCoder{}
	case reflect.Float32:
		p.coder, p.min = float32Coder{}, 5
	case reflect.Float64:
		p.coder, p.min = float64Coder{}, 9
	case reflect.Complex64, reflect.Complex128:
		p.coder, p.min = complexCoder{}, 19
	case reflect.String:
		p.coder = stringCoder{}
	default:
		c.fail("%s", t)
	}
}

// compileAt compiles the part of a type that step leads to.
func (c *compiler) compileAt(step string, k planKey) *plan {
	c.path = append(c.path, step)
	p := c.compileKey(k)
	c.path = c.path[:len(c.path)-1]
	return p
}

// describe adds to the description of the shape.
func (c *compiler) describe(format string, args ...any) { fmt.Fprintf(&c.shape, format, args...) }

// fail notes the first reason why the type cannot be encoded.
func (c *compiler) fail(format string, args ...any) {
	if c.err == nil {
		c.err = unsupported("%s: %s", strings.Join(c.path, ""), fmt.Sprintf(format, args...))
	}
}
