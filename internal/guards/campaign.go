package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A campaign removes guards.
type campaign struct {
	root    string // of the module
	jobs    int
	timeout time.Duration
	verbose bool

	mu  sync.Mutex
	out io.Writer
}

// moduleRoot returns the folder of the module that the command runs in.
func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	file := strings.TrimSpace(string(out))
	if err != nil || file == "" || file == os.DevNull {
		return "", errors.Join(errors.New("it has to run within the module"), err)
	}
	return filepath.Dir(file), nil
}

// removeEach removes guards one after another, and returns an error if the
// tests do not miss all of them.
func (c *campaign) removeEach(ctx context.Context, guards []guard) error {
	folder, err := os.MkdirTemp("", "guards")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)

	packages, err := testPackages(c.root)
	if err != nil {
		return err
	}
	pkgs, overlays := make([]string, len(guards)), make([]string, len(guards))
	files := map[string]*testFiles{}
	for i := range guards {
		if pkgs[i], err = guards[i].pkg(packages); err != nil {
			return err
		}
		if files[pkgs[i]] == nil {
			if files[pkgs[i]], err = readTestFiles(filepath.Join(c.root, filepath.FromSlash(pkgs[i]))); err != nil {
				return err
			}
		}
		unneeded := files[pkgs[i]].unneeded(guards[i].by)
		if overlays[i], err = c.overlay(filepath.Join(folder, strconv.Itoa(i)), &guards[i], unneeded); err != nil {
			return err
		}
	}
	start := time.Now()
	if err := c.keepAll(ctx, guards, pkgs); err != nil {
		return err
	}
	c.print("with all guards in place the tests pass, in %s", seconds(time.Since(start)))

	found, took := make([]bool, len(guards)), make([]time.Duration, len(guards))
	c.sideBySide(ctx, len(guards), func(i int) {
		start := time.Now()
		found[i] = c.remove(ctx, &guards[i], pkgs[i], overlays[i])
		took[i] = time.Since(start)
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	n := c.sum(guards, found, took)
	c.print("%d guards removed, %d found, in %s", len(guards), n, seconds(time.Since(start)))
	if n < len(guards) {
		return errors.New("not every guard is missed by a test")
	}
	return nil
}

// sideBySide calls do with 0 to n-1, as many at once as there are jobs, until ctx
// is done.
func (c *campaign) sideBySide(ctx context.Context, n int, do func(int)) {
	lane := make(chan struct{}, c.jobs)
	var lanes sync.WaitGroup
	for i := range n {
		lane <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		lanes.Go(func() {
			defer func() { <-lane }()
			do(i)
		})
	}
	lanes.Wait()
}

// sum prints how many guards of each promise were found and how long that took, and
// returns how many were found.
func (c *campaign) sum(guards []guard, found []bool, took []time.Duration) (total int) {
	type line struct {
		guards, found int
		took          time.Duration
	}
	lines := map[string]*line{}
	var promises []string
	for i, g := range guards {
		l := lines[g.keeps]
		if l == nil {
			l = &line{}
			lines[g.keeps] = l
			promises = append(promises, g.keeps)
		}
		l.guards++
		l.took += took[i]
		if found[i] {
			l.found++
			total++
		}
	}
	slices.SortFunc(promises, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })
	c.print("\n%-9s %6s %6s %8s", "promise", "guards", "found", "time")
	for _, promise := range promises {
		l := lines[promise]
		c.print("%-9s %6d %6d %8s", promise, l.guards, l.found, seconds(l.took))
	}
	return total
}

// overlay writes the file without g, and returns the file that tells the
// compiler of it, and to do without the test files that are not needed.
func (c *campaign) overlay(folder string, g *guard, unneeded []string) (string, error) {
	source, err := g.removed(c.root)
	if err != nil {
		return "", err
	}
	changed := filepath.Join(folder, filepath.Base(g.file))
	replace := map[string]string{filepath.Join(c.root, filepath.FromSlash(g.file)): changed}
	for _, file := range unneeded {
		replace[file] = ""
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	file := filepath.Join(folder, "overlay.json")
	return file, errors.Join(os.Mkdir(folder, 0o700), os.WriteFile(changed, source, 0o600), os.WriteFile(file, list, 0o600))
}

// keepAll runs the tests of guards, which are in pkgs, with all of them in place.
func (c *campaign) keepAll(ctx context.Context, guards []guard, pkgs []string) error {
	tests := map[string][]string{}
	for i := range guards {
		tests[pkgs[i]] = append(tests[pkgs[i]], guards[i].by)
	}
	each := slices.Collect(maps.Keys(tests))
	errs := make([]error, len(each))
	c.sideBySide(ctx, len(each), func(i int) { errs[i] = c.keep(ctx, each[i], tests[each[i]]) })
	return errors.Join(append(errs, ctx.Err())...)
}

// keep runs tests, each as in guard.by, which are in pkg, with all guards in place.
func (c *campaign) keep(ctx context.Context, pkg string, tests []string) error {
	slices.Sort(tests)
	by := strings.Join(slices.Compact(tests), "|")
	r := c.test(ctx, pkg, pattern(by), "", 10*c.timeout)
	if c.verbose {
		c.print("%s", r.output)
	}
	if r.verdict != passed && ctx.Err() == nil {
		return fmt.Errorf("with all guards in place, tests of %s: %s\n%s", pkg, r, r.output)
	}
	for test := range strings.SplitSeq(by, "|") {
		if !slices.Contains(r.passed, strings.ReplaceAll(test, " ", "_")) {
			return fmt.Errorf("%s: %s did not run", pkg, test)
		}
	}
	return nil
}

// remove runs the tests of g, which are in pkg, without it, and reports whether one of them fails.
func (c *campaign) remove(ctx context.Context, g *guard, pkg, overlay string) bool {
	start := time.Now()
	r := c.test(ctx, pkg, pattern(g.by), overlay, c.timeout)
	if ctx.Err() != nil {
		return false
	}
	text := fmt.Sprintf("%-9s %-4s %-60s %5s  %s", r.verdict, g.keeps, g.name, seconds(time.Since(start)), r.detail)
	if c.verbose || r.verdict != failed {
		text += "\n" + r.output
	}
	c.print("%s", strings.TrimRight(text, "\n"))
	return r.verdict == failed
}

func (c *campaign) print(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintf(c.out, format+"\n", args...)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1fs", d.Seconds()) }
