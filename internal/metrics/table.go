package metrics

const hits = "Look-ups of a cache that found a value: tier process in the transaction or the near cache, tier remote in the backend. More is better; many of tier remote in a cache with evictions ask for a larger size."

// ofCache are the metrics of single caches.
var ofCache = []*Metric{
	{Prometheus: "txcache_hits_total", OpenTelemetry: "txcache.hits", Unit: "{hit}", Tier: "process", Help: hits,
		value: func(r *reading) float64 { return float64(r.Hits - min(r.Hits, r.RemoteHits)) }},
	{Prometheus: "txcache_hits_total", OpenTelemetry: "txcache.hits", Unit: "{hit}", Tier: "remote", Help: hits,
		value: func(r *reading) float64 { return float64(r.RemoteHits) }},
	{Prometheus: "txcache_misses_total", OpenTelemetry: "txcache.misses", Unit: "{miss}", Help: "Look-ups of a cache that found no value, or did not look because the transaction had cleared the cache or it was fenced. Worry when they grow faster than hits: see bypassed reads, evictions and clears.",
		value: func(r *reading) float64 { return float64(r.Misses) }},
	{Prometheus: "txcache_absent_hits_total", OpenTelemetry: "txcache.absent_hits", Unit: "{hit}", Help: "Look-ups of a cache that found that the database has nothing under the key; each is counted as a hit, too. No reason to worry.",
		value: func(r *reading) float64 { return float64(r.AbsentHits) }},
	{Prometheus: "txcache_bypassed_reads_total", OpenTelemetry: "txcache.bypassed_reads", Unit: "{read}", Help: "Look-ups of a cache that did not look, as the transaction had cleared the cache, it was fenced, or the backend could not be asked; each is counted as a miss, too. Worry when they grow without clears: the backend is away, or fences stand for long.",
		value: func(r *reading) float64 { return float64(r.Bypassed) }},
	{Prometheus: "txcache_load_duration_seconds", Kind: Summary, Help: "Calls of loaders of a cache, and the seconds that they took; a call that still runs is counted, its time is not yet. Worry when the mean rises: the database is slow.",
		count: func(r *reading) uint64 { return r.Loads }, value: func(r *reading) float64 { return r.LoadTime.Seconds() }},
	{OpenTelemetry: "txcache.loads", Unit: "{load}", Help: "Calls of loaders of a cache, each of which asks the database. Worry when they grow faster than the traffic.",
		value: func(r *reading) float64 { return float64(r.Loads) }},
	{OpenTelemetry: "txcache.load.time", Unit: "s", Help: "Seconds that the calls of loaders of a cache took together; divided by the loads it is the mean. Worry when that rises: the database is slow.",
		value: func(r *reading) float64 { return r.LoadTime.Seconds() }},
	{Prometheus: "txcache_load_errors_total", OpenTelemetry: "txcache.load.errors", Unit: "{error}", Help: "Calls of loaders of a cache that returned an error or panicked; what they return for an absent value is none. Worry when they grow: the service cannot load.",
		value: func(r *reading) float64 { return float64(r.LoadErrors) }},
	{Prometheus: "txcache_shared_loads_total", OpenTelemetry: "txcache.shared_loads", Unit: "{key}", Help: "Keys of a cache for which a caller took the result of a load that another caller of this process had begun, instead of loading by itself. More is better: the database was asked once.",
		value: func(r *reading) float64 { return float64(r.Shared) }},
	{Prometheus: "txcache_leased_loads_total", OpenTelemetry: "txcache.leased_loads", Unit: "{key}", Help: "Keys of a cache that this process loaded while it held their lease, so that other processes waited for it. No reason to worry; it is 0 where no lease is configured.",
		value: func(r *reading) float64 { return float64(r.Leased) }},
	{Prometheus: "txcache_waited_loads_total", OpenTelemetry: "txcache.waited_loads", Unit: "{key}", Help: "Keys of a cache that another process loaded under a lease while this process waited for the value. More is better: the database was asked once for several processes.",
		value: func(r *reading) float64 { return float64(r.Waited) }},
	{Prometheus: "txcache_early_refreshes_total", OpenTelemetry: "txcache.early_refreshes", Unit: "{refresh}", Help: "Values of a cache that were loaded again in the background before they expired. Worry only if they are most of the loads: the duration is short for the time that a load takes.",
		value: func(r *reading) float64 { return float64(r.EarlyRefreshes) }},
	{Prometheus: "txcache_expired_hits_total", OpenTelemetry: "txcache.expired_hits", Unit: "{hit}", Help: "Look-ups of a cache that got an expired value because the loader failed and the cache allows that. Worry when there are any: the service cannot load, and shows old values.",
		value: func(r *reading) float64 { return float64(r.ExpiredHits) }},
	{Prometheus: "txcache_verified_hits_total", OpenTelemetry: "txcache.verified_hits", Unit: "{hit}", Help: "Look-ups of a cache that found a value, and whose loader was run all the same to compare what both say, as CacheOptions.Verify asks. No reason to worry; each costs a load.",
		value: func(r *reading) float64 { return float64(r.Verified) }},
	{Prometheus: "txcache_mismatches_total", OpenTelemetry: "txcache.mismatches", Unit: "{mismatch}", Help: "Values of a cache that were compared with what their loader returns, and differed although no transaction had cleared the cache. Worry when there is one: a change does not clear, and users see old values.",
		value: func(r *reading) float64 { return float64(r.Mismatches) }},
	{Prometheus: "txcache_clears_total", OpenTelemetry: "txcache.clears", Unit: "{clear}", Help: "Commits of this process that cleared the cache, those that failed included. Worry when they come more often than changes of the data: each costs the database what was cached.",
		value: func(r *reading) float64 { return float64(r.Clears) }},
	{Prometheus: "txcache_published_values_total", OpenTelemetry: "txcache.published_values", Unit: "{value}", Help: "Values of a cache that became visible to others when a read-write transaction committed. No reason to worry: others do not have to load them.",
		value: func(r *reading) float64 { return float64(r.Published) }},
	{Prometheus: "txcache_evictions_total", OpenTelemetry: "txcache.evictions", Unit: "{eviction}", Help: "Values of a cache that the size limit pushed out of this process. Worry when misses grow with them: raise the size.",
		value: func(r *reading) float64 { return float64(r.Evictions) }},
	{Prometheus: "txcache_near_values", OpenTelemetry: "txcache.near_values", Unit: "{value}", Kind: Amount, Help: "Values of a cache in this process now, over all databases; an expired one counts until it is replaced. No reason to worry; it bounds the memory.",
		value: func(r *reading) float64 { return float64(r.Values) }},
	{Prometheus: "txcache_remote_errors_total", OpenTelemetry: "txcache.remote_errors", Unit: "{error}", Help: "Calls to the backend for values of a cache that failed; each was a miss, or a value that others have to load. Worry when they grow: see the memory, the rights and the time limits of the server.",
		value: func(r *reading) float64 { return float64(r.RemoteErrors) }},
	{Prometheus: "txcache_bad_payloads_total", OpenTelemetry: "txcache.bad_payloads", Unit: "{payload}", Help: "Values of a cache that the backend had and that could not be decoded; each was a miss, and is overwritten. Worry when there are any: another program writes into this backend, or data is damaged.",
		value: func(r *reading) float64 { return float64(r.BadPayloads) }},
	{Prometheus: "txcache_unencodable_values_total", OpenTelemetry: "txcache.unencodable_values", Unit: "{value}", Help: "Values of a cache that could not be encoded for the backend and were kept in this process only. Worry when there are any in a cache that processes should share: its type needs an encoding.",
		value: func(r *reading) float64 { return float64(r.Unencodable) }},
	{Prometheus: "txcache_overflows_total", OpenTelemetry: "txcache.overflows", Unit: "{value}", Help: "Values of a cache that a transaction set beyond overlay_size and did not keep until it ended. Worry when there are any: raise overlay_size, or load less in one transaction.",
		value: func(r *reading) float64 { return float64(r.Overflows) }},
	{Prometheus: "txcache_oversized_values_total", OpenTelemetry: "txcache.oversized_values", Unit: "{value}", Help: "Values of a cache that are larger than the backend keeps and were kept in this process only. Worry when there are any in a cache that processes should share: make them smaller, or raise largest_value.",
		value: func(r *reading) float64 { return float64(r.Oversized) }},
}

