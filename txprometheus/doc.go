// Package txprometheus exports what a store of txcache counts to Prometheus.
//
//	store, err := txcache.Open(ctx, "cache.toml")
//	...
//	err = prometheus.Register(txprometheus.NewCollector(store, nil))
//
// docs/metrics.md has the table of all metrics and what to do when one rises;
// dashboard.json, a dashboard for Grafana, and alerts.yml, rules for Prometheus,
// are beside this file.
//
// Every value is the sum over all databases. A service may have thousands of
// them, and a time series for each, cache and metric would be more than a
// Prometheus server bears; Store.Databases shows single ones.
package txprometheus
