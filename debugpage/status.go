package debugpage

import "github.com/seed-dad15c92/txcache"

// A status is how the store gets along with its backend.
type status struct {
	Stateless        uint64         `json:"stateless"`
	Fences           uint64         `json:"fences"`
	Refused          uint64         `json:"refused"`
	Delayed          uint64         `json:"delayed"`
	InDoubt          uint64         `json:"in_doubt"`
	Drops            uint64         `json:"drops"`
	CommitSeconds    float64        `json:"commit_seconds"`
	P99CommitSeconds *float64       `json:"p99_commit_seconds"`
	Waiting          int            `json:"waiting"`
	Left             uint64         `json:"left"`
	Memory           int64          `json:"memory"`
	MemoryMax        int64          `json:"memory_max"`
	StalenessSeconds float64        `json:"staleness_seconds"`
	Backend          *backendStatus `json:"backend"`
}

type backendStatus struct {
	RoundTrips      uint64   `json:"round_trips"`
	Commands        uint64   `json:"commands"`
	Failures        uint64   `json:"failures"`
	Syncs           uint64   `json:"syncs"`
	SyncSeconds     float64  `json:"sync_seconds"`
	MeanSyncSeconds *float64 `json:"mean_sync_seconds"`
	P99SyncSeconds  *float64 `json:"p99_sync_seconds"`
	Waits           uint64   `json:"waits"`
	WaitSeconds     float64  `json:"wait_seconds"`
	P99WaitSeconds  *float64 `json:"p99_wait_seconds"`
	LateWaits       uint64   `json:"late_waits"`
	WaitedOut       uint64   `json:"waited_out"`
	Terms           int      `json:"terms"`
	Removed         uint64   `json:"removed"`
	Garbage         int64    `json:"garbage"`
	BreakerOpen     bool     `json:"breaker_open"`
	Announced       bool     `json:"announced"`
	Listening       bool     `json:"listening"`
}

func newStatus(s txcache.Status) status {
	st := status{
		Stateless:        s.Stateless,
		Fences:           s.Fences,
		Refused:          s.Refused,
		Delayed:          s.Delayed,
		InDoubt:          s.InDoubt,
		Drops:            s.Drops,
		CommitSeconds:    s.CommitTime.Seconds(),
		P99CommitSeconds: p99(s.CommitDurations),
		Waiting:          s.Waiting,
		Left:             s.Left,
		Memory:           s.Memory,
		MemoryMax:        s.MemoryMax,
		StalenessSeconds: s.Staleness.Seconds(),
	}
	if b := s.Backend; b != nil {
		st.Backend = &backendStatus{
			RoundTrips:  b.RoundTrips,
			Commands:    b.Commands,
			Failures:    b.Failures,
			Syncs:       b.Syncs,
			SyncSeconds: b.SyncTime.Seconds(),
			Waits:       b.Waits,
			WaitSeconds: b.WaitTime.Seconds(),
			LateWaits:   b.LateWaits,
			WaitedOut:   b.WaitedOut,
			Terms:       b.Terms,
			Removed:     b.Removed,
			Garbage:     b.Garbage,
			BreakerOpen: b.Open,
			Announced:   b.Staleness > 0 || b.Listening,
			Listening:   b.Listening,

			P99SyncSeconds: p99(b.SyncDurations),
			P99WaitSeconds: p99(b.WaitDurations),
		}
		if b.Syncs > 0 {
			mean := b.SyncTime.Seconds() / float64(b.Syncs)
			st.Backend.MeanSyncSeconds = &mean
		}
	}
	return st
}

// A verdict is how it is going.
type verdict struct {
	State   string // in a word or two
	Follows string // what that means for those who use the service, "" where all is well
	Tone    string // how to colour it: "bad", "warn" or "good"
}

// Verdict says how it is going.
func (s status) Verdict() verdict {
	switch b := s.Backend; {
	case b != nil && b.BreakerOpen:
		return verdict{"Out of reach", "Transactions read the database. Commits that clear are refused, or with outage = \"commit\" announced later.", "bad"}
	case s.Waiting > 0:
		return verdict{"Clears wait", "Others have not learnt of these commits. Do not end the process before they have.", "bad"}
	case b != nil && b.Announced && !b.Listening:
		return verdict{"Not listening", "Each transaction asks the backend as it begins, and waits for the answer.", "warn"}
	case b != nil:
		return verdict{"In reach", "", "good"}
	default:
		return verdict{"No counts", "", "good"}
	}
}
