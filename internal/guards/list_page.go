package main

var pageGuards = []guard{{
	name:    "a clear that nobody heard of is not done",
	keeps:   "operators",
	without: `The live page says "done" of a clear that other servers do not know of yet.`,
	file:    "debugpage/actions.go",
	text:    "r.Late = err == nil && now.Delayed > before.Delayed && now.Waiting > 0",
	gone:    "_, _ = before, now",
	by:      "TestAClearThatNobodyHeardOfIsNotDone",
}}
