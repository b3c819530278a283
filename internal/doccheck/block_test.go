package doccheck

import (
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache/config"

	// What blocks may import has to be in go.mod.
	_ "github.com/seed-dad15c92/txcache/txcachetest"
	_ "github.com/seed-dad15c92/txcache/txotel"
	_ "github.com/seed-dad15c92/txcache/txprometheus"
)

var variable = regexp.MustCompile(`\$\{(\w+)\}`)

func TestTOMLIsConfiguration(t *testing.T) {
	for _, p := range pages(t) {
		for _, b := range p.blocks {
			if b.language != "toml" {
				continue
			}
			for _, name := range variable.FindAllStringSubmatch(b.code, -1) {
				t.Setenv(name[1], "set")
			}
			if err := configuration(b); err != nil {
				t.Errorf("%s:%d: %v", b.page, b.line, err)
			}
		}
	}
}

// configuration returns what is wrong with a block of TOML.
func configuration(b block) error {
	code := b.code
	if table, ok := strings.CutPrefix(b.mark, "under "); ok {
		code = fmt.Sprintf("[%s]\n%s", table, code)
	}
	cfg, err := config.Parse(strings.NewReader(code), "block")
	if err != nil {
		return err
	}
	return cfg.Validate()
}

func TestBadTOMLIsFound(t *testing.T) {
	for _, test := range []struct{ mark, code, want string }{
		{"", "[cache]\nsize = 1", ""},
		{"under cache.redis", `lease = "2s"`, ""},
		{"", `lease = "2s"`, "lease"},
		{"", "[cache]\nszie = 1", "szie"},
		{"", "[cache", "block:1"},
	} {
		err := configuration(block{mark: test.mark, code: test.code})
		if (test.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v, want %q", test.code, err, test.want)
		}
	}
}

func TestQuotesAreToTheLetter(t *testing.T) {
	for _, p := range pages(t) {
		for _, b := range p.blocks {
			if name, ok := strings.CutPrefix(b.mark, "quotes "); ok {
				source, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
				if err != nil {
					t.Errorf("%s:%d: %v", b.page, b.line, err)
				} else if !quotes(string(source), b.code) {
					t.Errorf("%s:%d: this is not in %s, to the letter", b.page, b.line, name)
				}
			}
		}
	}
}

// quotes reports whether code is whole lines of source.
func quotes(source, code string) bool {
	return code != "" && strings.Contains("\n"+source, "\n"+code)
}

func TestWrongQuotesAreFound(t *testing.T) {
	source := "func f() {\n\tg()\n}\n"
	for code, want := range map[string]bool{source: true, "\tg()\n": true, "g()\n": false, "\th()\n": false, "": false, "\tg": true} {
		if got := quotes(source, code); got != want {
			t.Errorf("%q: %v, want %v", code, got, want)
		}
	}
}

// command finds changes of the folder, and what go is told to work on.
var command = regexp.MustCompile(`\bcd (\S+)|\bgo (?:-C (\S+) )?(?:run|test|build|vet)(?: -\S+)* (\.[\w./-]*)`)

func TestCommandsNameWhatIsThere(t *testing.T) {
	for _, p := range pages(t) {
		for _, b := range p.blocks {
			if b.language != "sh" {
				continue
			}
			for _, name := range missing(b.code) {
				t.Errorf("%s:%d: there is no %s", b.page, b.line, name)
			}
		}
	}
}

// missing returns the folders that commands name, from the root, and that are
// not there.
func missing(commands string) (names []string) {
	folder := "."
	for _, found := range command.FindAllStringSubmatch(commands, -1) {
		in := path.Join(folder, found[1])
		if found[1] != "" {
			folder = in
		}
		name := path.Join(in, found[2], strings.TrimSuffix(found[3], "/..."))
		if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(name))); err != nil {
			names = append(names, name)
		}
	}
	return names
}

func TestMissingFoldersAreFound(t *testing.T) {
	for commands, want := range map[string]string{
		"go run ./examples/quickstart -config x.toml\ngo test ./...":                 "[]",
		"cd bench && go run ./hitratio/cmd\ngo -C hitratio run .\ncd .. && go vet .": "[]",
		"go run -race ./examples/none":                                               "[examples/none]",
		"cd bench\ngo run ./examples/quickstart":                                     "[bench/examples/quickstart]",
		"cd none":                                                                    "[none]",
	} {
		if got := fmt.Sprint(missing(commands)); got != want {
			t.Errorf("%q: %s, want %s", commands, got, want)
		}
	}
}

// A block that is marked as output is what the commands before it print.
func TestOutputIsWhatIsPrinted(t *testing.T) {
	for _, p := range pages(t) {
		for i, b := range p.blocks {
			if b.mark != "output" {
				continue
			}
			if i == 0 || p.blocks[i-1].language != "sh" {
				t.Errorf("%s:%d: there are no commands before this output", b.page, b.line)
				continue
			}
			t.Run(fmt.Sprintf("%s:%d", b.page, b.line), func(t *testing.T) {
				shell := exec.CommandContext(t.Context(), "sh", "-e", "-c", p.blocks[i-1].code)
				shell.Dir = root
				shell.Env = append(os.Environ(), "GOWORK=off")
				var errs strings.Builder
				shell.Stderr = &errs // where go also says what it downloads
				got, err := shell.Output()
				if err != nil {
					t.Fatalf("%v\n%s%s", err, got, &errs)
				}
				if string(got) != b.code {
					t.Errorf("the commands print\n%s\nthe page says\n%s", got, b.code)
				}
			})
		}
	}
}
