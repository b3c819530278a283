package command

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// print writes a result: as JSON if that is asked for, else as text says.
func (p *program) print(result any, text func(w io.Writer)) error {
	if !p.json {
		text(p.out)
		return nil
	}
	e := json.NewEncoder(p.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(result)
}

// A table is lines of cells in columns, the first of them the headings.
type table [][]string

func (t *table) row(cells ...string) { *t = append(*t, cells) }

func (t table) write(w io.Writer) {
	var aligned strings.Builder
	columns := tabwriter.NewWriter(&aligned, 0, 0, 2, ' ', 0)
	for _, cells := range t {
		// A column ends where a line does not have it, so all lines have all.
		missing := max(0, len(t[0])-len(cells))
		fmt.Fprintln(columns, strings.Join(cells, "\t")+strings.Repeat("\t", missing))
	}
	columns.Flush()
	for line := range strings.Lines(aligned.String()) {
		fmt.Fprintln(w, strings.TrimRight(line, " \n"))
	}
}

// quoted returns a name as a terminal can take it: quoted where it could be
// misread, as anybody may have chosen it.
func quoted(name string) string {
	odd := func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r) || r == '"' || r == ',' || r == unicode.ReplacementChar
	}
	if name == "" || strings.ContainsFunc(name, odd) {
		return strconv.Quote(name)
	}
	return name
}

func names(list []string) string {
	all := make([]string, len(list))
	for i, name := range list {
		all[i] = quoted(name)
	}
	return strings.Join(all, ", ")
}

// quotedToken returns a token as a terminal can take it, or a dash in place of none.
func quotedToken(text string) string {
	if text == "" {
		return "-"
	}
	return quoted(text)
}

// size returns a number of bytes for people; one below zero is not known.
func size(bytes int64) string {
	switch {
	case bytes < 0:
		return "unknown"
	case bytes < 1000:
		return fmt.Sprintf("%d B", bytes)
	}
	n, unit := float64(bytes)/1000, 0
	for n >= 999.95 && unit < 3 {
		n, unit = n/1000, unit+1
	}
	return fmt.Sprintf("%.1f %s", n, [...]string{"kB", "MB", "GB", "TB"}[unit])
}

// timeText returns t for people, "never" for the zero time.
func timeText(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format(time.RFC3339)
}
