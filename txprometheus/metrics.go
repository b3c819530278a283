package txprometheus

import (
	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
)

// A metric is one of the values of an S.
type metric[S any] struct {
	name, help string
	kind       kind
	tier       string                    // the value of the label, if it has it
	value      func(S) float64           // of a counter or gauge
	observed   func(S) (uint64, float64) // of a summary: the number of observations, and their sum
}

type kind int

const (
	counter kind = iota
	gauge
	summary
)

// ofCache are the metrics of single caches.
var ofCache = []metric[txcache.Stats]{
	{name: "hits_total", tier: "process", help: "Values found, in the process (the transaction or the near cache) or in the remote backend.",
		value: func(s txcache.Stats) float64 { return float64(s.Hits - min(s.Hits, s.RemoteHits)) }},
	{name: "hits_total", tier: "remote", help: "Values found, in the process (the transaction or the near cache) or in the remote backend.",
		value: func(s txcache.Stats) float64 { return float64(s.RemoteHits) }},
	{name: "misses_total", help: "Values not found, or not looked for because the cache was private or fenced.",
		value: func(s txcache.Stats) float64 { return float64(s.Misses) }},
	{name: "absent_hits_total", help: "Those hits that found that the database has nothing there.",
		value: func(s txcache.Stats) float64 { return float64(s.AbsentHits) }},
	{name: "bypassed_reads_total", help: "Those misses that did not look: the cache was private or fenced, or could not be asked.",
		value: func(s txcache.Stats) float64 { return float64(s.Bypassed) }},
	{name: "load_duration_seconds", kind: summary, help: "Calls of loaders and the time that they took; those that run are counted, their time is not yet.",
		observed: func(s txcache.Stats) (uint64, float64) { return s.Loads, s.LoadTime.Seconds() }},
	{name: "load_errors_total", help: "Calls of loaders that failed.",
		value: func(s txcache.Stats) float64 { return float64(s.LoadErrors) }},
	{name: "shared_loads_total", help: "Keys that were loaded for another caller of the process at the same time.",
		value: func(s txcache.Stats) float64 { return float64(s.Shared) }},
	{name: "leased_loads_total", help: "Keys that were loaded under a lease.",
		value: func(s txcache.Stats) float64 { return float64(s.Leased) }},
	{name: "waited_loads_total", help: "Keys that another process loaded while this one waited.",
		value: func(s txcache.Stats) float64 { return float64(s.Waited) }},
	{name: "early_refreshes_total", help: "Values loaded again in the background before they expired.",
		value: func(s txcache.Stats) float64 { return float64(s.EarlyRefreshes) }},
	{name: "expired_hits_total", help: "Expired values returned because their loader failed.",
		value: func(s txcache.Stats) float64 { return float64(s.ExpiredHits) }},
	{name: "verified_hits_total", help: "Hits compared with what their loader returned.",
		value: func(s txcache.Stats) float64 { return float64(s.Verified) }},
	{name: "mismatches_total", help: "Verified hits whose loader returned something else although nobody had cleared the cache.",
		value: func(s txcache.Stats) float64 { return float64(s.Mismatches) }},
	{name: "clears_total", help: "Commits that cleared the cache, those that failed included.",
		value: func(s txcache.Stats) float64 { return float64(s.Clears) }},
	{name: "published_values_total", help: "Values that commits of read-write transactions made visible.",
		value: func(s txcache.Stats) float64 { return float64(s.Published) }},
	{name: "evictions_total", help: "Values pushed out by the size limit.",
		value: func(s txcache.Stats) float64 { return float64(s.Evictions) }},
	{name: "near_values", kind: gauge, help: "Values in the process now; expired ones count until they are replaced.",
		value: func(s txcache.Stats) float64 { return float64(s.Values) }},
	{name: "remote_errors_total", help: "Failed calls to the backend for values.",
		value: func(s txcache.Stats) float64 { return float64(s.RemoteErrors) }},
	{name: "bad_payloads_total", help: "Remote values that could not be decoded.",
		value: func(s txcache.Stats) float64 { return float64(s.BadPayloads) }},
	{name: "unencodable_values_total", help: "Values that could not be encoded and were kept in the process only.",
		value: func(s txcache.Stats) float64 { return float64(s.Unencodable) }},
	{name: "oversized_values_total", help: "Values that are larger than the backend keeps and were kept in the process only.",
		value: func(s txcache.Stats) float64 { return float64(s.Oversized) }},
}

// ofStore are the metrics of a store.
var ofStore = []metric[txcache.Status]{
	{name: "stateless_transactions_total", help: "Transactions that began while the backend could not be reached and bypassed every cache.",
		value: func(s txcache.Status) float64 { return float64(s.Stateless) }},
	{name: "fences_total", help: "Commits that fenced what they cleared.",
		value: func(s txcache.Status) float64 { return float64(s.Fences) }},
	{name: "refused_commits_total", help: "Commits that were not run because the backend could not be told of their clears.",
		value: func(s txcache.Status) float64 { return float64(s.Refused) }},
	{name: "delayed_clears_total", help: "Clears that the backend could not be told of at once.",
		value: func(s txcache.Status) float64 { return float64(s.Delayed) }},
	{name: "in_doubt_commits_total", help: "Commits of unknown outcome, whose caches stayed fenced for a lease.",
		value: func(s txcache.Status) float64 { return float64(s.InDoubt) }},
	{name: "drops_total", help: "Databases dropped, failed attempts included.",
		value: func(s txcache.Status) float64 { return float64(s.Drops) }},
	{name: "waiting_clears", kind: gauge, help: "Committed clears that the backend could not be told of yet.",
		value: func(s txcache.Status) float64 { return float64(s.Waiting) }},
	{name: "databases", kind: gauge, help: "Databases that the process has used.",
		value: func(s txcache.Status) float64 { return float64(s.Databases) }},
	{name: "staleness_bound_seconds", kind: gauge, help: "How late a transaction may learn what other processes commit; 0: it knows as it begins.",
		value: func(s txcache.Status) float64 { return s.Staleness.Seconds() }},
}

// ofBackend are the metrics of a backend that keeps any.
var ofBackend = []metric[backend.Stats]{
	{name: "backend_round_trips_total", help: "Requests sent, whatever their number of commands.",
		value: func(s backend.Stats) float64 { return float64(s.RoundTrips) }},
	{name: "backend_commands_total", help: "Commands sent.",
		value: func(s backend.Stats) float64 { return float64(s.Commands) }},
	{name: "backend_failures_total", help: "Requests that were not served.",
		value: func(s backend.Stats) float64 { return float64(s.Failures) }},
	{name: "backend_sync_duration_seconds", kind: summary, help: "Requests for the state of a database and the time that they took; one may serve several begins.",
		observed: func(s backend.Stats) (uint64, float64) { return s.Syncs, s.SyncTime.Seconds() }},
	{name: "backend_removed_values_total", help: "Values removed because their database was dropped or their generation is over.",
		value: func(s backend.Stats) float64 { return float64(s.Removed) }},
	{name: "backend_garbage_values", kind: gauge, help: "Values of generations that are over, about, which are still there.",
		value: func(s backend.Stats) float64 { return float64(s.Garbage) }},
	{name: "backend_breaker_open", kind: gauge, help: "1 while the authority does not answer and calls are refused at once.",
		value: func(s backend.Stats) float64 { return truth(s.Open) }},
	{name: "backend_listening", kind: gauge, help: "1 while changes are announced and none was missed; always 0 unless sync is channel.",
		value: func(s backend.Stats) float64 { return truth(s.Listening) }},
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
