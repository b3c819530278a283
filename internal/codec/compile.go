package codec

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"maps"
	"reflect"
	"strings"
)

// A compiler makes the plan of a type and, in the same walk so that they cannot
// disagree, a description of its shape.
type compiler struct {
	plans map[planKey]*plan
	shape []byte
	path  []string // of the part being compiled
	err   error    // why the type cannot be encoded

	methods map[planKey]bool // what only its own methods can encode
}

var lowerBase32 = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv")

// fingerprint digests the description to 50 bits: enough for the few shapes
// that one cache ever has.
func (c *compiler) fingerprint() string {
	sum := sha256.Sum256(c.shape)
	return lowerBase32.EncodeToString(sum[:])[:10]
}

// compile returns the plan of t. It is of no use if c.err is set.
func (c *compiler) compile(t reflect.Type) *plan { return c.compileAt(t.String(), planKey{typ: t}) }

func (c *compiler) compileKey(k planKey) *plan {
	if p, ok := c.plans[k]; ok {
		c.describe("#%d", p.id)
		return p
	}
	if c.err != nil {
		return &plan{min: 1} // of no use
	}
	if c.plans == nil {
		c.plans, c.methods = map[planKey]*plan{}, map[planKey]bool{}
	}
	// The plan is entered before it is made, as a recursive type needs it.
	p := &plan{id: len(c.plans), min: 1}
	c.plans[k] = p
	methods := k.methodsOf()
	switch {
	case k.empty():
		c.describe("empty")
		p.coder = emptyCoder{}
	case k.time():
		c.describe("zoned time %s.%s", k.typ.PkgPath(), k.typ.Name())
		p.coder, p.min = timeCoder{k.typ}, 6
	case k.typ == userinfoType && !k.fieldwise:
		c.describe("userinfo")
		p.coder, p.min = userinfoCoder{}, 4
	case exactTypes[k.typ] && !k.fieldwise:
		c.describe("%s %s.%s", methods[0].name, k.typ.PkgPath(), k.typ.Name())
		p.coder, p.min = &marshalerCoder{k.typ, methods[:1], true}, 2
	case len(methods) == 0:
		c.compileKind(p, k.typ)
	case !c.tryKind(p, k):
		c.compileMethods(p, k.typ, methods)
	}
	return p
}

// tryKind is compileKind for a type that could be encoded by its methods as
// well. Fields come before methods, as methods may leave something out.
func (c *compiler) tryKind(p *plan, k planKey) bool {
	if c.methods[k] {
		return false
	}
	plans, shape := maps.Clone(c.plans), len(c.shape)
	c.compileKind(p, k.typ)
	if c.err == nil {
		return true
	}
	*p = plan{id: p.id, min: 1}
	c.plans, c.shape, c.err = plans, c.shape[:shape], nil
	c.methods[k] = true
	return false
}

func (c *compiler) compileMethods(p *plan, t reflect.Type, methods []*marshaling) {
	for _, m := range methods {
		c.describe("%s ", m.name)
	}
	c.describeWhole(t, map[reflect.Type]int{})
	p.coder = &marshalerCoder{t, methods, false}
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
func (c *compiler) describe(format string, args ...any) {
	c.shape = fmt.Appendf(c.shape, format, args...)
}

// fail notes the first reason why the type cannot be encoded.
func (c *compiler) fail(format string, args ...any) {
	if c.err == nil {
		c.err = unsupported("%s: %s", strings.Join(c.path, ""), fmt.Sprintf(format, args...))
	}
}
