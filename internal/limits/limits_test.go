package limits_test

import (
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache/internal/limits"
)

func TestNamesHaveABound(t *testing.T) {
	for _, w := range []struct {
		what, name, wrong string
	}{
		{"one byte", "a", ""},
		{"several bytes a character", "发票", ""},
		{"as long as may be", strings.Repeat("a", limits.MaxName), ""},
		{"one byte longer", strings.Repeat("a", limits.MaxName+1), "txcache: cache name has 8193 bytes; it must have 8192 at most"},
		{"empty", "", "txcache: cache name is empty"},
		{"half a character", "\xe5\x8f", `txcache: cache name "\xe5\x8f" is not valid UTF-8`},
	} {
		err := limits.CheckName("cache", w.name)
		if got := text(err); got != w.wrong {
			t.Errorf("%s: CheckName says %q, want %q", w.what, got, w.wrong)
		}
	}
}

// A prefix may be empty and of any bytes, but has the same bound.
func TestPrefixesHaveTheSameBound(t *testing.T) {
	for name, wrong := range map[string]string{
		"":                                       "",
		"\xff":                                   "",
		strings.Repeat("\xff", limits.MaxName):   "",
		strings.Repeat("\xff", limits.MaxName+1): "Options.Prefix has 8193 bytes; it must have 8192 at most",
	} {
		if got := text(limits.Name("Options.Prefix", name)); got != wrong {
			t.Errorf("Name of %d bytes says %q, want %q", len(name), got, wrong)
		}
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
