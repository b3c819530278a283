package doccheck

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache/config"
)

// The page has a row for each key, with its default, and for no other; the Go fields have the
// names of the keys.
func TestConfigurationPageHasEveryKey(t *testing.T) {
	const page = "docs/configuration.md"
	source, err := os.ReadFile(filepath.Join(root, page))
	if err != nil {
		t.Fatal(err)
	}
	key := regexp.MustCompile("`([a-z_]+)`")
	defaults := map[string][]string{} // lines of TOML, by table
	keys := map[string][]string{}
	for _, s := range sentences(page, source) {
		table := strings.Trim(strings.TrimPrefix(s.section, page+": "), "`")
		cells := strings.Split(s.words, " | ")
		if !strings.HasPrefix(table, "[cache") || len(cells) < 4 {
			continue
		}
		for _, k := range key.FindAllStringSubmatch(cells[0], -1) {
			keys[table] = append(keys[table], k[1])
			if d := strings.Trim(cells[2], "`"); !strings.HasPrefix(d, "|") && table != "[cache.sql]" { // whose defaults depend on each other
				defaults[table] = append(defaults[table], k[1]+" = "+d)
			}
		}
	}
	for table, of := range map[string]reflect.Type{
		"[cache]": reflect.TypeFor[config.Config](), "[cache.redis]": reflect.TypeFor[config.Redis](), "[cache.sql]": reflect.TypeFor[config.SQL](),
	} {
		want := map[string]bool{}
		for i := range of.NumField() {
			f := of.Field(i)
			k, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
			if k == "" || f.Type.Kind() == reflect.Struct || f.Type.Kind() == reflect.Map { // the latter have sections of their own
				continue
			}
			want[k] = true
			if !strings.EqualFold(strings.ReplaceAll(k, "_", ""), f.Name) {
				t.Errorf("%s: the field of %s is called %s", table, k, f.Name)
			}
		}
		got := map[string]bool{}
		for _, k := range keys[table] {
			got[k] = true
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s: the page has the keys %v, want %v", table, got, want)
		}
	}
	var text strings.Builder
	for _, table := range []string{"[cache]", "[cache.redis]"} {
		text.WriteString(table + "\n" + strings.Join(defaults[table], "\n") + "\n")
	}
	c, err := config.Parse(strings.NewReader(text.String()), page)
	if err != nil {
		t.Fatalf("%v\n%s", err, text.String())
	}
	if got, want := c.String(), config.Default().String(); got != want {
		t.Errorf("the page has the defaults\n%s\nwant\n%s", got, want)
	}
}
