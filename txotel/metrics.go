package txotel

import (
	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
)

// A measure is one of the values of an S. One of its functions is not nil.
type measure[S any] struct {
	name, unit, help string
	tier             string          // the value of the attribute, if it has it
	counter          func(S) uint64  // what only rises
	seconds          func(S) float64 // the same, in seconds
	amount           func(S) int64   // what rises and falls, and can be summed over processes
	state            func(S) float64 // what cannot be summed
}

// ofCache are the metrics of single caches.
var ofCache = []measure[txcache.Stats]{
	{name: "txcache.hits", unit: "{hit}", tier: "process", help: "Values found, in the process (the transaction or the near cache) or in the remote backend.",
		counter: func(s txcache.Stats) uint64 { return s.Hits - min(s.Hits, s.RemoteHits) }},
	{name: "txcache.hits", unit: "{hit}", tier: "remote", help: "Values found, in the process (the transaction or the near cache) or in the remote backend.",
		counter: func(s txcache.Stats) uint64 { return s.RemoteHits }},
	{name: "txcache.misses", unit: "{miss}", help: "Values not found, or not looked for because the cache was private or fenced.",
		counter: func(s txcache.Stats) uint64 { return s.Misses }},
	{name: "txcache.absent_hits", unit: "{hit}", help: "Those hits that found that the database has nothing there.",
		counter: func(s txcache.Stats) uint64 { return s.AbsentHits }},
	{name: "txcache.bypassed_reads", unit: "{read}", help: "Those misses that did not look: the cache was private or fenced, or could not be asked.",
		counter: func(s txcache.Stats) uint64 { return s.Bypassed }},
	{name: "txcache.loads", unit: "{load}", help: "Calls of loaders.",
		counter: func(s txcache.Stats) uint64 { return s.Loads }},
	{name: "txcache.load.time", unit: "s", help: "Time that calls of loaders took together.",
		seconds: func(s txcache.Stats) float64 { return s.LoadTime.Seconds() }},
	{name: "txcache.load.errors", unit: "{error}", help: "Calls of loaders that failed.",
		counter: func(s txcache.Stats) uint64 { return s.LoadErrors }},
	{name: "txcache.shared_loads", unit: "{key}", help: "Keys that were loaded for another caller of the process at the same time.",
		counter: func(s txcache.Stats) uint64 { return s.Shared }},
	{name: "txcache.leased_loads", unit: "{key}", help: "Keys that were loaded under a lease.",
		counter: func(s txcache.Stats) uint64 { return s.Leased }},
	{name: "txcache.waited_loads", unit: "{key}", help: "Keys that another process loaded while this one waited.",
		counter: func(s txcache.Stats) uint64 { return s.Waited }},
	{name: "txcache.early_refreshes", unit: "{refresh}", help: "Values loaded again in the background before they expired.",
		counter: func(s txcache.Stats) uint64 { return s.EarlyRefreshes }},
	{name: "txcache.expired_hits", unit: "{hit}", help: "Expired values returned because their loader failed.",
		counter: func(s txcache.Stats) uint64 { return s.ExpiredHits }},
	{name: "txcache.verified_hits", unit: "{hit}", help: "Hits compared with what their loader returned.",
		counter: func(s txcache.Stats) uint64 { return s.Verified }},
	{name: "txcache.mismatches", unit: "{mismatch}", help: "Verified hits whose loader returned something else although nobody had cleared the cache.",
		counter: func(s txcache.Stats) uint64 { return s.Mismatches }},
	{name: "txcache.clears", unit: "{clear}", help: "Commits that cleared the cache, those that failed included.",
		counter: func(s txcache.Stats) uint64 { return s.Clears }},
	{name: "txcache.published_values", unit: "{value}", help: "Values that commits of read-write transactions made visible.",
		counter: func(s txcache.Stats) uint64 { return s.Published }},
	{name: "txcache.evictions", unit: "{eviction}", help: "Values pushed out by the size limit.",
		counter: func(s txcache.Stats) uint64 { return s.Evictions }},
	{name: "txcache.near_values", unit: "{value}", help: "Values in the process now; expired ones count until they are replaced.",
		amount: func(s txcache.Stats) int64 { return int64(s.Values) }},
	{name: "txcache.remote_errors", unit: "{error}", help: "Failed calls to the backend for values.",
		counter: func(s txcache.Stats) uint64 { return s.RemoteErrors }},
	{name: "txcache.bad_payloads", unit: "{payload}", help: "Remote values that could not be decoded.",
		counter: func(s txcache.Stats) uint64 { return s.BadPayloads }},
	{name: "txcache.unencodable_values", unit: "{value}", help: "Values that could not be encoded and were kept in the process only.",
		counter: func(s txcache.Stats) uint64 { return s.Unencodable }},
	{name: "txcache.oversized_values", unit: "{value}", help: "Values that are larger than the backend keeps and were kept in the process only.",
		counter: func(s txcache.Stats) uint64 { return s.Oversized }},
}

