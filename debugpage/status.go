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
	Waiting          int            `json:"waiting"`
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
		Waiting:          s.Waiting,
		StalenessSeconds: s.Staleness.Seconds(),
	}
	if b := s.Backend; b != nil {
		st.Backend = &backendStatus{
			RoundTrips:  b.RoundTrips,
			Commands:    b.Commands,
			Failures:    b.Failures,
			Syncs:       b.Syncs,
			SyncSeconds: b.SyncTime.Seconds(),
			Removed:     b.Removed,
			Garbage:     b.Garbage,
			BreakerOpen: b.Open,
			Announced:   b.Staleness > 0 || b.Listening,
			Listening:   b.Listening,
		}
		if b.Syncs > 0 {
			mean := b.SyncTime.Seconds() / float64(b.Syncs)
			st.Backend.MeanSyncSeconds = &mean
		}
	}
	return st
}

// State says in a word or two how it is going, and Tone how to colour that.
func (s status) State() string {
	switch {
	case s.Backend != nil && s.Backend.BreakerOpen:
		return "Out of reach"
	case s.Waiting > 0:
		return "Clears wait"
	case s.Backend != nil && s.Backend.Announced && !s.Backend.Listening:
		return "Not listening"
	case s.Backend != nil:
		return "In reach"
	default:
		return "No counts"
	}
}

// Follows says what State means for those who use the service, "" where all is well.
func (s status) Follows() string {
	switch {
	case s.Backend != nil && s.Backend.BreakerOpen:
		return "Transactions read the database. Commits that clear are refused, or with outage = \"commit\" announced later."
	case s.Waiting > 0:
		return "Others have not learnt of these commits. Do not end the process before they have."
	case s.Backend != nil && s.Backend.Announced && !s.Backend.Listening:
		return "Each transaction asks the backend as it begins, and waits for the answer."
	}
	return ""
}

// Tone is "bad", "warn" or "good".
func (s status) Tone() string {
	switch {
	case s.Backend != nil && s.Backend.BreakerOpen || s.Waiting > 0:
		return "bad"
	case s.Backend != nil && s.Backend.Announced && !s.Backend.Listening:
		return "warn"
	default:
		return "good"
	}
}
