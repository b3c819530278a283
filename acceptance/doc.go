// Package acceptance shows that the promises of docs/design.md hold through the
// public API, over every kind of backend: what transactions, savepoints, caches
// and stores do, and what they do with extreme names, keys, sizes and options.
package acceptance