// ofStore are the metrics of a store.
var ofStore = []*Metric{
	{Prometheus: "txcache_stateless_transactions_total", OpenTelemetry: "txcache.stateless_transactions", Unit: "{transaction}", Help: "Transactions that began while the backend could not be reached, and so read everything from the database. Worry when they grow: the backend is away, or slower than its time limits.",
		value: func(r *reading) float64 { return float64(r.Stateless) }},
	{Prometheus: "txcache_fences_total", OpenTelemetry: "txcache.fences", Unit: "{fence}", Help: "Commits that placed a fence on what they cleared, as every commit with a clear does. No reason to worry; they grow with the changes of the data.",
		value: func(r *reading) float64 { return float64(r.Fences) }},
	{Prometheus: "txcache_refused_commits_total", OpenTelemetry: "txcache.refused_commits", Unit: "{commit}", Help: "Commits with a clear that were refused before the database committed, because the backend could not be told. Worry when there is one: users see errors.",
		value: func(r *reading) float64 { return float64(r.Refused) }},
	{Prometheus: "txcache_delayed_clears_total", OpenTelemetry: "txcache.delayed_clears", Unit: "{clear}", Help: "Clears of commits that took place and that the backend could not be told of at once; they are tried again. Worry when they grow: other processes bypass these caches meanwhile, or read old values with outage commit.",
		value: func(r *reading) float64 { return float64(r.Delayed) }},
	{Prometheus: "txcache_in_doubt_commits_total", OpenTelemetry: "txcache.in_doubt_commits", Unit: "{commit}", Help: "Commits whose outcome the database did not tell, so that what they clear is bypassed by all processes for the lease of a fence. Worry when they grow: connections to the database break.",
		value: func(r *reading) float64 { return float64(r.InDoubt) }},
	{Prometheus: "txcache_drops_total", OpenTelemetry: "txcache.drops", Unit: "{drop}", Help: "Calls of Store.Drop by this process, failed ones included. No reason to worry.",
		value: func(r *reading) float64 { return float64(r.Drops) }},
	{Prometheus: "txcache_waiting_clears", OpenTelemetry: "txcache.waiting_clears", Unit: "{clear}", Kind: Amount, Help: "Clears of commits that took place and that the backend could not be told of so far. Worry while there are any: bring the backend back before the process ends.",
		value: func(r *reading) float64 { return float64(r.Waiting) }},
	{Prometheus: "txcache_databases", OpenTelemetry: "txcache.databases", Unit: "{database}", Kind: Amount, Help: "Databases, such as tenants, that this process has used and has caches of. Worry only about memory: each has near caches of its own.",
		value: func(r *reading) float64 { return float64(r.Databases) }},
	{Prometheus: "txcache_staleness_bound_seconds", OpenTelemetry: "txcache.staleness_bound", Unit: "s", Kind: State, Help: "Seconds after which a transaction knows at the latest what other processes have committed, as the setting sync says; 0: each asks as it begins. Worry when it is more than the service can bear.",
		value: func(r *reading) float64 { return r.Staleness.Seconds() }},
}

