// Package txotel exports what a store of txcache counts and does to
// OpenTelemetry: metrics by [Observe], histograms
// by a [Producer], traces by [Trace].
//
//	b, opts, err := txcache.FromConfig(ctx, cfg)
//	...
//	opts.Trace = txotel.Trace(nil)
//	store, err := txcache.New(b, opts)
//	...
//	stop, err := txotel.Observe(store, nil)
//	...
//	defer stop()
//
// docs/metrics.md has the table of all metrics and what to do when one rises.
package txotel
