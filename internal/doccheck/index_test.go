package doccheck

import (
	"fmt"
	"path"
	"strings"
	"testing"
)

const index = "docs/README.md"

func TestIndexHasEachPage(t *testing.T) {
	for _, problem := range unlisted(pages(t)) {
		t.Error(problem)
	}
}

// unlisted says of each page below the index's folder to which the index has no link, or
// more than one.
func unlisted(all []page) (problems []string) {
	links := map[string]int{}
	for _, p := range all {
		if p.name == index {
			for _, l := range p.links {
				links[path.Join(path.Dir(index), l.target)]++
			}
		}
	}
	for _, p := range all {
		if n := links[p.name]; strings.HasPrefix(p.name, path.Dir(index)+"/") && p.name != index && n != 1 {
			problems = append(problems, fmt.Sprintf("%s has %d links to %s, want one", index, n, p.name))
		}
	}
	return problems
}

func TestUnlistedPagesAreFound(t *testing.T) {
	for links, want := range map[string]int{
		"[a](a.md) [b](b/README.md)":           0,
		"[a](a.md)":                            1,
		"":                                     2,
		"[a](a.md) [b](b/README.md) [a](a.md)": 1,
		"[a](a.md#one) [b](b/README.md)":       1, // a link to a part of a page is not one to the page
	} {
		all := []page{{name: "README.md"}, {name: "docs/a.md"}, {name: "docs/b/README.md"}, read(index, []byte(links))}
		if got := unlisted(all); len(got) != want {
			t.Errorf("%q: %q, want %d", links, got, want)
		}
	}
}
