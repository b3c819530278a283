package codec_test

import (
	"math/big"
	"net/netip"
	"regexp"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/internal/codec"
)

func schema[V any]() string { return codec.New[V]().Schema() }

// The fingerprints are in the keys of every deployment: if one changes, all
// values of that shape are lost to the next version.
func TestSchemaIsTheSameInEveryProcess(t *testing.T) {
	for _, c := range []struct{ name, got, want string }{
		{"string", schema[string](), "8sp8fu19hm"},
		{"int", schema[int](), "dmk8od5q29"},
		{"[]byte", schema[[]byte](), "javvmvn4n6"},
		{"any", schema[any](), "o5573q30q5"},
		{"map[string]any", schema[map[string]any](), "pnh7r899cf"},
		{"time.Time", schema[time.Time](), "b6agavhvp4"},
		{"*big.Int", schema[*big.Int](), "7ng3cqi2t6"},
		{"point", schema[point](), "ee67uo5ggs"},
		{"node", schema[node](), "ujfeha0esh"},
		{"record", schema[record](), "kbmuk0509g"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q, want %q", c.name, c.got, c.want)
		}
		if !regexp.MustCompile(`^[0-9a-z]{10}$`).MatchString(c.got) {
			t.Errorf("%s: %q is not ten digits and lower-case letters", c.name, c.got)
		}
	}
}

func TestSchemaTellsShapesApart(t *testing.T) {
	type item struct {
		ID   int
		Name string
	}
	type euros cents
	type list []list
	type pair[T any] struct{ A, B T }
	shapes := map[string]string{
		"the struct":    schema[item](),
		"another order": schema[struct{ Name, ID any }](),
		"fields swapped": schema[struct {
			Name string
			ID   int
		}](),
		"field added": schema[struct {
			ID   int
			Name string
			Note string
		}](),
		"field added first": schema[struct {
			Note string
			ID   int
			Name string
		}](),
		"field removed": schema[struct{ ID int }](),
		"field renamed": schema[struct {
			ID    int
			Title string
		}](),
		"field retyped": schema[struct {
			ID   int64
			Name string
		}](),
		"field made a pointer": schema[struct {
			ID   *int
			Name string
		}](),
		"field made a defined type": schema[struct {
			ID   cents
			Name string
		}](),
		"field made another one": schema[struct {
			ID   euros
			Name string
		}](),
		"field made a duration": schema[struct {
			ID   time.Duration
			Name string
		}](),
		"field tagged": schema[struct {
			ID   int `msgpack:"id"`
			Name string
		}](),
		"field made a list": schema[struct {
			ID   int
			Name []string
		}](),
		"embedded":             schema[struct{ item }](),
		"named":                schema[struct{ Item item }](),
		"pointer":              schema[*item](),
		"slice":                schema[[]item](),
		"array":                schema[[2]item](),
		"longer array":         schema[[3]item](),
		"map":                  schema[map[string]item](),
		"map with another key": schema[map[int]item](),
		"map swapped":          schema[map[item]string](),
		"any":                  schema[any](),
		"error":                schema[error](),
		"string":               schema[string](),
		"bytes":                schema[[]byte](),
		"byte array":           schema[[2]byte](),
		"defined bytes":        schema[blob](),
		"letters":              schema[[]letter](),
		"empty struct":         schema[struct{}](),
		"time":                 schema[time.Time](),
		"defined time":         schema[stamp](),
		"address":              schema[netip.Addr](),
		"prefix":               schema[netip.Prefix](),
		"recursive":            schema[node](),
		"recursive list":       schema[list](),
		"list of lists":        schema[[][]string](),
		"same twice":           schema[pair[item]](),
		"same twice, once by pointer": schema[struct {
			A item
			B *item
		}](),
		"twice recursive":              schema[pair[*node]](),
		"channel":                      schema[chan int](),
		"struct with a channel":        schema[struct{ C chan int }](),
		"struct with unexported field": schema[struct{ c int }](),
		"bool":                         schema[bool](), "int": schema[int](), "int8": schema[int8](), "int16": schema[int16](), "int32": schema[int32](), "int64": schema[int64](),
		"uint": schema[uint](), "uint8": schema[uint8](), "uint16": schema[uint16](), "uint32": schema[uint32](), "uint64": schema[uint64](),
		"float32": schema[float32](), "float64": schema[float64](), "complex64": schema[complex64](), "complex128": schema[complex128](),
	}
	seen := map[string]string{}
	for name, s := range shapes {
		if other, ok := seen[s]; ok {
			t.Errorf("%s and %s have the schema %s", name, other, s)
		}
		seen[s] = name
	}
}

func TestSchemaDoesNotDependOnWhatIsNotEncoded(t *testing.T) {
	type item struct {
		ID   int
		Name string
	}
	type renamed struct {
		ID   int
		Name string
	}
	want := schema[item]()
	for name, got := range map[string]string{
		"the same again": schema[item](),
		"another name":   schema[renamed](),
		"no name": schema[struct {
			ID   int
			Name string
		}](),
		"another tag": schema[struct {
			ID   int `json:"id"`
			Name string
		}](),
		"a left out field": schema[struct {
			ID   int
			Lock chan int `msgpack:"-"`
			Name string
		}](),
		"a blank field": schema[struct {
			_    int
			ID   int
			Name string
		}](),
		"a field of no size": schema[struct {
			ID   int
			Name string
			Mark struct{}
		}](),
	} {
		if got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}
