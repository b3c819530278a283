package command

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache/internal/goldentest"
)

// golden compares what a command line gave with the golden file of that name, or writes
// it.
func golden(t *testing.T, folder, name string, args []string, output string, code int) {
	t.Helper()
	goldentest.Compare(t, folder, name, "txcache", args, output, code)
}

// withDrivers is the folder with the golden files of the program that has drivers of SQL
// databases, whose tests write them.
const withDrivers = "../../cmd/txcache-sql/testdata"

var block = regexp.MustCompile("(?s)(<!-- ([a-z-]+) -->\n```console\n)(.*?)(```\n)")

// What docs/cli.md shows is what the commands print.
func TestPageShowsWhatCommandsPrint(t *testing.T) {
	const path = "../../docs/cli.md"
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	rewritten := block.ReplaceAllFunc(page, func(b []byte) []byte {
		parts := block.FindSubmatch(b)
		name := string(parts[2])
		shown[name] = true
		want, err := os.ReadFile(filepath.Join("testdata", name+".golden"))
		if err != nil {
			want, err = os.ReadFile(filepath.Join(withDrivers, name+".golden"))
		}
		if err != nil {
			t.Error(err)
			return b
		}
		if !bytes.Equal(parts[3], want) && !*goldentest.Update {
			t.Errorf("%s: the block %s shows\n%s\nand the command prints\n%s", path, name, parts[3], want)
		}
		return bytes.Join([][]byte{parts[1], want, parts[4]}, nil)
	})
	for _, folder := range []string{"testdata", withDrivers} {
		files, err := filepath.Glob(folder + "/*.golden")
		if err != nil || len(files) == 0 {
			t.Fatalf("no golden files in %s, %v", folder, err)
		}
		for _, file := range files {
			if name := strings.TrimSuffix(filepath.Base(file), ".golden"); !shown[name] {
				t.Errorf("%s does not show %s", path, name)
			}
		}
	}
	if *goldentest.Update {
		if err := os.WriteFile(path, rewritten, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
