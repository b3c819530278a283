package main

// markGuards are those of the keys that members show as fenced, of what others say of them, of
// registrations that are refused, and of members that leave.
var markGuards = []guard{{
	name:    "marks: what a clear returns has them",
	keeps:   "P3",
	without: "A transaction that has begun with marked keys gets the state of the clear, which has a higher Version.",
	file:    "redisbackend/term.go",
	text:    "state == nil || start.markings == db.markings",
	gone:    "state == nil || start.markings <= db.markings",
	by:      "TestTheAnswerOfAClearHasTheMarks/of_a_term_that_runs",
}, {
	name:    "marks: a clear asks anew for those that are gone",
	keeps:   "P3",
	without: "The same, where the term has ended meanwhile.",
	file:    "redisbackend/term.go",
	text:    "		return t.state\n	}\n	return nil\n",
	gone:    "		return t.state\n	}\n	return state\n",
	by:      "TestTheAnswerOfAClearHasTheMarks/of_one_that_is_over",
}, {
	name:    "marks: they are of the keys that were told, not of the version alone",
	keeps:   "P3",
	without: "Who announces other keys with the version of the next fence makes a process acknowledge that without marking its keys.",
	file:    "redisbackend/term.go",
	text:    "m.placed == f.version && m.digest == f.digest",
	gone:    "m.placed == f.version",
	by:      "TestAFenceIsToldOfInAdvance",
}, {
	name:    "a name that is announced by a digest is let go of",
	keeps:   "P10",
	without: "The name of each database with a long name that was dropped stays in the process.",
	file:    "redisbackend/dbinfo.go",
	text:    "	b.longNames.Delete(db.announced)\n",
	gone:    "",
	by:      "TestLongNamesAreLetGo",
}, {
	name:    "members: where they are not taken, the process goes on without",
	keeps:   "P8",
	without: "Each begin of a process that begins often fails while the server lacks a replica, although reads work.",
	file:    "redisbackend/sync.go",
	text:    "err != nil && start.request > 0 && isRefusal(err)",
	gone:    "false && isRefusal(err)",
	by:      "TestAServerThatTakesNoRegistrations",
}, {
	name:    "members: one channel that is refused keeps no other back",
	keeps:   "P3",
	without: "A process that relies on announcements does not hear of a change, as the user who made it may not tell members.",
	file:    "redisbackend/scripts/database.lua",
	text:    "  if db.changed then refused = publish(",
	gone:    "  if db.changed and not untold then refused = publish(",
	by:      "TestAChangeThatMembersAreNotToldOfIsAnnounced",
}, {
	name:    "members: a process that forgets a database leaves",
	keeps:   "P8",
	without: "Each commit waits for a process that has forgotten the database, and hears of nothing there.",
	file:    "redisbackend/forget.go",
	text:    "	db.drop(b)\n",
	gone:    "",
	by:      "TestAMemberThatForgetsLeaves",
	in:      "redisbackend",
}}
