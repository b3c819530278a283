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

// A removal is a guard that is removed, and what came of it.
type removal struct {
	*guard
	pkg     string // its tests are in
	overlay string // without it

	found bool
	took  time.Duration
	tests time.Duration // what its tests take with all guards in place
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
	removals := make([]*removal, len(guards))
	files := map[string]*testFiles{}
	for i := range guards {
		r := &removal{guard: &guards[i]}
		if r.pkg, err = r.guard.pkg(packages); err != nil {
			return err
		}
		if files[r.pkg] == nil {
			if files[r.pkg], err = readTestFiles(filepath.Join(c.root, filepath.FromSlash(r.pkg))); err != nil {
				return err
			}
		}
		if r.overlay, err = c.withoutGuard(filepath.Join(folder, strconv.Itoa(i)), r.guard, files[r.pkg].unneeded(r.by)); err != nil {
			return err
		}
		removals[i] = r
	}
	start := time.Now()
	if err := c.keepAll(ctx, removals); err != nil {
		return err
	}
	c.print("with all guards in place the tests pass, in %s", seconds(time.Since(start)))

	slices.SortStableFunc(removals, func(a, b *removal) int { return cmp.Compare(b.tests, a.tests) }) // none at the end that takes long
	c.sideBySide(ctx, len(removals), func(i int) { c.remove(ctx, removals[i]) })
	if ctx.Err() != nil {
		return ctx.Err()
	}
	n := sum(removals, c.print)
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

// withoutGuard writes the file without g, and returns the file that tells the
// compiler of it, and to do without the test files that are not needed.
func (c *campaign) withoutGuard(folder string, g *guard, unneeded []string) (string, error) {
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

// keepAll runs the tests of removals with all guards in place.
func (c *campaign) keepAll(ctx context.Context, removals []*removal) error {
	byPkg := map[string][]*removal{}
	for _, r := range removals {
		byPkg[r.pkg] = append(byPkg[r.pkg], r)
	}
	pkgs := slices.Collect(maps.Keys(byPkg))
	errs := make([]error, len(pkgs))
	c.sideBySide(ctx, len(pkgs), func(i int) { errs[i] = c.keep(ctx, pkgs[i], byPkg[pkgs[i]]) })
	return cmp.Or(ctx.Err(), errors.Join(errs...))
}

// keep runs the tests of removals, which are in pkg, with all guards in place.
func (c *campaign) keep(ctx context.Context, pkg string, removals []*removal) error {
	var by []string
	for _, r := range removals {
		by = append(by, strings.Split(r.by, "|")...)
	}
	slices.Sort(by)
	result := c.test(ctx, pkg, pattern(strings.Join(slices.Compact(by), "|")), "", 10*c.timeout)
	if c.verbose {
		c.print("%s", result.output)
	}
	if result.verdict != passed {
		return fmt.Errorf("with all guards in place, tests of %s: %s\n%s", pkg, result, result.output)
	}
	for _, r := range removals {
		for test := range strings.SplitSeq(r.by, "|") {
			took, ran := result.passed[strings.ReplaceAll(test, " ", "_")]
			if !ran {
				return fmt.Errorf("%s: %s did not run", pkg, test)
			}
			r.tests += took
		}
	}
	return nil
}

// remove runs the tests of r without its guard.
func (c *campaign) remove(ctx context.Context, r *removal) {
	start := time.Now()
	result := c.test(ctx, r.pkg, pattern(r.by), r.overlay, c.timeout)
	if ctx.Err() != nil {
		return
	}
	r.found, r.took = result.verdict == failed, time.Since(start)
	text := fmt.Sprintf("%-9s %-4s %-60s %5s  %s", result.verdict, r.keeps, r.name, seconds(r.took), result.detail)
	if c.verbose || !r.found {
		text += "\n" + result.output
	}
	c.print("%s", strings.TrimRight(text, "\n"))
}

func (c *campaign) print(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintf(c.out, format+"\n", args...)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1fs", d.Seconds()) }
