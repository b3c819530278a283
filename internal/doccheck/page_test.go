package doccheck

import (
	"bytes"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
)

const root = "../.."

// A page is one Markdown file.
type page struct {
	name   string // slash-separated, from the root
	links  []link
	blocks []block
	ids    map[string]bool // of its headings
}

type link struct {
	target string
	line   int
}

// A block is a fenced block of code.
type block struct {
	page     string
	line     int // of its first line of code
	language string
	mark     string // what the comment before it says after "doccheck:"
	code     string
}

// pages returns all pages of the repository.
func pages(t *testing.T) []page {
	t.Helper()
	var all []page
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "node_modules"):
			return fs.SkipDir
		case d.IsDir() || path.Ext(d.Name()) != ".md":
			return nil
		}
		source, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, name)
		all = append(all, read(filepath.ToSlash(relative), source))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("there is no page")
	}
	return all
}

// read returns what a page says.
func read(name string, source []byte) page {
	p := page{name: name, ids: map[string]bool{}}
	document := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader(source))
	at := 0 // the offset of what was met last
	lineOf := func(offset int) int { return bytes.Count(source[:offset], []byte("\n")) + 1 }
	ast.Walk(document, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		if n.Type() == ast.TypeBlock && n.Lines().Len() > 0 {
			at = n.Lines().At(0).Start
		}
		switch n := n.(type) {
		case *ast.Heading:
			p.addID(plain(n, source))
		case *ast.Link:
			p.links = append(p.links, link{string(n.Destination), lineOf(at)})
		case *ast.Image:
			p.links = append(p.links, link{string(n.Destination), lineOf(at)})
		case *ast.AutoLink:
			p.links = append(p.links, link{string(n.URL(source)), lineOf(at)})
		case *ast.FencedCodeBlock:
			b := block{page: name, language: string(n.Language(source)), line: lineOf(at), code: string(n.Lines().Value(source))}
			if html, ok := n.PreviousSibling().(*ast.HTMLBlock); ok {
				b.mark = mark(string(html.Lines().Value(source)))
			}
			p.blocks = append(p.blocks, b)
		}
		return ast.WalkContinue, nil
	})
	return p
}

// mark returns what a comment tells doccheck, "" if it tells nothing.
func mark(comment string) string {
	_, rest, ok := strings.Cut(comment, "<!-- doccheck: ")
	if !ok {
		return ""
	}
	said, _, _ := strings.Cut(rest, "-->")
	return strings.TrimSpace(said)
}

// addID adds the anchor of a heading, as GitHub makes it.
func (p *page) addID(heading string) {
	id := strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-', r == '_', r >= '0' && r <= '9', r >= 'a' && r <= 'z', r > 127:
			return r
		}
		return -1
	}, strings.ToLower(heading))
	unique := id
	for i := '1'; p.ids[unique]; i++ {
		unique = id + "-" + string(i)
	}
	p.ids[unique] = true
}

// plain returns the text of a heading.
func plain(n ast.Node, source []byte) string {
	var b strings.Builder
	ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if t, ok := n.(*ast.Text); ok && entering {
			b.Write(t.Segment.Value(source))
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}
