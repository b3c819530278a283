package redisbackend

import (
	"fmt"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"
)

// checkLua returns what a reader of a Lua script would stumble over: names that
// are not defined, locals, functions and parameters that are not used, globals
// that are set, and fields that are only set or only read. replies are the fields
// that the server sets.
func checkLua(source string, replies ...string) ([]string, error) {
	chunk, err := parse.Parse(strings.NewReader(source), "script")
	if err != nil {
		return nil, err
	}
	c := &luaCheck{libraries: lua.NewState(), set: map[string]luaField{}, read: map[string]int{}, indexed: map[string]bool{}}
	defer c.libraries.Close()
	c.block(chunk)
	for name, line := range c.read {
		if _, ok := c.set[name]; !ok && !slices.Contains(replies, name) {
			c.report(line, "field %s is read and never set", name)
		}
	}
	for name, f := range c.set {
		if _, ok := c.read[name]; !ok && !c.indexed[f.of] {
			c.report(f.line, "field %s is set and never read", name)
		}
	}
	slices.Sort(c.problems)
	return c.problems, nil
}

// What Redis puts beside the libraries of Lua.
var redisFunctions = []string{"call", "pcall", "error_reply", "sha1hex"}

type luaLocal struct {
	name string
	line int
	used bool
}

type luaField struct {
	line int
	of   string // the table, "" if it has no name there
}

type luaCheck struct {
	libraries *lua.LState
	scope     []*luaLocal
	set       map[string]luaField
	read      map[string]int  // fields, with the line of one
	indexed   map[string]bool // tables of which any field may be read
	problems  []string
}

func (c *luaCheck) report(line int, format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf("line %d: ", line)+fmt.Sprintf(format, args...))
}

func (c *luaCheck) declare(line int, names ...string) {
	for _, name := range names {
		c.scope = append(c.scope, &luaLocal{name: name, line: line})
	}
}

// find returns the local called name, nil if there is none.
func (c *luaCheck) find(name string) *luaLocal {
	for _, l := range slices.Backward(c.scope) {
		if l.name == name {
			return l
		}
	}
	return nil
}

// within runs f in a scope of its own, and reports the locals that f left unused.
func (c *luaCheck) within(f func()) {
	outer := len(c.scope)
	f()
	for _, l := range c.scope[outer:] {
		if !l.used && l.name != "_" {
			c.report(l.line, "%s is not used", l.name)
		}
	}
	c.scope = c.scope[:outer]
}

func (c *luaCheck) block(stmts []ast.Stmt) {
	c.within(func() {
		for _, s := range stmts {
			c.stmt(s)
		}
	})
}

func (c *luaCheck) stmt(s ast.Stmt) {
	switch s := s.(type) {
	case *ast.LocalAssignStmt:
		c.exprs(s.Exprs)
		c.declare(s.Line(), s.Names...)
	case *ast.AssignStmt:
		c.exprs(s.Rhs)
		for _, to := range s.Lhs {
			c.assign(to)
		}
	case *ast.FuncDefStmt:
		c.expr(s.Func)
		c.assign(s.Name.Func)
	case *ast.FuncCallStmt:
		c.expr(s.Expr)
	case *ast.IfStmt:
		c.expr(s.Condition)
		c.block(s.Then)
		c.block(s.Else)
	case *ast.WhileStmt:
		c.expr(s.Condition)
		c.block(s.Stmts)
	case *ast.NumberForStmt:
		c.exprs([]ast.Expr{s.Init, s.Limit, s.Step})
		c.within(func() {
			c.declare(s.Line(), s.Name)
			c.block(s.Stmts)
		})
	case *ast.GenericForStmt:
		c.exprs(s.Exprs)
		c.within(func() {
			c.declare(s.Line(), s.Names...)
			c.scope[len(c.scope)-len(s.Names)].used = true // it may have to be there for the next
			c.block(s.Stmts)
		})
	case *ast.ReturnStmt:
		c.exprs(s.Exprs)
	case *ast.BreakStmt:
	default:
		c.report(s.Line(), "%T is not checked here", s)
	}
}

