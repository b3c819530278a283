package config

import "time"

// Sync says how a server learns of the clears of the others: SyncBegin,
// SyncLease, SyncChannel, or a duration such as "5m": caches are then at most that stale.
type Sync string

const (
	// SyncBegin makes sure of the state at the begin of each transaction.
	SyncBegin Sync = "begin"

	// SyncLease is as exact as SyncBegin, and makes sure of the state but once in a
	// while: a server that clears waits until no other uses an earlier state.
	SyncLease Sync = "lease"

	// SyncChannel listens to the clears of the others.
	SyncChannel Sync = "channel"
)

// Every returns the duration that s is, or 0 if it is none.
func (s Sync) Every() time.Duration {
	d, err := time.ParseDuration(string(s))
	if err != nil || d < 0 {
		return 0
	}
	return d
}

// Outage says what becomes of a commit whose clear cannot be announced.
type Outage string

const (
	// OutageRefuse fails before the database commits.
	OutageRefuse Outage = "refuse"

	// OutageCommit commits, and announces the clear when it can.
	OutageCommit Outage = "commit"
)
