// Package databases is what a process knows of its databases: the newest state of
// each, the generations that hold values under it, the fences of this process's
// commits in progress, and the clears that the backend has not accepted yet.
//
// [Registry.Sync] asks the backend for a state and returns a [View] of it. A
// transaction keeps the view that it began with. For a cache the view leads to one
// generation, or says that the cache is private: no transaction with this view may
// read shared values of it or fill it for others. What a view says never changes, so
// what a transaction loads goes to the generation that its own snapshot belongs to, or
// to one that is dead. What a view says of single keys, the deleted and the fenced, is in
// its [Marks]. No code has to check that when it fills a cache. A hit is cheap
// because a transaction only compares its view with the newest one to see whether
// anything has changed.
//
// A [Committer] sends fences and clears to the backend, for as long as it takes. The
// newest view holds the caches of a commit from before the fence until the clear has
// come back, so that this process sees its own fence at once. A clear that the backend
// does not accept is repeated, and its caches stay held. A commit in doubt keeps its
// fence for another lease; then its caches are cleared.
//
// A budget bounds what all databases take together: values go that nobody asks for, and databases
// that were not used for long leave.
//
// The package knows a cache by its name and its number, and makes and counts its
// contents by [Contents]; it does not look into these. It knows nothing of
// transactions and loads.
package databases