// ofStore are the metrics of a store.
var ofStore = []measure[txcache.Status]{
	{name: "txcache.stateless_transactions", unit: "{transaction}", help: "Transactions that began while the backend could not be reached and bypassed every cache.",
		counter: func(s txcache.Status) uint64 { return s.Stateless }},
	{name: "txcache.fences", unit: "{fence}", help: "Commits that fenced what they cleared.",
		counter: func(s txcache.Status) uint64 { return s.Fences }},
	{name: "txcache.refused_commits", unit: "{commit}", help: "Commits that were not run because the backend could not be told of their clears.",
		counter: func(s txcache.Status) uint64 { return s.Refused }},
	{name: "txcache.delayed_clears", unit: "{clear}", help: "Clears that the backend could not be told of at once.",
		counter: func(s txcache.Status) uint64 { return s.Delayed }},
	{name: "txcache.in_doubt_commits", unit: "{commit}", help: "Commits of unknown outcome, whose caches stayed fenced for a lease.",
		counter: func(s txcache.Status) uint64 { return s.InDoubt }},
	{name: "txcache.drops", unit: "{drop}", help: "Databases dropped, failed attempts included.",
		counter: func(s txcache.Status) uint64 { return s.Drops }},
	{name: "txcache.waiting_clears", unit: "{clear}", help: "Committed clears that the backend could not be told of yet.",
		amount: func(s txcache.Status) int64 { return int64(s.Waiting) }},
	{name: "txcache.databases", unit: "{database}", help: "Databases that the process has used.",
		amount: func(s txcache.Status) int64 { return int64(s.Databases) }},
	{name: "txcache.staleness_bound", unit: "s", help: "How late a transaction may learn what other processes commit; 0: it knows as it begins.",
		state: func(s txcache.Status) float64 { return s.Staleness.Seconds() }},
}

// ofBackend are the metrics of a backend that keeps any.
var ofBackend = []measure[backend.Stats]{
	{name: "txcache.backend.round_trips", unit: "{request}", help: "Requests sent, whatever their number of commands.",
		counter: func(s backend.Stats) uint64 { return s.RoundTrips }},
	{name: "txcache.backend.commands", unit: "{command}", help: "Commands sent.",
		counter: func(s backend.Stats) uint64 { return s.Commands }},
	{name: "txcache.backend.failures", unit: "{request}", help: "Requests that were not served.",
		counter: func(s backend.Stats) uint64 { return s.Failures }},
	{name: "txcache.backend.syncs", unit: "{request}", help: "Requests for the state of a database; one may serve several begins.",
		counter: func(s backend.Stats) uint64 { return s.Syncs }},
	{name: "txcache.backend.sync.time", unit: "s", help: "Time that requests for the state of a database took together.",
		seconds: func(s backend.Stats) float64 { return s.SyncTime.Seconds() }},
	{name: "txcache.backend.removed_values", unit: "{value}", help: "Values removed because their database was dropped or their generation is over.",
		counter: func(s backend.Stats) uint64 { return s.Removed }},
	{name: "txcache.backend.garbage_values", unit: "{value}", help: "Values of generations that are over, about, which are still there.",
		amount: func(s backend.Stats) int64 { return s.Garbage }},
	{name: "txcache.backend.breaker_open", unit: "1", help: "1 while the authority does not answer and calls are refused at once.",
		state: func(s backend.Stats) float64 { return truth(s.Open) }},
	{name: "txcache.backend.listening", unit: "1", help: "1 while changes are announced and none was missed; always 0 unless sync is channel.",
		state: func(s backend.Stats) float64 { return truth(s.Listening) }},
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
