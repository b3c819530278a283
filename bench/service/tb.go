package main

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

// A program is a test as far as the packages that start servers need one: they fail it,
// and what they start ends with it.
type program struct {
	testing.TB // none: a method that is missing here panics
	undo       []func()
	err        error
}

// failed is what Fatal panics with, to end the program as runtime.Goexit ends a test.
type failed struct{ error }

// asTest runs fn with a test that no tool runs, and cleans up.
func asTest(fn func(t testing.TB) error) (err error) {
	p := &program{}
	defer func() {
		for _, undo := range slices.Backward(p.undo) {
			undo()
		}
		if f, ok := recover().(failed); ok {
			err = f.error
		}
		err = errors.Join(err, p.err)
	}()
	return fn(p)
}

func (p *program) Helper()                      {}
func (p *program) Cleanup(undo func())          { p.undo = append(p.undo, undo) }
func (p *program) Errorf(f string, args ...any) { p.err = errors.Join(p.err, fmt.Errorf(f, args...)) }
func (p *program) Fatal(args ...any)            { panic(failed{errors.New(fmt.Sprint(args...))}) }
func (p *program) Fatalf(f string, args ...any) { panic(failed{fmt.Errorf(f, args...)}) }
func (p *program) Skipf(f string, args ...any)  { p.Fatalf(f, args...) }
