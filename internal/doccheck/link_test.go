package doccheck

import (
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

func TestLinksLeadSomewhere(t *testing.T) {
	all := pages(t)
	ids := map[string]map[string]bool{}
	for _, p := range all {
		ids[p.name] = p.ids
	}
	for _, p := range all {
		for _, l := range p.links {
			if problem := broken(p.name, l.target, ids); problem != "" {
				t.Errorf("%s:%d: the link %q %s", p.name, l.line, l.target, problem)
			}
		}
	}
}

// broken says what is wrong with a link of a page, "" if nothing is.
func broken(from, target string, ids map[string]map[string]bool) string {
	u, err := url.Parse(target)
	switch {
	case err != nil:
		return "is no URL"
	case u.Scheme == "https":
		return ""
	case u.Scheme != "" || u.Host != "":
		return "leads out of the repository and is not https"
	}
	name := from
	if u.Path != "" {
		name = path.Join(path.Dir(from), u.Path)
		if name == ".." || strings.HasPrefix(name, "../") || path.IsAbs(u.Path) {
			return "leads out of the repository"
		}
		if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(name))); err != nil {
			return "leads to nothing"
		}
	}
	if u.Fragment != "" && !ids[name][u.Fragment] {
		return "names a heading that " + name + " does not have"
	}
	return ""
}

func TestBrokenLinksAreFound(t *testing.T) {
	p := read("docs/a.md", []byte("# One: `two` & three\n\n## Twice\n\n## Twice\n"))
	ids := map[string]map[string]bool{p.name: p.ids}
	for target, want := range map[string]string{
		"#one-two--three":     "",
		"#twice":              "",
		"#twice-1":            "",
		"../README.md":        "",
		"https://example.com": "",
		"#twice-2":            "does not have",
		"../README.md#no":     "does not have",
		"b.md":                "leads to nothing",
		"../../README.md":     "leads out",
		"/README.md":          "leads out",
		"http://example.com":  "is not https",
		"//example.com":       "is not https",
		"mailto:a@b":          "is not https",
		"%":                   "is no URL",
	} {
		if got := broken(p.name, target, ids); got != want && (want == "" || !strings.Contains(got, want)) {
			t.Errorf("%q: %q, want %q", target, got, want)
		}
	}
}
