// Package querytest holds the dashboard and the alerting rules of txprometheus
// to what its collector gives, by Prometheus' own parser and engine. It is a
// module of its own so that users of the collector do not get those.
//
// Run it by go test -count=1: the go command does not see that the dashboard and
// the rules, which are in another module, have changed.
package querytest
