package cause_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/seed-dad15c92/txcache/internal/cause"
)

func TestThePrefixIsLeftOut(t *testing.T) {
	inner := fmt.Errorf("txcache: redis: %w", io.EOF)
	for want, err := range map[string]error{
		"redis: EOF":                 inner,
		"a: redis: EOF":              fmt.Errorf("a: %w", inner),
		"a: b: redis: EOF":           fmt.Errorf("txcache: a: %w", fmt.Errorf("txcache: b: %w", inner)),
		"redis: EOF\nredis: EOF":     errors.Join(inner, inner),
		`the name "txcache: a": EOF`: fmt.Errorf("the name %q: %w", "txcache: a", io.EOF),
		"EOF":                        io.EOF,
	} {
		got := cause.Of(err)
		if got.Error() != want || !errors.Is(got, io.EOF) {
			t.Errorf("%q became %q; want %q", err, got, want)
		}
	}
	if cause.Of(nil) != nil {
		t.Error("no error has a cause")
	}
}
