package report_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/bench/hitratio"
	"github.com/seed-dad15c92/txcache/bench/measure"
	"github.com/seed-dad15c92/txcache/bench/report"
)

func results() []*measure.Result {
	return []*measure.Result{
		{
			Section: "Hits & misses", Name: "a hit, <text>", Goroutines: 8, Unit: "ns",
			Ratio: measure.Spread{Low: 0.4, Median: 0.5, High: 0.7}, Ratios: []float64{0.4, 0.5, 0.7},
			Subject: measure.Outcome{Name: "txcache", Spread: measure.Spread{Low: 40, Median: 41, High: 45}},
			Peer:    measure.Outcome{Name: "otter", Spread: measure.Spread{Low: 80, Median: 82, High: 90}, Allocs: 2, Bytes: 64},
			Bars:    []measure.Bar{{Of: measure.Ratio, Limit: 1}, {Of: measure.Ratio, Limit: 0.25}},
		},
		{
			Section: "Clear", Name: "a drop", Goroutines: 1, Unit: "ns",
			Ratio:   measure.Spread{Low: 5000, Median: 12_000, High: 20_000},
			Subject: measure.Outcome{Name: "txcache", Spread: measure.Spread{Median: 2.5e9}, Figures: map[string]float64{"values/s": 250_000}},
			Peer:    measure.Outcome{Name: "others", Spread: measure.Spread{Median: 3e6}},
		},
		{
			Section: "Memory", Name: "an entry", Goroutines: 1, Unit: "B",
			Ratio:   measure.Spread{Low: 1, Median: 1, High: 1},
			Subject: measure.Outcome{Name: "txcache", Spread: measure.Spread{Median: 71}},
			Peer:    measure.Outcome{Name: "otter", Spread: measure.Spread{Median: 71}},
		},
	}
}

func TestFolderHasTablesChartsAndRawResults(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	r := &report.Report{
		Machine: report.Machine{CPU: "a processor", Cores: 2, System: "linux/amd64", Go: "go1.26", Redis: "7.0", Peers: map[string]string{"github.com/a/b": "v1.2.3"}},
		Options: measure.Options{Rounds: 21, Slice: 75 * time.Millisecond},
		Results: results(), HitRatios: []hitratio.Row{{Trace: "a trace", Keys: 4000, Size: 40, Ratios: make([]float64, len(hitratio.Policies()))}},
	}
	if err := r.WriteFolder(dir); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"slices of 75ms, 21 rounds", "a processor, 2 cores, linux/amd64, go1.26, Redis 7.0", "a/b v1.2.3", "1 of 2 hold",
		"| a hit, <text>, 8 goroutines | txcache | otter | 0.50 (0.40–0.70) | 41.0 ns | 82.0 ns | 0 / 2.00 | 0 / 64.0 |",
		"| ratio | ≤ 0.25 | 0.50 (0.40–0.70) | **no** |", "| ratio | ≤ 1.00 | 0.50 (0.40–0.70) | yes |",
		"| 12000 (5000–20000) | 2.50 s | 3.00 ms |", "| 71.0 B |", "250000 / 0", "## Hit ratios", "| a trace | 4000 | 40 |",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("README.md lacks %q:\n%s", want, text)
		}
	}
	for _, chart := range []string{"hits-&-misses.svg", "clear.svg", "memory.svg"} {
		if !strings.Contains(string(text), "("+chart+")") {
			t.Errorf("README.md does not show %s", chart)
		}
		if svg, err := os.ReadFile(filepath.Join(dir, chart)); err != nil {
			t.Error(err)
		} else if _, err := textOf(svg); err != nil {
			t.Errorf("%s: %v", chart, err)
		}
	}
	raw, err := os.ReadFile(filepath.Join(dir, "results.json"))
	if err != nil {
		t.Fatal(err)
	}
	var back report.Report
	if err := json.Unmarshal(raw, &back); err != nil {
		t.Fatal(err)
	}
	if len(back.Results) != 3 || len(back.Results[0].Ratios) != 3 || back.Machine.CPU != "a processor" {
		t.Errorf("results.json reads back as %+v", back)
	}
}

// textOf returns the text in an SVG, or why it is none.
func textOf(svg []byte) (string, error) {
	var all strings.Builder
	root := ""
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			if root != "svg" {
				err = errors.New("the root is <" + root + ">")
				return "", err
			}
			return all.String(), nil
		} else if err != nil {
			return "", err
		}
		switch token := token.(type) {
		case xml.StartElement:
			if root == "" {
				root = token.Name.Local
			}
		case xml.CharData:
			all.Write(token)
		}
	}
}

func TestChartNamesEachRowAndItsRatio(t *testing.T) {
	svg, err := report.Chart("Hits & misses", results())
	if err != nil {
		t.Fatal(err)
	}
	text, err := textOf(svg)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Hits & misses", "a hit, <text>, 8 goroutines – otter", "a drop – others", "0.50", "12000"} {
		if !strings.Contains(text, want) {
			t.Errorf("the chart lacks %q; its text is %q", want, text)
		}
	}
	if !bytes.Contains(svg, []byte("#FFFFFF")) {
		t.Error("the chart has no ground of its own: on a dark page it cannot be read")
	}
}

func TestAmountsNameEachRow(t *testing.T) {
	svg, err := report.Amounts("Requests", "a second", []report.Amount{
		{Name: "one <service>", Spread: measure.Spread{Low: 90, Median: 100, High: 110}, Label: "100, none"},
		{Name: "another", Spread: measure.Spread{Low: 280, Median: 300, High: 310}, Label: "300, some", Warns: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := textOf(svg)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Requests", "a second", "one <service>", "100, none", "another", "300, some"} {
		if !strings.Contains(text, want) {
			t.Errorf("the chart lacks %q; its text is %q", want, text)
		}
	}
	if warned := bytes.Count(svg, []byte("#E69F00")); warned != 1 {
		t.Errorf("%d bars have the other colour, want 1", warned)
	}
	if strings.Index(text, "100, none") > strings.Index(text, "300, some") {
		t.Errorf("the first row is not the first: %q", text)
	}
}

func TestMachineNamesNoHost(t *testing.T) {
	m := report.ThisMachine("7.0.15")
	if m.Cores < 1 || m.Go == "" || m.System == "" || m.Redis != "7.0.15" {
		t.Errorf("%+v", m)
	}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	home, err := os.UserHomeDir()
	if err == nil && len(home) > 1 && bytes.Contains(text, []byte(home)) {
		t.Errorf("%s names the folder of a user", text)
	}
	host, err := os.Hostname()
	if err == nil && len(host) > 5 && bytes.Contains(text, []byte(host)) {
		t.Errorf("%s names the host", text)
	}
}
