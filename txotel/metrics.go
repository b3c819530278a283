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
	{name: "txcache.hits", unit: "{hit}", tier: "process", help: "Look-ups of a cache that found a value: tier process in the transaction or the near cache, tier remote in the backend. More is better; many of tier remote in a cache with evictions ask for a larger size.",
		counter: func(s txcache.Stats) uint64 { return s.Hits - min(s.Hits, s.RemoteHits) }},
	{name: "txcache.hits", unit: "{hit}", tier: "remote", help: "Look-ups of a cache that found a value: tier process in the transaction or the near cache, tier remote in the backend. More is better; many of tier remote in a cache with evictions ask for a larger size.",
		counter: func(s txcache.Stats) uint64 { return s.RemoteHits }},
	{name: "txcache.misses", unit: "{miss}", help: "Look-ups of a cache that found no value, or did not look because the transaction had cleared the cache or it was fenced. Worry when they grow faster than hits: see bypassed reads, evictions and clears.",
		counter: func(s txcache.Stats) uint64 { return s.Misses }},
	{name: "txcache.absent_hits", unit: "{hit}", help: "Look-ups of a cache that found that the database has nothing under the key; each is counted as a hit, too. No reason to worry.",
		counter: func(s txcache.Stats) uint64 { return s.AbsentHits }},
	{name: "txcache.bypassed_reads", unit: "{read}", help: "Look-ups of a cache that did not look, as the transaction had cleared the cache, it was fenced, or the backend could not be asked; each is counted as a miss, too. Worry when they grow without clears: the backend is away, or fences stand for long.",
		counter: func(s txcache.Stats) uint64 { return s.Bypassed }},
	{name: "txcache.loads", unit: "{load}", help: "Calls of loaders of a cache, each of which asks the database. Worry when they grow faster than the traffic.",
		counter: func(s txcache.Stats) uint64 { return s.Loads }},
	{name: "txcache.load.time", unit: "s", help: "Seconds that the calls of loaders of a cache took together; divided by the loads it is the mean. Worry when that rises: the database is slow.",
		seconds: func(s txcache.Stats) float64 { return s.LoadTime.Seconds() }},
	{name: "txcache.load.errors", unit: "{error}", help: "Calls of loaders of a cache that returned an error or panicked; what they return for an absent value is none. Worry when they grow: the service cannot load.",
		counter: func(s txcache.Stats) uint64 { return s.LoadErrors }},
	{name: "txcache.shared_loads", unit: "{key}", help: "Keys of a cache for which a caller took the result of a load that another caller of this process had begun, instead of loading by itself. More is better: the database was asked once.",
		counter: func(s txcache.Stats) uint64 { return s.Shared }},
	{name: "txcache.leased_loads", unit: "{key}", help: "Keys of a cache that this process loaded while it held their lease, so that other processes waited for it. No reason to worry; it is 0 where no lease is configured.",
		counter: func(s txcache.Stats) uint64 { return s.Leased }},
	{name: "txcache.waited_loads", unit: "{key}", help: "Keys of a cache that another process loaded under a lease while this process waited for the value. More is better: the database was asked once for several processes.",
		counter: func(s txcache.Stats) uint64 { return s.Waited }},
	{name: "txcache.early_refreshes", unit: "{refresh}", help: "Values of a cache that were loaded again in the background before they expired. Worry only if they are most of the loads: the duration is short for the time that a load takes.",
		counter: func(s txcache.Stats) uint64 { return s.EarlyRefreshes }},
	{name: "txcache.expired_hits", unit: "{hit}", help: "Look-ups of a cache that got an expired value because the loader failed and the cache allows that. Worry when there are any: the service cannot load, and shows old values.",
		counter: func(s txcache.Stats) uint64 { return s.ExpiredHits }},
	{name: "txcache.verified_hits", unit: "{hit}", help: "Look-ups of a cache that found a value, and whose loader was run all the same to compare what both say, as CacheOptions.Verify asks. No reason to worry; each costs a load.",
		counter: func(s txcache.Stats) uint64 { return s.Verified }},
	{name: "txcache.mismatches", unit: "{mismatch}", help: "Values of a cache that were compared with what their loader returns, and differed although no transaction had cleared the cache. Worry when there is one: a change does not clear, and users see old values.",
		counter: func(s txcache.Stats) uint64 { return s.Mismatches }},
	{name: "txcache.clears", unit: "{clear}", help: "Commits of this process that cleared the cache, those that failed included. Worry when they come more often than changes of the data: each costs the database what was cached.",
		counter: func(s txcache.Stats) uint64 { return s.Clears }},
	{name: "txcache.published_values", unit: "{value}", help: "Values of a cache that became visible to others when a read-write transaction committed. No reason to worry: others do not have to load them.",
		counter: func(s txcache.Stats) uint64 { return s.Published }},
	{name: "txcache.evictions", unit: "{eviction}", help: "Values of a cache that the size limit pushed out of this process. Worry when misses grow with them: raise the size.",
		counter: func(s txcache.Stats) uint64 { return s.Evictions }},
	{name: "txcache.near_values", unit: "{value}", help: "Values of a cache in this process now, over all databases; an expired one counts until it is replaced. No reason to worry; it bounds the memory.",
		amount: func(s txcache.Stats) int64 { return int64(s.Values) }},
	{name: "txcache.remote_errors", unit: "{error}", help: "Calls to the backend for values of a cache that failed; each was a miss, or a value that others have to load. Worry when they grow: see the memory, the rights and the time limits of the server.",
		counter: func(s txcache.Stats) uint64 { return s.RemoteErrors }},
	{name: "txcache.bad_payloads", unit: "{payload}", help: "Values of a cache that the backend had and that could not be decoded; each was a miss, and is overwritten. Worry when there are any: another program writes into this backend, or data is damaged.",
		counter: func(s txcache.Stats) uint64 { return s.BadPayloads }},
	{name: "txcache.unencodable_values", unit: "{value}", help: "Values of a cache that could not be encoded for the backend and were kept in this process only. Worry when there are any in a cache that processes should share: its type needs an encoding.",
		counter: func(s txcache.Stats) uint64 { return s.Unencodable }},
	{name: "txcache.overflows", unit: "{value}", help: "Values of a cache that a transaction set beyond overlay_size and did not keep until it ended. Worry when there are any: raise overlay_size, or load less in one transaction.",
		counter: func(s txcache.Stats) uint64 { return s.Overflows }},
	{name: "txcache.oversized_values", unit: "{value}", help: "Values of a cache that are larger than the backend keeps and were kept in this process only. Worry when there are any in a cache that processes should share: make them smaller, or raise largest_value.",
		counter: func(s txcache.Stats) uint64 { return s.Oversized }},
}

