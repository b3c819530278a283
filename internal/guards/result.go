package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"time"
)

// A verdict says what became of tests.
type verdict string

const (
	failed  verdict = "found"     // a test failed: what was removed is missed
	passed  verdict = "NOT FOUND" // none did
	invalid verdict = "INVALID"   // there is no telling
)

// A result is what became of tests.
type result struct {
	verdict verdict
	detail  string                   // the test that failed, or why there is no telling
	passed  map[string]time.Duration // the tests that passed, and how long they took
	output  string
}

func (r *result) String() string { return string(r.verdict) + " " + r.detail }

// limited is how a test is run: with 4 GB to address, so that one that loses
// all measure is stopped before the machine is. Systems without such a limit go
// without.
const limited = `sh -c 'ulimit -v 4194304 2>/dev/null; exec "$0" "$@"'`

// fast is what makes a test compile faster: without vet, inlining (half of the time)
// and what debuggers need.
var fast = []string{"-vet=off", "-gcflags=./...=-dwarf=false -l", "-ldflags=-s -w"}

// memory is what the garbage collector tries to keep to.
const memory = "GOMEMLIMIT=1GiB"

// test runs the tests of a package that match pattern.
func (c *campaign) test(ctx context.Context, pkg, pattern, overlay string, timeout time.Duration) *result {
	args := append([]string{"test", "-json", "-count=1", "-failfast", "-timeout", timeout.String(), "-exec", limited, "-run", pattern}, fast...)
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, pkg)...)
	cmd.Dir = c.root
	cmd.Env = append(os.Environ(), memory)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	var out, trouble bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &trouble
	err := cmd.Run()
	return judge(out.Bytes(), trouble.String(), err)
}

// An event is a line of the output of go test -json; see `go doc test2json`.
type event struct {
	Action, Test, Output, FailedBuild string
	Elapsed                           float64 // in seconds
}

// judge returns what became of tests that printed out, in events, and trouble, and
// ended with err.
func judge(out []byte, trouble string, err error) *result {
	r := &result{verdict: passed, passed: map[string]time.Duration{}}
	var text strings.Builder
	var red []string
	ran, built := false, true
	for line := range bytes.Lines(out) {
		var e event
		if json.Unmarshal(line, &e) != nil {
			text.Write(line)
			continue
		}
		text.WriteString(e.Output)
		switch e.Action {
		case "run":
			ran = true
		case "pass":
			r.passed[e.Test] = time.Duration(e.Elapsed * float64(time.Second))
		case "fail":
			if e.Test != "" {
				red = append(red, e.Test)
			}
			built = built && e.FailedBuild == ""
		}
	}
	text.WriteString(trouble)
	r.output = text.String()
	switch {
	case !built:
		r.verdict, r.detail = invalid, "it does not compile; the list must be brought up to date"
	case err == nil && !ran:
		r.verdict, r.detail = invalid, "no test was run"
	case err == nil:
	case strings.Contains(r.output, "panic: test timed out"):
		r.verdict, r.detail = failed, name(red)+" (it hangs)"
	case len(red) > 0:
		r.verdict, r.detail = failed, name(red)
	case ran && !strings.Contains(r.output, "*** Test killed"):
		r.verdict, r.detail = failed, "the process ended badly"
	default:
		r.verdict, r.detail = invalid, err.Error()
	}
	return r
}

// name returns the name that says most.
func name(tests []string) string {
	longest := ""
	for _, t := range tests {
		if strings.HasPrefix(t, longest) {
			longest = t
		}
	}
	return longest
}
