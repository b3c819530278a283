package debugpage

import "github.com/seed-dad15c92/txcache/backend"

// p99 returns the seconds that 99 of 100 operations took at most, nil if there were none
// or if more than one of 100 took longer than what is told apart.
func p99(d backend.Durations) *float64 {
	rest := d.Total() / 100 // may take longer
	if d.Total() == 0 || d[len(d)-1] > rest {
		return nil
	}
	i := len(d) - 1
	for n := d[i]; n <= rest; n += d[i] {
		i--
	}
	seconds := backend.DurationBound(i).Seconds()
	return &seconds
}
