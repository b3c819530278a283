// Package spelling finds the name that was probably meant by a misspelt one.
package spelling

import "strings"

// Nearest returns the one of names that differs from name in case or spelling only, or
// "".
func Nearest(name string, names []string) string {
	best, least := "", 1+min(2, len(name)/3)
	for _, other := range names {
		if other == name { // it is not misspelt
			continue
		}
		if strings.EqualFold(name, other) {
			return other
		}
		if n := distance(name, other); n < least {
			best, least = other, n
		}
	}
	return best
}

// distance counts the bytes to insert, delete, replace or swap with their
// neighbour to make b of a (optimal string alignment).
func distance(a, b string) int {
	before, last, this := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		this[0] = i + 1
		for j := range len(b) {
			replaced := last[j]
			if a[i] != b[j] {
				replaced++
			}
			this[j+1] = min(last[j+1]+1, this[j]+1, replaced)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				this[j+1] = min(this[j+1], before[j-1]+1)
			}
		}
		before, last, this = last, this, before
	}
	return last[len(b)]
}
