package querytest

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/txcachetest"
	"github.com/seed-dad15c92/txcache/txprometheus"
)

// epoch is when scrapes begin.
var epoch = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)

// scraped returns what is scraped of a process that uses Redis, over a few
// minutes, and when that ends.
func scraped(t *testing.T) (memory, time.Time) {
	t.Helper()
	store := txcachetest.Redis(t)
	users := txcache.Must(txcache.NewCache[int, string](store, "users", nil))
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(txprometheus.NewCollector(store, nil)); err != nil {
		t.Fatal(err)
	}
	m, at := memory{}, epoch
	for key := range 6 {
		for range 2 {
			if err := store.View(t.Context(), "shop", func(tx *txcache.Tx) error {
				_, err := users.Load(t.Context(), tx, key, func(context.Context) (string, error) { return "Ada", nil })
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		if err := store.Update(t.Context(), "shop", users.Clear); err != nil {
			t.Fatal(err)
		}
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		at = at.Add(interval)
		m.scrape(families, at)
	}
	return m, at
}

// checkNames reports metrics and labels of an expression that nobody gives.
func checkNames(t *testing.T, m memory, expr string) {
	t.Helper()
	parsed, err := promQL.ParseExpr(expr)
	if err != nil {
		t.Errorf("%s: %v", expr, err)
		return
	}
	parser.Inspect(parsed, func(node parser.Node, path []parser.Node) error {
		selector, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		if !m.has(selector.Name, "") {
			t.Errorf("%s: no metric %s", expr, selector.Name)
			return nil
		}
		for _, l := range selector.LabelMatchers {
			if !m.has(selector.Name, l.Name) {
				t.Errorf("%s: %s has no label %s", expr, selector.Name, l.Name)
			}
		}
		for _, above := range path {
			if by, ok := above.(*parser.AggregateExpr); ok {
				for _, label := range by.Grouping {
					if !m.has(selector.Name, label) {
						t.Errorf("%s: %s has no label %s", expr, selector.Name, label)
					}
				}
			}
		}
		return nil
	})
}

type dashboard struct {
	UID           string
	SchemaVersion int
	Templating    struct{ List []variable }
	Panels        []panel
}

type variable struct {
	Name, Type, Definition string
	Datasource             struct{ UID string }
}

type panel struct {
	ID                       int
	Type, Title, Description string
	Datasource               struct{ Type, UID string }
	GridPos                  struct{ X, Y, W, H int }
	Targets                  []struct {
		Expr, LegendFormat string
		Datasource         struct{ Type, UID string }
	}
}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	data, err := os.ReadFile("../dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(data, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// Grafana replaces these in an expression before it asks Prometheus.
var chosen = strings.NewReplacer("$__rate_interval", "5m", "$job", "shop", "$instance", ".*", "$cache", "users")

func TestPanelsAskForWhatThereIs(t *testing.T) {
	m, end := scraped(t)
	asked := 0
	for _, p := range readDashboard(t).Panels {
		for _, target := range p.Targets {
			asked++
			expr := chosen.Replace(target.Expr)
			if strings.Contains(expr, "$") {
				t.Errorf("%s: unknown variable in %s", p.Title, expr)
				continue
			}
			checkNames(t, m, expr)
			if len(m.query(t, expr, end)) == 0 {
				t.Errorf("%s: nothing comes back for %s", p.Title, expr)
			}
			for _, label := range legend(target.LegendFormat) {
				for _, s := range m.query(t, expr, end) {
					if !s.Metric.Has(label) {
						t.Errorf("%s: %s has no label %s for its legend", p.Title, expr, label)
					}
				}
			}
		}
	}
	if asked < 30 {
		t.Errorf("%d queries only", asked)
	}
}

// legend returns the labels that a legend names.
func legend(format string) (labels []string) {
	for part := range strings.SplitSeq(format, "{{") {
		if label, _, ok := strings.Cut(part, "}}"); ok {
			labels = append(labels, label)
		}
	}
	return labels
}

func TestHitRatioIsWhatItWas(t *testing.T) {
	m, end := scraped(t)
	for _, p := range readDashboard(t).Panels {
		if p.Title != "Hit ratio by cache" {
			continue
		}
		ratios := m.query(t, chosen.Replace(p.Targets[0].Expr), end)
		if len(ratios) != 1 || ratios[0].F != 0.5 {
			t.Errorf("%v; every second read was a hit", ratios)
		}
		return
	}
	t.Error("there is no such panel")
}

// Every metric is on the dashboard, so that a new one is not forgotten.
func TestEveryMetricIsShown(t *testing.T) {
	m, _ := scraped(t)
	var exprs []string
	for _, p := range readDashboard(t).Panels {
		for _, target := range p.Targets {
			exprs = append(exprs, target.Expr)
		}
	}
	for _, s := range m {
		name := s.labels.Get(model.MetricNameLabel)
		if !slices.ContainsFunc(exprs, func(expr string) bool { return strings.Contains(expr, name+"{") }) {
			t.Errorf("no panel shows %s", name)
		}
	}
}

func TestDashboardCanBeImported(t *testing.T) {
	d := readDashboard(t)
	if d.UID == "" || d.SchemaVersion < 40 {
		t.Errorf("uid %q, schema version %d", d.UID, d.SchemaVersion)
	}
	m, end := scraped(t)
	var names []string
	for _, v := range d.Templating.List {
		names = append(names, v.Name)
		if v.Type != "query" {
			continue
		}
		if v.Datasource.UID != "${datasource}" {
			t.Errorf("variable %s comes from the data source %q", v.Name, v.Datasource.UID)
		}
		series, label, err := labelValues(v.Definition)
		if err != nil {
			t.Errorf("variable %s: %v", v.Name, err)
			continue
		}
		found := m.query(t, chosen.Replace(series), end)
		if len(found) == 0 || !found[0].Metric.Has(label) {
			t.Errorf("variable %s: no label %s in what comes back for %s: %v", v.Name, label, series, found)
		}
	}
	if want := []string{"datasource", "job", "instance", "cache"}; !slices.Equal(names, want) {
		t.Errorf("variables are %q, want %q", names, want)
	}
	ids := map[int]bool{}
	for i, p := range d.Panels {
		if ids[p.ID] {
			t.Errorf("two panels have the id %d", p.ID)
		}
		ids[p.ID] = true
		if p.GridPos.X < 0 || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("%s is outside of the grid", p.Title)
		}
		for _, o := range d.Panels[:i] {
			a, b := p.GridPos, o.GridPos
			if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
				t.Errorf("%s covers %s", p.Title, o.Title)
			}
		}
		if p.Type == "row" {
			continue
		}
		if p.Title == "" || p.Description == "" || p.Datasource.UID != "${datasource}" {
			t.Errorf("panel %d: title %q, description %q, data source %q", p.ID, p.Title, p.Description, p.Datasource.UID)
		}
		for _, target := range p.Targets {
			if target.Datasource.UID != "${datasource}" {
				t.Errorf("%s asks the data source %q", p.Title, target.Datasource.UID)
			}
		}
	}
}

// labelValues takes label_values(series, label) apart.
func labelValues(definition string) (series, label string, err error) {
	inner, ok := strings.CutPrefix(definition, "label_values(")
	i := strings.LastIndex(inner, ", ")
	if !ok || i < 0 || !strings.HasSuffix(inner, ")") {
		return "", "", errors.New("not label_values(series, label): " + definition)
	}
	return inner[:i], strings.TrimSuffix(inner[i+2:], ")"), nil
}
