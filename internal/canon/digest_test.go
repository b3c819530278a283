package canon_test

import (
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache/internal/canon"
)

// A key that reads like the digest of another one is not taken for that.
func TestADigestIsNoText(t *testing.T) {
	keys, err := canon.NewKeys[string]()
	if err != nil {
		t.Fatal(err)
	}
	digested := keys.Text(strings.Repeat("long", 100))
	for i := range digested {
		if text := keys.Text(digested[i:]); text == digested {
			t.Errorf("key %q has the text of a long one", digested[i:])
		}
	}
}
