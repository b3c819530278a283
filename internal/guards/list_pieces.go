package main

// Guards of what leaves a transaction before it commits, or without a commit.
var pieceGuards = []guard{{
	name:    "a read-write transaction gives nothing before it commits",
	keeps:   "P1",
	without: "Once a transaction has set a thousand values, others read what it has not committed.",
	file:    "internal/transaction/publish.go",
	text:    "if !t.ReadOnly || !t.Sends() {",
	gone:    "if t.Store.Values == nil {",
	by:      "TestPiecesKeepThePromises/values",
}, {
	name:    "a rollback publishes nothing of a read-write transaction",
	keeps:   "P2",
	without: "Others read what was rolled back.",
	file:    "internal/transaction/transaction.go",
	text:    "if t.ReadOnly && t.work.savepoints == 0 {",
	gone:    "if t.work.savepoints == 0 {",
	by:      "TestRollbackSendsNothing",
}, {
	name:    "a rollback publishes nothing of a savepoint that is open",
	keeps:   "P2",
	without: "What a savepoint has set is there for others though it was never kept.",
	file:    "internal/transaction/transaction.go",
	text:    "if t.ReadOnly && t.work.savepoints == 0 {",
	gone:    "if t.ReadOnly {",
	by:      "TestRollbackWithinASavepointSendsNothing",
}, {
	name:    "no piece leaves a savepoint that is open",
	keeps:   "P2",
	without: "Once a savepoint has set a thousand values, others read what it may yet undo.",
	file:    "internal/transaction/publish.go",
	text:    "w.unsent < pieceValues || w.savepoints > 0 {",
	gone:    "w.unsent < pieceValues {",
	by:      "TestPiecesKeepThePromises/values",
}, {
	name:    "a piece goes to the generation that it was loaded for",
	keeps:   "P4",
	without: "A transaction that has set a thousand values fills a cache that was cleared since it began.",
	file:    "internal/transaction/publish.go",
	text:    "g := t.shared(c); g != nil {",
	gone:    "g, _ := t.db.Contents(t.db.Newest(), &c.Cache); g != nil {",
	by:      "TestPiecesKeepThePromises",
}}
