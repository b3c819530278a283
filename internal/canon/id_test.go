package canon_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache/internal/canon"
)

// Contexts of any length have IDs and texts of their own, and the same ones each
// time.
func TestIDsOfContextsOfAnyLength(t *testing.T) {
	ids, texts := map[canon.ID]int{}, map[string]int{}
	for round := range 2 {
		for n := range 3000 { // more than are remembered
			c := new(canon.Context).WithUser(fmt.Sprint(n) + strings.Repeat("x", n%600))
			id, ok := c.ID(nil)
			if !ok || len(id.Text()) != 43 {
				t.Fatalf("context %d: ID %v, text %q", n, ok, id.Text())
			}
			if other, known := ids[id]; known != (round == 1) || other != n && known {
				t.Fatalf("contexts %d and %d: same ID: %v", n, other, known)
			}
			if other, known := texts[id.Text()]; known != (round == 1) || other != n && known {
				t.Fatalf("contexts %d and %d: same text: %v", n, other, known)
			}
			ids[id], texts[id.Text()] = n, n
		}
	}
}
