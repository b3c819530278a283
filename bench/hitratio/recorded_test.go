package hitratio

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ulikunitz/xz"
)

// format writes keys as the file of that name has them.
func format(t *testing.T, file string, keys []uint64) []byte {
	var plain, packed bytes.Buffer
	for i, key := range keys {
		switch {
		case strings.HasPrefix(file, "orm"), strings.HasPrefix(file, "web"):
			plain.Write(binary.BigEndian.AppendUint32(nil, uint32(key)))
		case strings.HasPrefix(file, "trace_"):
			plain.Write(binary.BigEndian.AppendUint64(nil, key))
		case strings.HasPrefix(file, "request"):
			fmt.Fprintln(&plain, i, key, 512)
		default:
			fmt.Fprintln(&plain, key)
		}
	}
	var w io.WriteCloser
	var err error
	if filepath.Ext(file) == ".xz" {
		w, err = xz.NewWriter(&packed)
	} else {
		w = gzip.NewWriter(&packed)
	}
	if err == nil {
		_, err = w.Write(plain.Bytes())
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

func TestRecordedTracesAreReadInTheirFormats(t *testing.T) {
	keys := source{1}.skewed("", 300, 0.9, nil).keys[:3000]
	dir := t.TempDir()
	for _, r := range recorded {
		if err := os.WriteFile(filepath.Join(dir, r.file), format(t, r.file, keys), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := readFile(filepath.Join(dir, r.file), r.read)
		if err != nil || !slices.Equal(got, keys) {
			t.Errorf("%s: %d keys, error %v; want the %d that were written", r.file, len(got), err, len(keys))
		}
	}
	rows, err := Recorded(dir, "", 1)
	if err != nil {
		t.Fatal(err)
	}
	distinct := trace{keys: keys}.distinct()
	want := []int{distinct / 100, distinct * 5 / 100, distinct * 12 / 100, distinct * 33 / 100, 1024}
	if len(rows) != len(recorded)*len(want) {
		t.Fatalf("%d rows of %d traces, want %d of each", len(rows), len(recorded), len(want))
	}
	for i, row := range rows {
		if row.Keys != distinct || row.Size != want[i%len(want)] {
			t.Errorf("row %d is of %d keys and size %d, want %d and %d", i, row.Keys, row.Size, distinct, want[i%len(want)])
		}
	}
}

func TestATraceThatCannotBeReadIsAnError(t *testing.T) {
	dir := t.TempDir()
	if _, err := Recorded(dir, "", 1); !os.IsNotExist(err) {
		t.Errorf("without files the error is %v", err)
	}
	for file, content := range map[string]string{
		"orm-busy.trace": "five!", "web07.trace": "", "request.trace": "1 2 3\n4\n", "sprite.trace": "1\nx\n", "multi2.trace.gz": "plain",
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range recorded {
		if rows, err := Recorded(dir, r.name, 1); err == nil || !strings.Contains(err.Error(), strings.Split(r.file, ".")[0]) {
			t.Errorf("%s: %d rows and the error %v; want one that names the file", r.file, len(rows), err)
		}
	}
}

// TestNearIsNotFarBelowTheBest is about one trace of each kind. The limits are wider than
// what differs from run to run, as hashes do.
func TestNearIsNotFarBelowTheBest(t *testing.T) {
	s := source{1}
	for _, c := range []struct {
		trace  trace
		size   int
		margin float64 // to the best of LRU, S3-FIFO and otter
	}{
		{s.skewed("zipf 0.9", universe, 0.9, nil), universe / 20, -1},
		{s.oneHits(), universe / 10, -1},
		{s.scans(), universe / 10, -1},
		{s.loop(), 900, 3},
		{s.loop(), 500, -2},
		{s.skewedAndLoop(), universe / 10, -2},
		{s.shifting(), universe / 20, -2},
		{s.drifting(), universe / 10, -2},
		{s.hotSet(), 250, -2.5},
		{s.recency(), 200, -4},
		{s.requests(), 1024, -1.5},
	} {
		row := c.trace.row(c.trace.distinct(), c.size, 1)
		got := row.Ratios[Near] - best(row.Ratios)
		t.Logf("%s, size %d: %+.1f", row.Trace, row.Size, got)
		if got < c.margin {
			t.Errorf("%s, size %d: %+.1f points from the best, want %+.1f", row.Trace, row.Size, got, c.margin)
		}
	}
}