// ofBackend are the metrics of a backend that keeps any.
var ofBackend = []*Metric{
	{Prometheus: "txcache_backend_round_trips_total", OpenTelemetry: "txcache.backend.round_trips", Unit: "{request}", Help: "Requests that this process sent to the backend, whatever number of commands each had. Worry when they grow faster than the traffic.",
		value: func(r *reading) float64 { return float64(r.Backend.RoundTrips) }},
	{Prometheus: "txcache_backend_commands_total", OpenTelemetry: "txcache.backend.commands", Unit: "{command}", Help: "Commands that this process sent to the backend, in requests of one or more. No reason to worry; they grow with the values that are read and written.",
		value: func(r *reading) float64 { return float64(r.Backend.Commands) }},
	{Prometheus: "txcache_backend_failures_total", OpenTelemetry: "txcache.backend.failures", Unit: "{request}", Help: "Requests to the backend that were not served: no connection, no answer in time, or a server that cannot serve now. Worry when they grow: look at the server, the network and the time limits.",
		value: func(r *reading) float64 { return float64(r.Backend.Failures) }},
	{Prometheus: "txcache_backend_sync_duration_seconds", Kind: Summary, Help: "Requests to the backend for the state of a database, and the seconds that they took; one may serve several transactions that begin together. Worry when the mean rises: each of these waits for it.",
		count: func(r *reading) uint64 { return r.Backend.Syncs }, value: func(r *reading) float64 { return r.Backend.SyncTime.Seconds() }},
	{OpenTelemetry: "txcache.backend.syncs", Unit: "{request}", Help: "Requests to the backend for the state of a database; one may serve several transactions that begin together. No reason to worry; they grow with the transactions unless sync says otherwise.",
		value: func(r *reading) float64 { return float64(r.Backend.Syncs) }},
	{OpenTelemetry: "txcache.backend.sync.time", Unit: "s", Help: "Seconds that requests to the backend for the state of a database took together; divided by their number it is the mean. Worry when that rises: each transaction that begins waits for it.",
		value: func(r *reading) float64 { return r.Backend.SyncTime.Seconds() }},
	{Prometheus: "txcache_backend_removed_values_total", OpenTelemetry: "txcache.backend.removed_values", Unit: "{value}", Help: "Values that this process removed from the backend because their database was dropped or their cache was cleared. No reason to worry.",
		value: func(r *reading) float64 { return float64(r.Backend.Removed) }},
	{Prometheus: "txcache_backend_garbage_values", OpenTelemetry: "txcache.backend.garbage_values", Unit: "{value}", Kind: Amount, Help: "Values of cleared caches that are still in the backend and wait to be removed or to expire, about. Worry only if the backend runs out of memory.",
		value: func(r *reading) float64 { return float64(r.Backend.Garbage) }},
	{Prometheus: "txcache_backend_breaker_open", OpenTelemetry: "txcache.backend.breaker_open", Unit: "1", Kind: State, Help: "1 while the backend does not answer and calls to it are refused at once, else 0. Worry while it is 1: every read goes to the database, and commits with a clear are refused unless outage is commit.",
		value: func(r *reading) float64 { return truth(r.Backend.Open) }},
	{Prometheus: "txcache_backend_listening", OpenTelemetry: "txcache.backend.listening", Unit: "1", Kind: State, Help: "1 while the backend announces clears to this process and none was missed, else 0; always 0 unless sync is channel. Worry when it falls to 0 with that setting: each transaction asks as it begins.",
		value: func(r *reading) float64 { return truth(r.Backend.Listening) }},
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
