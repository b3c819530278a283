// Package databases is what a process knows of its databases: the newest state of
// each, the generations that hold values under it, the fences of commits that are
// under way here, and the clears that the backend has still to be told of.
//
// [Registry.Sync] asks the backend for a state and returns a [View] of it. A
// transaction keeps the view that it began with. For a cache the view leads to one
// generation, or says that the cache is private: nobody who has this view may read
// or fill it with others. What a view says never changes, so what a transaction
// loads goes to the generation that its own snapshot belongs to, or to one that is
// dead. Nobody has to check that when a cache is filled. That comparing the newest
// view with one's own tells whether anything happened since is what makes a hit
// cheap.
//
// An [Committer] tells the backend of fences and clears, for as long as it takes.
// From before the fence until the clear has come back, the caches of a commit are
// held in the newest view, so that this process need not wait to hear of itself.
// A clear that the backend cannot be told of is repeated, and its caches stay held.
// A commit in doubt keeps its fence for another lease, and is cleared then.
//
// The package knows of a cache its name and number, and who makes its contents
// ([Contents]); it does not look into these. It knows nothing of transactions and
// loads.
package databases
