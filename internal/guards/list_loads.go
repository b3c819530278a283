package main

// Guards of loads that callers share.
var loadGuards = []guard{{
	name:    "a load belongs to a generation",
	keeps:   "P4",
	without: "A transaction gets the value of a load that began before a clear which the transaction has seen.",
	file:    "generation.go",
	text:    "	flights[K, V]\n}\n\nfunc (c *Cache[K, V]) generation(at backend.Token) generation {\n	g := &generationOf[K, V]{of: &c.core, at: at}\n",
	gone: `	*flights[K, V]
}

var eldest = [1]any{}

func (c *Cache[K, V]) generation(at backend.Token) generation {
	if _, ok := eldest[0].(*flights[K, V]); !ok {
		eldest[0] = &flights[K, V]{}
	}
	g := &generationOf[K, V]{of: &c.core, at: at, flights: eldest[0].(*flights[K, V])}
`,
	by: "TestLoadOfAnOlderGenerationIsNotShared",
}, {
	name:    "who may have changed something leads no load",
	keeps:   "P1",
	without: "Others get what a transaction has loaded from its own uncommitted rows.",
	file:    "load.go",
	text:    `f != nil || !t.readOnly {`,
	gone:    `f != nil {`,
	by:      "TestNoHistoryViolatesAPromise/interleaved,_fixed|TestReadWriteTransactionsShareNoLoad",
}, {
	name:    "a loader waits for no other",
	keeps:   "P8",
	without: "Two loaders that need each other's keys wait for ever.",
	file:    "load.go",
	text:    `case f == nil || f.leader == t || leads(ctx):`,
	gone:    `case f == nil || f.leader == t:`,
	by:      "TestLoadsWithinLoadsDoNotLockUp",
}, {
	name:    "a transaction does not wait for itself",
	keeps:   "P8",
	without: "A loader that needs its own key waits for ever.",
	file:    "load.go",
	text:    `case f == nil || f.leader == t || leads(ctx):`,
	gone:    `case f == nil || leads(ctx):`,
	by:      "TestLoadOfTheSameKeyWithinALoad",
}, {
	name:    "who waits for a load waits no longer than its context",
	keeps:   "P8",
	without: "A caller is held up by somebody else's loader.",
	file:    "load.go",
	text:    `case <-ctx.Done():`,
	gone:    `case <-context.WithoutCancel(ctx).Done():`,
	by:      "TestWhoWaitsForALoadWaitsNoLongerThanItsContext",
}, {
	name:    "a load that was given up is taken over",
	keeps:   "P8",
	without: "Callers get nothing, or the end of somebody else's context, when the leader goes away.",
	file:    "load.go",
	text:    `if !f.abandoned {`,
	gone:    `if f != nil {`,
	by:      "TestTheLeaderGoesAway",
}, {
	name:    "an error of a transaction that has ended is its own",
	keeps:   "P8",
	without: "Callers get an error that says nothing but that somebody else has gone.",
	file:    "load.go",
	text:    `if err == nil || ctx.Err() == nil && !tx.t.ended() {`,
	gone:    `if true {`,
	by:      "TestTheLeaderGoesAway",
}, {
	name:    "a loader that panics ends its load",
	keeps:   "P8",
	without: "After a panic the key is never loaded again: all wait.",
	file:    "load.go",
	text:    `defer g.land(key, f) // also if load panics`,
	gone:    `defer func() { if f.abandoned && ctx.Err() == nil && !tx.t.ended() { return }; g.land(key, f) }()`,
	by:      "TestTheLeaderGoesAway",
}, {
	name:    "a loader runs once",
	keeps:   "P8",
	without: "Whoever looked just before a load was done loads again: a stampede on the database.",
	file:    "load.go",
	text:    `v, hit = g.get(key)  // another flight`,
	gone:    `hit = false // another flight`,
	by:      "TestALoadThatHasJustLandedIsNotRepeated",
}, {
	name:    "a finished transaction loads nothing",
	keeps:   "P4",
	without: "A loader reads through a database transaction that has ended.",
	file:    "load.go",
	text:    "		if t.ended() {\n			return v, false, ErrTxDone\n		}\n",
	gone:    "",
	by:      "TestFinishedTransaction",
}}
