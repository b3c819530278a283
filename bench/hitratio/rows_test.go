package hitratio

import (
	"strings"
	"testing"
)

func TestRowsAreOfAllPoliciesAndGrowWithTheSize(t *testing.T) {
	rows, err := Rows(2, "small")
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 7 {
		t.Fatalf("%d rows, want one for each of 7 sizes", len(rows))
	}
	for i, name := range Policies() {
		last := 0.0
		for _, r := range rows {
			if ratio := r.Ratios[i]; ratio <= last-0.5 || ratio > 100 {
				t.Errorf("%s has %.1f %% at size %d, after %.1f %% at the size before", name, ratio, r.Size, last)
			}
			last = r.Ratios[i]
		}
		if last < 50 {
			t.Errorf("%s has %.1f %% with a third of the keys; want more than half", name, last)
		}
	}
	var b strings.Builder
	if err := Write(&b, rows); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(b.String(), "\n"); lines != len(rows)+3 {
		t.Errorf("%d lines, want a head of two, a row each and the mean:\n%s", lines, b.String())
	}
}

func TestTheColumnsThatAreComparedAreThose(t *testing.T) {
	if names := Policies(); names[Near] != "near" || names[Otter] != "otter" {
		t.Errorf("%s and %s are compared; want near and otter", names[Near], names[Otter])
	}
}

// TestNearIsNotFarBelowOtter is about loops alone, as all rows take too long.
func TestNearIsNotFarBelowOtter(t *testing.T) {
	rows, err := Rows(1, "loop")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if d := r.Ratios[Near] - r.Ratios[Otter]; d < -2.5 {
			t.Errorf("%s, size %d: %.1f points from otter", r.Trace, r.Size, d)
		}
	}
}
