package subject_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/seed-dad15c92/txcache/internal/history"
	"github.com/seed-dad15c92/txcache/internal/history/subject"
)

func TestTry(t *testing.T) {
	seed, _ := strconv.ParseUint(os.Getenv("SEED"), 10, 64)
	steps, _ := strconv.Atoi(os.Getenv("STEPS"))
	w := history.World{Kept: os.Getenv("KEPT") != ""}
	d := history.Interleave
	if os.Getenv("RACE") != "" {
		d = history.Race
	}
	open := subject.Memory()
	switch os.Getenv("OPEN") {
	case "values":
		open, _ = subject.Faulty(true, true)
	case "remote":
		open, _ = subject.Faulty(true, false)
	}
	r, err := history.Check(t.Context(), open, history.Options{Seed: seed, Steps: steps, World: w, Driver: d, Count: os.Getenv("COUNT") != ""})
	fmt.Println(r, r.Demanded, r.Violations)
	if err != nil {
		t.Fatal(err)
	}
}
