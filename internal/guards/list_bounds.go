package main

// Guards of bounds: of settings and names, of what a process remembers, and of
// what it looks at.
var boundGuards = []guard{{
	name:    "a table has room for the largest size",
	keeps:   "P8",
	without: "With no limit on its size a cache hangs at its eighth value.",
	file:    "internal/near/table.go",
	text:    "return max(1, n/6+(n%6+4)/6)",
	gone:    "return max(1, (n+4)/6)",
	by:      "TestExtremesOfOptions/memory/Size",
	in:      ".",
}, {
	name:    "a moment that cannot be counted is the last",
	keeps:   "P6",
	without: "Values without end that come from the backend have expired as they come.",
	file:    "internal/near/clock.go",
	text:    "	if int64(d) > math.MaxInt64-now {\n		return math.MaxInt64\n	}\n",
	gone:    "	_ = math.MaxInt64\n",
	by:      "TestAValueWithoutEndIsKeptNear|TestExtremesOfCacheOptions/memory/Duration",
	in:      ".",
}, {
	name:    "no lease that a script does not understand",
	keeps:   "P5",
	without: "A fence with a lease of decades is taken for damaged, and none stands.",
	file:    "options.go",
	text:    "case opts.Fence > limits.LongestFence:",
	gone:    "case opts.Fence > limits.LongestFence && opts.Size < 0:",
	by:      "TestExtremesOfOptions/redis/Fence",
}, {
	name:    "no such lease in a file",
	keeps:   "P5",
	without: "The error for a lease of decades names no line of the file.",
	file:    "config/validate.go",
	text:    "if r.Fence > limits.LongestFence {",
	gone:    "if r.Fence > limits.LongestFence && r.URI == \"\" {",
	by:      "TestBadFilesNameFileLineAndKey",
}, {
	name:    "redis: no lease that a script does not understand",
	keeps:   "P5",
	without: "A fence with a lease of decades is taken for damaged, and none stands.",
	file:    "redisbackend/change.go",
	text:    " || f.Lease > limits.LongestFence {",
	gone:    " || f.Lease > limits.LongestFence && f.ID == \"\" {",
	by:      "TestAFenceOfAnyLeaseStandsOrIsRefused",
}, {
	name:    "names have a bound",
	keeps:   "P7",
	without: "A request that names its tenant makes keys and announcements of any size.",
	file:    "internal/limits/limits.go",
	text:    "if len(name) > LongestName {",
	gone:    "if len(name) > LongestName && what == name {",
	by:      "TestExtremesOfNames",
	in:      ".",
}}
