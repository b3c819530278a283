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
	{name: "hits_total", tier: "process", help: "Look-ups of a cache that found a value: tier process in the transaction or the near cache, tier remote in the backend. More is better; many of tier remote in a cache with evictions ask for a larger size.",
		value: func(s txcache.Stats) float64 { return float64(s.Hits - min(s.Hits, s.RemoteHits)) }},
	{name: "hits_total", tier: "remote", help: "Look-ups of a cache that found a value: tier process in the transaction or the near cache, tier remote in the backend. More is better; many of tier remote in a cache with evictions ask for a larger size.",
		value: func(s txcache.Stats) float64 { return float64(s.RemoteHits) }},
	{name: "misses_total", help: "Look-ups of a cache that found no value, or did not look because the transaction had cleared the cache or it was fenced. Worry when they grow faster than hits: see bypassed reads, evictions and clears.",
		value: func(s txcache.Stats) float64 { return float64(s.Misses) }},
	{name: "absent_hits_total", help: "Look-ups of a cache that found that the database has nothing under the key; each is counted as a hit, too. No reason to worry.",
		value: func(s txcache.Stats) float64 { return float64(s.AbsentHits) }},
	{name: "bypassed_reads_total", help: "Look-ups of a cache that did not look, as the transaction had cleared the cache, it was fenced, or the backend could not be asked; each is counted as a miss, too. Worry when they grow without clears: the backend is away, or fences stand for long.",
		value: func(s txcache.Stats) float64 { return float64(s.Bypassed) }},
	{name: "load_duration_seconds", kind: summary, help: "Calls of loaders of a cache, and the seconds that they took; a call that still runs is counted, its time is not yet. Worry when the mean rises: the database is slow.",
		observed: func(s txcache.Stats) (uint64, float64) { return s.Loads, s.LoadTime.Seconds() }},
	{name: "load_errors_total", help: "Calls of loaders of a cache that returned an error or panicked; what they return for an absent value is none. Worry when they grow: the service cannot load.",
		value: func(s txcache.Stats) float64 { return float64(s.LoadErrors) }},
	{name: "shared_loads_total", help: "Keys of a cache for which a caller took the result of a load that another caller of this process had begun, instead of loading by itself. More is better: the database was asked once.",
		value: func(s txcache.Stats) float64 { return float64(s.Shared) }},
	{name: "leased_loads_total", help: "Keys of a cache that this process loaded while it held their lease, so that other processes waited for it. No reason to worry; it is 0 where no lease is configured.",
		value: func(s txcache.Stats) float64 { return float64(s.Leased) }},
	{name: "waited_loads_total", help: "Keys of a cache that another process loaded under a lease while this process waited for the value. More is better: the database was asked once for several processes.",
		value: func(s txcache.Stats) float64 { return float64(s.Waited) }},
	{name: "early_refreshes_total", help: "Values of a cache that were loaded again in the background before they expired. Worry only if they are most of the loads: the duration is short for the time that a load takes.",
		value: func(s txcache.Stats) float64 { return float64(s.EarlyRefreshes) }},
	{name: "expired_hits_total", help: "Look-ups of a cache that got an expired value because the loader failed and the cache allows that. Worry when there are any: the service cannot load, and shows old values.",
		value: func(s txcache.Stats) float64 { return float64(s.ExpiredHits) }},
	{name: "verified_hits_total", help: "Look-ups of a cache that found a value, and whose loader was run all the same to compare what both say, as CacheOptions.Verify asks. No reason to worry; each costs a load.",
		value: func(s txcache.Stats) float64 { return float64(s.Verified) }},
	{name: "mismatches_total", help: "Values of a cache that were compared with what their loader returns, and differed although no transaction had cleared the cache. Worry when there is one: a change does not clear, and users see old values.",
		value: func(s txcache.Stats) float64 { return float64(s.Mismatches) }},
	{name: "clears_total", help: "Commits of this process that cleared the cache, those that failed included. Worry when they come more often than changes of the data: each costs the database what was cached.",
		value: func(s txcache.Stats) float64 { return float64(s.Clears) }},
	{name: "published_values_total", help: "Values of a cache that became visible to others when a read-write transaction committed. No reason to worry: others do not have to load them.",
		value: func(s txcache.Stats) float64 { return float64(s.Published) }},
	{name: "evictions_total", help: "Values of a cache that the size limit pushed out of this process. Worry when misses grow with them: raise the size.",
		value: func(s txcache.Stats) float64 { return float64(s.Evictions) }},
	{name: "near_values", kind: gauge, help: "Values of a cache in this process now, over all databases; an expired one counts until it is replaced. No reason to worry; it bounds the memory.",
		value: func(s txcache.Stats) float64 { return float64(s.Values) }},
	{name: "remote_errors_total", help: "Calls to the backend for values of a cache that failed; each was a miss, or a value that others have to load. Worry when they grow: see the memory, the rights and the time limits of the server.",
		value: func(s txcache.Stats) float64 { return float64(s.RemoteErrors) }},
	{name: "bad_payloads_total", help: "Values of a cache that the backend had and that could not be decoded; each was a miss, and is overwritten. Worry when there are any: another program writes into this backend, or data is damaged.",
		value: func(s txcache.Stats) float64 { return float64(s.BadPayloads) }},
	{name: "unencodable_values_total", help: "Values of a cache that could not be encoded for the backend and were kept in this process only. Worry when there are any in a cache that processes should share: its type needs an encoding.",
		value: func(s txcache.Stats) float64 { return float64(s.Unencodable) }},
	{name: "overflows_total", help: "Values of a cache that a transaction set beyond overlay_size and did not keep until it ended. Worry when there are any: raise overlay_size, or load less in one transaction.",
		value: func(s txcache.Stats) float64 { return float64(s.Overflows) }},
	{name: "oversized_values_total", help: "Values of a cache that are larger than the backend keeps and were kept in this process only. Worry when there are any in a cache that processes should share: make them smaller, or raise largest_value.",
		value: func(s txcache.Stats) float64 { return float64(s.Oversized) }},
}

