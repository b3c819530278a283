package main

// Guards of the two sides of a transaction in package sqltx.
var sqlGuards = []guard{{
	name:    "sql: the state comes before the snapshot",
	keeps:   "P4",
	without: "A snapshot from before a commit fills the generation of after it.",
	file:    "sqltx/tx.go",
	text: `	if tx.Cache, err = begin(ctx, database); err != nil { // P3: before the snapshot
		return nil, err
	}
	if tx.Tx, err = db.BeginTx(ctx, opts); err != nil {
		tx.Cache.Rollback()
		return nil, err
	}
	return tx, nil
`,
	gone: `	if tx.Tx, err = db.BeginTx(ctx, opts); err != nil {
		return nil, err
	}
	if tx.Cache, err = begin(ctx, database); err != nil {
		tx.Tx.Rollback()
		return nil, err
	}
	return tx, nil
`,
	by: "TestStateComesBeforeSnapshotAndCommitBetweenFenceAndClear",
}, {
	name:    "sql: a read-only transaction is so on both sides",
	keeps:   "P1",
	without: "What a read-only side has loaded is shared though the database lets it write.",
	file:    "sqltx/run.go",
	text:    `readOnly := sql.TxOptions{ReadOnly: true}`,
	gone:    `readOnly := sql.TxOptions{}`,
	by:      "TestUpdateAndViewCommit|TestOptionsReachTheDatabase|TestViewIsReadOnlyInTheCache",
}, {
	name:    "sql: the cache is read-only where the database is",
	keeps:   "P8",
	without: "What a read-only transaction has loaded is shared late, or not at all, and it may clear.",
	file:    "sqltx/tx.go",
	text:    "		begin = store.BeginReadOnly\n",
	gone:    "",
	by:      "TestReadOnlyIsReadOnlyOnBothSides",
}, {
	name:    "sql: no commit once the context is done",
	keeps:   "P2",
	without: "A commit that nobody waits for is sent, and its outcome unknown.",
	file:    "sqltx/tx.go",
	text:    "		if ctx.Err() != nil {\n			return context.Cause(ctx)\n		}\n		sent = true",
	gone:    "		sent = true",
	by:      "TestContextDoneBeforeCommit|TestContextDoneWhileCommitBegins",
}, {
	name:    "sql: a refused commit rolls the database back",
	keeps:   "P8",
	without: "The database's transaction, and its locks, stay open after a commit was refused.",
	file:    "sqltx/tx.go",
	text:    `switch undo := tx.Tx.Rollback(); {`,
	gone:    `switch undo := error(nil); {`,
	by:      "TestRefusedFenceRollsTheDatabaseBack",
}, {
	name:    "sql: a commit that failed is of unknown outcome",
	keeps:   "P2",
	without: "A caller repeats a change that may have been done.",
	file:    "sqltx/tx.go",
	text:    `return fmt.Errorf("%w: database %q: %w", ErrUnknownOutcome, tx.database, err)`,
	gone:    `return fmt.Errorf("txcache: database %q: %w", tx.database, err)`,
	by:      "TestFailedCommitIsOfUnknownOutcome",
}, {
	name:    "sql: a rollback forgets on both sides",
	keeps:   "P2",
	without: "What a transaction has set stays readable in it after the database has undone it.",
	file:    "sqltx/tx.go",
	text:    `done := tx.Cache.Rollback()`,
	gone:    `done := error(nil)`,
	by:      "TestCommitPublishesAndRollbackForgets|TestFinishedTransactionAnswersAsThatOfDatabaseSQL|TestSideEndedAlone",
}, {
	name:    "sql: a panic rolls back both sides",
	keeps:   "P2",
	without: "The database's transaction, and its locks, stay open after a panic.",
	file:    "sqltx/run.go",
	text:    `defer tx.Rollback() // if fn panics; else it does nothing`,
	gone:    ``,
	by:      "TestPanicRollsBackBothSides|TestGoexitRollsBackBothSides",
}}