// assign is a new value of a local or a field.
func (c *luaCheck) assign(to ast.Expr) {
	switch to := to.(type) {
	case *ast.IdentExpr:
		if c.find(to.Value) == nil {
			c.report(to.Line(), "the global %s is set", to.Value)
		}
	case *ast.AttrGetExpr:
		c.expr(to.Object)
		if name, ok := to.Key.(*ast.StringExpr); ok {
			f := luaField{line: to.Line()}
			if of, ok := to.Object.(*ast.IdentExpr); ok {
				f.of = of.Value
			}
			c.set[name.Value] = f
		} else {
			c.expr(to.Key)
		}
	}
}

func (c *luaCheck) exprs(list []ast.Expr) {
	for _, e := range list {
		if e != nil {
			c.expr(e)
		}
	}
}

func (c *luaCheck) expr(e ast.Expr) {
	switch e := e.(type) {
	case *ast.IdentExpr:
		if l := c.find(e.Value); l != nil {
			l.used = true
		} else if e.Value != "KEYS" && e.Value != "ARGV" && c.libraries.GetGlobal(e.Value) == lua.LNil {
			c.report(e.Line(), "%s is not defined", e.Value)
		}
	case *ast.AttrGetExpr:
		c.attribute(e)
	case *ast.TableExpr:
		for _, f := range e.Fields {
			if name, ok := f.Key.(*ast.StringExpr); ok {
				c.set[name.Value] = luaField{line: e.Line()}
			} else if f.Key != nil {
				c.expr(f.Key)
			}
			c.expr(f.Value)
		}
	case *ast.FunctionExpr:
		c.within(func() {
			c.declare(e.Line(), e.ParList.Names...)
			c.block(e.Stmts)
		})
	case *ast.FuncCallExpr:
		c.exprs([]ast.Expr{e.Func, e.Receiver})
		c.exprs(e.Args)
	case *ast.LogicalOpExpr:
		c.exprs([]ast.Expr{e.Lhs, e.Rhs})
	case *ast.RelationalOpExpr:
		c.exprs([]ast.Expr{e.Lhs, e.Rhs})
	case *ast.StringConcatOpExpr:
		c.exprs([]ast.Expr{e.Lhs, e.Rhs})
	case *ast.ArithmeticOpExpr:
		c.exprs([]ast.Expr{e.Lhs, e.Rhs})
	case *ast.UnaryMinusOpExpr:
		c.expr(e.Expr)
	case *ast.UnaryNotOpExpr:
		c.expr(e.Expr)
	case *ast.UnaryLenOpExpr:
		c.expr(e.Expr)
	case ast.ConstExpr:
	default:
		c.report(e.Line(), "%T is not checked here", e)
	}
}

// attribute reads a field of a table, or what a library has.
func (c *luaCheck) attribute(e *ast.AttrGetExpr) {
	name, ok := e.Key.(*ast.StringExpr)
	of, isName := e.Object.(*ast.IdentExpr)
	switch {
	case !ok:
		c.exprs([]ast.Expr{e.Object, e.Key})
		if isName {
			c.indexed[of.Value] = true
		}
	case isName && c.find(of.Value) == nil && of.Value == "redis":
		if !slices.Contains(redisFunctions, name.Value) {
			c.report(e.Line(), "redis.%s is not defined", name.Value)
		}
	case isName && c.find(of.Value) == nil:
		library, _ := c.libraries.GetGlobal(of.Value).(*lua.LTable)
		if library == nil || library.RawGetString(name.Value) == lua.LNil {
			c.report(e.Line(), "%s.%s is not defined", of.Value, name.Value)
		}
	default:
		c.expr(e.Object)
		c.read[name.Value] = e.Line()
	}
}
