package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	for i := range guards {
		if pkgs[i], err = guards[i].pkg(packages); err != nil {
			return err
		}
		if overlays[i], err = c.overlay(filepath.Join(folder, strconv.Itoa(i)), &guards[i]); err != nil {
			return err
		}
	}
	start := time.Now()
	if err := c.keepAll(ctx, guards, pkgs); err != nil {
		return err
	}
	c.print("with all guards in place the tests pass, in %s", seconds(time.Since(start)))

	found := make([]bool, len(guards))
	lane := make(chan struct{}, c.jobs)
	var lanes sync.WaitGroup
	for i := range guards {
		lane <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		lanes.Go(func() {
			defer func() { <-lane }()
			found[i] = c.remove(ctx, &guards[i], pkgs[i], overlays[i])
		})
	}
	lanes.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	n := 0
	for _, ok := range found {
		if ok {
			n++
		}
	}
	c.print("%d guards removed, %d found, in %s", len(guards), n, seconds(time.Since(start)))
	if n < len(guards) {
		return errors.New("not every guard is missed by a test")
	}
	return nil
}

// overlay writes the file without g, and returns the file that tells the
// compiler of it.
func (c *campaign) overlay(folder string, g *guard) (string, error) {
	source, err := g.removed(c.root)
	if err != nil {
		return "", err
	}
	changed := filepath.Join(folder, filepath.Base(g.file))
	list, err := json.Marshal(map[string]map[string]string{
		"Replace": {filepath.Join(c.root, filepath.FromSlash(g.file)): changed},
	})
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
	for pkg, by := range tests {
		slices.Sort(by)
		r := c.test(ctx, pkg, pattern(strings.Join(slices.Compact(by), "|")), "", 10*c.timeout)
		if c.verbose {
			c.print("%s", r.output)
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case r.verdict != passed:
			return fmt.Errorf("with all guards in place, tests of %s: %s\n%s", pkg, r, r.output)
		}
		for _, test := range strings.Split(strings.Join(by, "|"), "|") {
			if !slices.Contains(r.passed, strings.ReplaceAll(test, " ", "_")) {
				return fmt.Errorf("%s: %s did not run", pkg, test)
			}
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
