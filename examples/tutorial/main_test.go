package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache/internal/postgrestest"
	"github.com/seed-dad15c92/txcache/internal/redistest"
)

// asProgram is the environment variable that makes the test's executable the program.
const asProgram = "TXCACHE_TUTORIAL"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// Two terminals show what docs/tutorial.md says. Its first transcript is of class sql, the
// second of class redis.
func TestTwoTerminals(t *testing.T) {
	page, err := os.ReadFile("../../docs/tutorial.md")
	if err != nil {
		t.Fatal(err)
	}
	var transcripts []string
	for _, block := range strings.Split(string(page), "```text\n")[1:] {
		if block, _, _ := strings.Cut(block, "```"); strings.HasPrefix(block, "A> ") {
			transcripts = append(transcripts, block)
		}
	}
	if len(transcripts) != 2 {
		t.Fatalf("the page has %d transcripts, want 2", len(transcripts))
	}
	for _, test := range []struct {
		configuration, transcript string
		database, redis           func(*testing.T) string
	}{
		{"sqlite.toml", transcripts[0], none, none},
		{"postgres.toml", transcripts[0], func(t *testing.T) string { return postgrestest.Start(t).URI("postgres") }, none},
		{"redis.toml", transcripts[1], none, func(t *testing.T) string { return redistest.Start(t).URI() }},
	} {
		t.Run(test.configuration, func(t *testing.T) {
			text, err := os.ReadFile(test.configuration)
			if err != nil {
				t.Fatal(err)
			}
			if uri := test.redis(t); uri != "" {
				text = bytes.ReplaceAll(text, []byte("redis://localhost:6379/0"), []byte(uri))
			}
			folder := t.TempDir() // where the program runs, and the file of SQLite is
			if err := os.WriteFile(filepath.Join(folder, test.configuration), text, 0o600); err != nil {
				t.Fatal(err)
			}
			database := test.database(t)
			first, _, _ := strings.Cut(test.transcript[strings.Index(test.transcript, "costs ")+len("costs "):], "\n")
			terminals := map[string]*terminal{}
			for _, name := range []string{"A", "B"} {
				terminals[name] = openTerminal(t, folder, database, name, test.configuration)
			}
			terminals["A"].do("pen=" + first) // as the sections before it leave it
			var shown strings.Builder
			for line := range strings.Lines(test.transcript) {
				if name, command, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "> "); ok {
					fmt.Fprint(&shown, line, terminals[name].do(command))
				}
			}
			if shown.String() != test.transcript {
				t.Errorf("the terminals show\n%s\nthe page says\n%s", &shown, test.transcript)
			}
		})
	}
}

func none(*testing.T) string { return "" }

// A terminal is the program in a process of its own, which waits for a command.
type terminal struct {
	t      *testing.T
	prompt string
	in     io.Writer
	out    *bufio.Reader
}

// openTerminal starts the program in the folder. It ends with the test.
func openTerminal(t *testing.T, folder, database, name, configuration string) *terminal {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-name", name, "-config", configuration)
	cmd.Dir, cmd.Stderr = folder, os.Stderr
	cmd.Env = append(os.Environ(), asProgram+"=1", "TUTORIAL_DATABASE="+database)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	p := &terminal{t, name + "> ", in, bufio.NewReader(out)}
	p.shown()
	return p
}

// do types a command, and returns what is shown before the next prompt.
func (p *terminal) do(command string) string {
	p.t.Helper()
	if _, err := fmt.Fprintln(p.in, command); err != nil {
		p.t.Fatal(err)
	}
	return p.shown()
}

func (p *terminal) shown() string {
	p.t.Helper()
	var text strings.Builder
	for line := ""; line != p.prompt; {
		b, err := p.out.ReadByte()
		if err != nil {
			p.t.Fatalf("the program ended after %q: %v", text.String(), err)
		}
		if line += string(rune(b)); b == '\n' {
			line = ""
		}
		text.WriteByte(b)
	}
	return strings.TrimSuffix(text.String(), p.prompt)
}
