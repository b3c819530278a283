// Package measure compares two ways of doing the same work on a machine that
// has other things to do too.
//
// The two sides of a [Pair] take turns in short slices of time, a round being
// one slice of each. Who is first changes with every round, and the garbage
// collector runs before every slice, so that neither pays for the other. What
// disturbs the machine for longer than a slice strikes both sides of a round
// alike: the ratio of a round is worth more than its times. Reported are the
// median of the ratios, and their quartiles as the spread.
//
// A slice runs the work in loops of a fixed number of repetitions, so that
// looking at the clock costs nothing that shows; time for an operation is the
// wall time of the slice by the operations of all goroutines. Both sides are open
// at the same time, and both have been run for at least a slice before the first
// round.
package measure