// ofStore are the metrics of a store.
var ofStore = []metric[txcache.Status]{
	{name: "stateless_transactions_total", help: "Transactions that began while the backend could not be reached, and so read everything from the database. Worry when they grow: the backend is away, or slower than its time limits.",
		value: func(s txcache.Status) float64 { return float64(s.Stateless) }},
	{name: "fences_total", help: "Commits that placed a fence on what they cleared, as every commit with a clear does. No reason to worry; they grow with the changes of the data.",
		value: func(s txcache.Status) float64 { return float64(s.Fences) }},
	{name: "refused_commits_total", help: "Commits with a clear that were refused before the database committed, because the backend could not be told. Worry when there is one: users see errors.",
		value: func(s txcache.Status) float64 { return float64(s.Refused) }},
	{name: "delayed_clears_total", help: "Clears of commits that took place and that the backend could not be told of at once; they are tried again. Worry when they grow: other processes bypass these caches meanwhile, or read old values with outage commit.",
		value: func(s txcache.Status) float64 { return float64(s.Delayed) }},
	{name: "in_doubt_commits_total", help: "Commits whose outcome the database did not tell, so that what they clear is bypassed by all processes for the lease of a fence. Worry when they grow: connections to the database break.",
		value: func(s txcache.Status) float64 { return float64(s.InDoubt) }},
	{name: "drops_total", help: "Calls of Store.Drop by this process, failed ones included. No reason to worry.",
		value: func(s txcache.Status) float64 { return float64(s.Drops) }},
	{name: "waiting_clears", kind: gauge, help: "Clears of commits that took place and that the backend could not be told of so far. Worry while there are any: bring the backend back before the process ends.",
		value: func(s txcache.Status) float64 { return float64(s.Waiting) }},
	{name: "databases", kind: gauge, help: "Databases, such as tenants, that this process has used and has caches of. Worry only about memory: each has near caches of its own.",
		value: func(s txcache.Status) float64 { return float64(s.Databases) }},
	{name: "staleness_bound_seconds", kind: gauge, help: "Seconds after which a transaction knows at the latest what other processes have committed, as the setting sync says; 0: each asks as it begins. Worry when it is more than the service can bear.",
		value: func(s txcache.Status) float64 { return s.Staleness.Seconds() }},
}

// ofBackend are the metrics of a backend that keeps any.
var ofBackend = []metric[backend.Stats]{
	{name: "backend_round_trips_total", help: "Requests that this process sent to the backend, whatever number of commands each had. Worry when they grow faster than the traffic.",
		value: func(s backend.Stats) float64 { return float64(s.RoundTrips) }},
	{name: "backend_commands_total", help: "Commands that this process sent to the backend, in requests of one or more. No reason to worry; they grow with the values that are read and written.",
		value: func(s backend.Stats) float64 { return float64(s.Commands) }},
	{name: "backend_failures_total", help: "Requests to the backend that were not served: no connection, no answer in time, or a server that cannot serve now. Worry when they grow: look at the server, the network and the time limits.",
		value: func(s backend.Stats) float64 { return float64(s.Failures) }},
	{name: "backend_sync_duration_seconds", kind: summary, help: "Requests to the backend for the state of a database, and the seconds that they took; one may serve several transactions that begin together. Worry when the mean rises: each of these waits for it.",
		observed: func(s backend.Stats) (uint64, float64) { return s.Syncs, s.SyncTime.Seconds() }},
	{name: "backend_removed_values_total", help: "Values that this process removed from the backend because their database was dropped or their cache was cleared. No reason to worry.",
		value: func(s backend.Stats) float64 { return float64(s.Removed) }},
	{name: "backend_garbage_values", kind: gauge, help: "Values of cleared caches that are still in the backend and wait to be removed or to expire, about. Worry only if the backend runs out of memory.",
		value: func(s backend.Stats) float64 { return float64(s.Garbage) }},
	{name: "backend_breaker_open", kind: gauge, help: "1 while the backend does not answer and calls to it are refused at once, else 0. Worry while it is 1: every read goes to the database, and commits with a clear are refused unless outage is commit.",
		value: func(s backend.Stats) float64 { return truth(s.Open) }},
	{name: "backend_listening", kind: gauge, help: "1 while the backend announces clears to this process and none was missed, else 0; always 0 unless sync is channel. Worry when it falls to 0 with that setting: each transaction asks as it begins.",
		value: func(s backend.Stats) float64 { return truth(s.Listening) }},
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