// ofStore are the metrics of a store.
var ofStore = []measure[txcache.Status]{
	{name: "txcache.stateless_transactions", unit: "{transaction}", help: "Transactions that began while the backend could not be reached, and so read everything from the database. Worry when they grow: the backend is away, or slower than its time limits.",
		counter: func(s txcache.Status) uint64 { return s.Stateless }},
	{name: "txcache.fences", unit: "{fence}", help: "Commits that placed a fence on what they cleared, as every commit with a clear does. No reason to worry; they grow with the changes of the data.",
		counter: func(s txcache.Status) uint64 { return s.Fences }},
	{name: "txcache.refused_commits", unit: "{commit}", help: "Commits with a clear that were refused before the database committed, because the backend could not be told. Worry when there is one: users see errors.",
		counter: func(s txcache.Status) uint64 { return s.Refused }},
	{name: "txcache.delayed_clears", unit: "{clear}", help: "Clears of commits that took place and that the backend could not be told of at once; they are tried again. Worry when they grow: other processes bypass these caches meanwhile, or read old values with outage commit.",
		counter: func(s txcache.Status) uint64 { return s.Delayed }},
	{name: "txcache.in_doubt_commits", unit: "{commit}", help: "Commits whose outcome the database did not tell, so that what they clear is bypassed by all processes for the lease of a fence. Worry when they grow: connections to the database break.",
		counter: func(s txcache.Status) uint64 { return s.InDoubt }},
	{name: "txcache.drops", unit: "{drop}", help: "Calls of Store.Drop by this process, failed ones included. No reason to worry.",
		counter: func(s txcache.Status) uint64 { return s.Drops }},
	{name: "txcache.waiting_clears", unit: "{clear}", help: "Clears of commits that took place and that the backend could not be told of so far. Worry while there are any: bring the backend back before the process ends.",
		amount: func(s txcache.Status) int64 { return int64(s.Waiting) }},
	{name: "txcache.databases", unit: "{database}", help: "Databases, such as tenants, that this process has used and has caches of. Worry only about memory: each has near caches of its own.",
		amount: func(s txcache.Status) int64 { return int64(s.Databases) }},
	{name: "txcache.staleness_bound", unit: "s", help: "Seconds after which a transaction knows at the latest what other processes have committed, as the setting sync says; 0: each asks as it begins. Worry when it is more than the service can bear.",
		state: func(s txcache.Status) float64 { return s.Staleness.Seconds() }},
}

