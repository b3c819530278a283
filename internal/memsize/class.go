// Package memsize estimates how much memory of the heap a value keeps.
//
// It counts what the value refers to as if nothing else did: what two values share counts
// twice. It is for budgets, not for accountants: docs/memory.md says how far off it is.
package memsize

// Class returns about how many bytes the allocator takes for an object of n bytes: it keeps sizes
// that are at most an eighth apart (runtime/sizeclasses.go).
func Class(n int) int {
	switch {
	case n <= 0:
		return 0
	case n <= 32:
		return (n + 7) &^ 7
	case n <= 256:
		return (n + 15) &^ 15
	}
	step := 32
	for n > 8*step {
		step *= 2
	}
	return (n + step - 1) &^ (step - 1)
}
