// Package near is the bounded concurrent map of one generation of one cache.
//
// It is made for being there a hundred thousand times, most of them nearly
// empty, and for being read far more often than written: a hit takes no lock
// and writes nothing that other processors read, but for a small counter the
// first times. Expired values need no goroutine; they make room before others.
// What is evicted, and why so, is measured in docs/eviction.md.
package near
