package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A guard is something that the code does so that a promise holds.
type guard struct {
	name    string
	keeps   string // the promise, P1 to P13, or "operators" for what they rely on
	without string // what goes wrong where the guard is missing

	file string // from the root of the module
	text string // the guard; it is in file exactly once
	gone string // what is there instead where the guard is missing

	// by are the tests that must fail then, by name, each of its subtests after a
	// slash and each test after a bar, as in "TestA|TestB/sub".
	by string
	in string // the package they are in, if other packages have tests of these names

	quick bool // whether it is removed with -quick
}

// all returns every guard.
func all() []guard {
	return slices.Concat(
		transactionGuards, deleteGuards, enlistedGuards, sharedTransactionGuards, commitGuards, doubtGuards, outageGuards, generationGuards, budgetGuards, loadGuards, lifetimeGuards, lifeGuards, behindGuards,
		nestedLoadGuards, remoteGuards, pieceGuards, misuseGuards, keyGuards, payloadGuards, roundTripGuards, nearGuards, memoryGuards,
		bulkGuards, syncGuards, memberGuards, markGuards, logGuards, channelGuards, connectionGuards, scriptGuards, layoutGuards, sqlGuards, boundGuards,
		clockGuards, operatorGuards, tableGuards, pageGuards, backendDeleteGuards, sqlBackendGuards,
	)
}

// removed returns the content of the guard's file without the guard.
func (g *guard) removed(root string) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(g.file)))
	if err != nil {
		return nil, fmt.Errorf("guard %q: %w; the list must be brought up to date", g.name, err)
	}
	source := string(data)
	if n := strings.Count(source, g.text); n != 1 {
		return nil, fmt.Errorf("guard %q: its text is in %s %d times, not once; the list must be brought up to date:\n%s", g.name, g.file, n, g.text)
	}
	return []byte(strings.Replace(source, g.text, g.gone, 1)), nil
}

// pattern returns what go test -run takes for tests, as in guard.by.
func pattern(tests string) string {
	var alternatives []string
	for test := range strings.SplitSeq(tests, "|") {
		parts := strings.Split(test, "/")
		for i, part := range parts {
			parts[i] = "^" + part + "$"
		}
		alternatives = append(alternatives, strings.Join(parts, "/"))
	}
	return strings.Join(alternatives, "|")
}
