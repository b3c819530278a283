package querytest

import (
	"errors"
	"os"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	grafana "github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// The dashboard is what Grafana's own schema demands, panels and queries included: the types that
// Grafana generates from it refuse a field that is missing, unknown or of another type.
func TestDashboardKeepsTheSchema(t *testing.T) {
	plugins.RegisterDefaultPlugins()
	source, err := os.ReadFile("../dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	//lint:ignore SA1019 this is the form in which every Grafana takes a file
	var d grafana.Dashboard
	err = d.UnmarshalJSONStrict(source)
	var problems cog.BuildErrors // an empty list is no error, and not nil
	if errors.As(err, &problems) {
		for _, problem := range problems {
			t.Error(problem)
		}
	} else if err != nil {
		t.Error(err)
	}
	if err := d.Validate(); err != nil {
		t.Error(err)
	}
}
