package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

var declaration = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w*)\(`)

// testPackages returns the packages of the module that declare a test, as go
// test takes them, by the name of the test.
func testPackages(root string) (map[string][]string, error) {
	packages := map[string][]string{}
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && file != root {
			_, err := os.Stat(filepath.Join(file, "go.mod"))
			if err == nil || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") {
				return filepath.SkipDir // no package of this module
			}
		}
		if !strings.HasSuffix(file, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		folder, err := filepath.Rel(root, filepath.Dir(file))
		for _, found := range declaration.FindAllSubmatch(text, -1) {
			name := string(found[1])
			packages[name] = append(packages[name], "./"+filepath.ToSlash(folder))
		}
		return err
	})
	return packages, err
}

// pkg returns the package whose tests must fail: the one that declares all of
// guard.by.
func (g *guard) pkg(packages map[string][]string) (string, error) {
	var found []string
	for i, test := range strings.Split(g.by, "|") {
		name, _, _ := strings.Cut(test, "/")
		if i == 0 {
			found = slices.Clone(packages[name])
		}
		found = slices.DeleteFunc(found, func(pkg string) bool {
			return !slices.Contains(packages[name], pkg) || g.in != "" && pkg != "./"+g.in
		})
		if len(found) == 0 {
			return "", fmt.Errorf("guard %q: no package declares %s and what is named before it; the list must be brought up to date", g.name, name)
		}
	}
	if len(found) > 1 {
		return "", fmt.Errorf("guard %q: %s is declared in %q; the guard must say in which it is", g.name, g.by, found)
	}
	return found[0], nil
}