// ofBackend are the metrics of a backend that keeps any.
var ofBackend = []measure[backend.Stats]{
	{name: "txcache.backend.round_trips", unit: "{request}", help: "Requests that this process sent to the backend, whatever number of commands each had. Worry when they grow faster than the traffic.",
		counter: func(s backend.Stats) uint64 { return s.RoundTrips }},
	{name: "txcache.backend.commands", unit: "{command}", help: "Commands that this process sent to the backend, in requests of one or more. No reason to worry; they grow with the values that are read and written.",
		counter: func(s backend.Stats) uint64 { return s.Commands }},
	{name: "txcache.backend.failures", unit: "{request}", help: "Requests to the backend that were not served: no connection, no answer in time, or a server that cannot serve now. Worry when they grow: look at the server, the network and the time limits.",
		counter: func(s backend.Stats) uint64 { return s.Failures }},
	{name: "txcache.backend.syncs", unit: "{request}", help: "Requests to the backend for the state of a database; one may serve several transactions that begin together. No reason to worry; they grow with the transactions unless sync says otherwise.",
		counter: func(s backend.Stats) uint64 { return s.Syncs }},
	{name: "txcache.backend.sync.time", unit: "s", help: "Seconds that requests to the backend for the state of a database took together; divided by their number it is the mean. Worry when that rises: each transaction that begins waits for it.",
		seconds: func(s backend.Stats) float64 { return s.SyncTime.Seconds() }},
	{name: "txcache.backend.removed_values", unit: "{value}", help: "Values that this process removed from the backend because their database was dropped or their cache was cleared. No reason to worry.",
		counter: func(s backend.Stats) uint64 { return s.Removed }},
	{name: "txcache.backend.garbage_values", unit: "{value}", help: "Values of cleared caches that are still in the backend and wait to be removed or to expire, about. Worry only if the backend runs out of memory.",
		amount: func(s backend.Stats) int64 { return s.Garbage }},
	{name: "txcache.backend.breaker_open", unit: "1", help: "1 while the backend does not answer and calls to it are refused at once, else 0. Worry while it is 1: every read goes to the database, and commits with a clear are refused unless outage is commit.",
		state: func(s backend.Stats) float64 { return truth(s.Open) }},
	{name: "txcache.backend.listening", unit: "1", help: "1 while the backend announces clears to this process and none was missed, else 0; always 0 unless sync is channel. Worry when it falls to 0 with that setting: each transaction asks as it begins.",
		state: func(s backend.Stats) float64 { return truth(s.Listening) }},
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
