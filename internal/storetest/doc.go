// Package storetest has what tests of the public API share: the ways to run
// txcache, backends that record, fail or hang when told to, and short forms for
// the steps of a test that must not fail.
//
// A test of a promise runs Everywhere, or over each of Setups. What only the
// tests of one package use stays there.
package storetest
