package main

// Guards of transactions that several goroutines use at once.
var sharedTransactionGuards = []guard{{
	name:    "a load that comes too late is not kept",
	keeps:   "P2",
	without: "A goroutine keeps what it has read within a savepoint that another has undone meanwhile, and the commit publishes it.",
	file:    "internal/transaction/set.go",
	text:    "if t.cutSince(cuts, &c.Core) {",
	gone:    "if cuts >= 1<<63 {",
	by:      "TestAHistoryViolatesNoPromise",
}, {
	name:    "cuts are counted before the loader runs",
	keeps:   "P2",
	without: "What was cleared or undone while the loader was running does not count.",
	file:    "internal/loading/cache.go",
	text:    "	cuts = t.Cuts()\n",
	gone:    "	defer func() { cuts = t.Cuts() }()\n",
	by:      "TestALoadThatComesTooLateIsNotKept/memory",
}, {
	name:    "the undo of a savepoint is a cut",
	keeps:   "P2",
	without: "What was read within a savepoint that was undone is kept after it, and published.",
	file:    "internal/transaction/transaction.go",
	text:    "			w.cutAll()\n			for n",
	gone:    "			for n",
	by:      "TestALoadThatComesTooLateIsNotKept/memory",
}, {
	name:    "a clear is a cut",
	keeps:   "P1",
	without: "What was read before a write is kept after its clear; a warm cache publishes it as if it were newer.",
	file:    "internal/transaction/transaction.go",
	text:    "local{cleared: true, cut: t.work.cuts}",
	gone:    "local{cleared: true}",
	by:      "TestALoadThatComesTooLateIsNotKept/memory",
}, {
	name:    "a clear of all is a cut",
	keeps:   "P1",
	without: "What was read before a write is kept after ClearAll; a warm cache publishes it as if it were newer.",
	file:    "internal/transaction/transaction.go",
	text:    "	w.cleared, w.caches = true, nil\n	w.cutAll()\n",
	gone:    "	w.cleared, w.caches = true, nil\n",
	by:      "TestALoadThatComesTooLateIsNotKept/memory",
}, {
	name:    "what is loaded under a lease leaves no savepoint",
	keeps:   "P2",
	without: "Where another goroutine has opened a savepoint since, other processes get what it may undo.",
	file:    "internal/transaction/set.go",
	text:    "t.work == nil || t.work.savepoints > 0 {",
	gone:    "t.work == nil {",
	by:      "TestALoadOfAReadOnlyTransactionLeavesNoSavepoint/values",
}}
