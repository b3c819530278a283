package main

// Guards against programs that do not notice what they were told.
var misuseGuards = []guard{{
	name:    "a refused clear fails its commit",
	keeps:   "P3",
	without: "A program that ignores the error of a clear commits a change of which no cache hears.",
	file:    "internal/transaction/transaction.go",
	text:    "	return t.work.refused\n",
	gone:    "	return nil\n",
	by:      "TestARefusedClearFailsItsCommit",
}, {
	name:    "a commit that is refused for its clear publishes nothing",
	keeps:   "P2",
	without: "Others read what a transaction has set whose database commit was not run.",
	file:    "tx.go",
	text:    "		if t.ReadOnly {\n			t.Publish(ctx, \"\")\n		}\n",
	gone:    "		t.Publish(ctx, \"\")\n",
	by:      "TestARefusedClearFailsItsCommit",
}, {
	name:    "a refused clear is forgotten with its savepoint",
	keeps:   "P2",
	without: "A transaction cannot commit though the savepoint that was refused a clear was undone.",
	file:    "internal/transaction/transaction.go",
	text:    "w.record(0, func() { w.refused = before })",
	gone:    "_ = before",
	by:      "TestARefusedClearFailsItsCommit",
}}
