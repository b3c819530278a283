// Package histories plays random histories of transactions on the cache, over
// every kind of backend, with and without faults, and checks every hit; see
// package internal/history. A history that fails prints its seed.
package histories
