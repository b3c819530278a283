package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRunWritesWhatWasAskedFor(t *testing.T) {
	dir := t.TempDir()
	args := []string{"-quick", "-rounds", "2", "-slice", "1ms", "-only", "^Transactions; .*read-only", "-o", dir, "-json", filepath.Join(dir, "raw.json")}
	var log bytes.Buffer
	if err := run(t.Context(), args, io.Discard, &log); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"README.md", "transactions.svg", "results.json", "raw.json"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !strings.Contains(log.String(), "begin read-only, ten hits, commit") {
		t.Errorf("the progress is %q", log.String())
	}

	var out bytes.Buffer
	if err := run(t.Context(), args[:7], &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "## Transactions") {
		t.Errorf("without a folder it prints %q", out.String())
	}
}

func TestRunRefusesWhatCannotBe(t *testing.T) {
	for _, args := range [][]string{{"more"}, {"-rounds", "0"}, {"-slice", "-1s"}, {"-only", "("}, {"-only", "no such work"}} {
		if err := run(t.Context(), args, io.Discard, io.Discard); err == nil {
			t.Errorf("%q was taken", args)
		}
	}
}
