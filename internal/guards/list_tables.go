package main

// Guards of tables that transactions name, and of the caches that show them.

const (
	tables  = "internal/transaction/tables.go"
	convert = "internal/canon/convert.go"
)

var tableGuards = []guard{{
	name:    "a table is named in a transaction that can clear",
	keeps:   "P1",
	without: "A read-only transaction clears caches, or thinks that it has.",
	file:    tables,
	text:    "	if err := t.changeable(); err != nil {\n		return t.refuse(err)\n	}\n",
	by:      "TestChangedIsRefused/memory",
}, {
	name:    "a table without a name is refused",
	keeps:   "P3",
	without: "A program that names no table by mistake commits, and others read the old rows.",
	file:    tables,
	text:    "	if n.last() == \"\" {\n		return \"\", errNoTable\n	}\n",
	by:      "TestChangedIsRefused/memory",
}, {
	name:    "names of tables are compared without case",
	keeps:   "P3",
	without: "A table that is written in another case is not known, and others read its old rows.",
	file:    tables,
	text:    "strings.ToLower(strings.TrimSpace(name))",
	gone:    "strings.TrimSpace(name)",
	by:      "TestTablesAreTheSameAsInSQL",
}, {
	name:    "a name without a schema is that of all schemas",
	keeps:   "P3",
	without: "A change of public.product leaves a cache that shows product as it is.",
	file:    tables,
	text:    "		if table.name.meets(n) {",
	gone:    "		if table.name == n {",
	by:      "TestTablesAreTheSameAsInSQL",
}, {
	name:    "a change is undone with its savepoint",
	keeps:   "P2",
	without: "A change that was rolled back clears caches that are made later.",
	file:    tables,
	text:    "	w.record(0, func() { w.changed = before })\n",
	gone:    "	_ = before\n",
	by:      "TestChangedInSavepoints/memory",
}, {
	name:    "caches that were made after the change are cleared with the commit",
	keeps:   "P3",
	without: "A value that was loaded into a new cache before the commit is read after it.",
	file:    "internal/transaction/publish.go",
	text:    "	t.clearLater()\n",
	by:      "TestACacheThatIsMadeAfterTheChange/memory",
}, {
	name:    "caches whose keys were deleted are not cleared with the commit",
	keeps:   "P11",
	without: "A change of one row takes away all others.",
	file:    tables,
	text:    "			if table.cache.ID > c.caches {",
	gone:    "			if true {",
	by:      "TestChangedRowsDeletesTheirKeys/memory",
}, {
	name:    "only caches of rows have keys deleted",
	keeps:   "P3",
	without: "A list of rows is read as it was before one of them has changed.",
	file:    tables,
	text:    "if table.byKey && len(keys) > 0 {",
	gone:    "if len(keys) > 0 {",
	by:      "TestChangedRowsDeletesTheirKeys/memory",
}, {
	name:    "rows that are not known are all rows",
	keeps:   "P3",
	without: "A change of rows whose keys are not known leaves the cache as it is.",
	file:    tables,
	text:    "if table.byKey && len(keys) > 0 {",
	gone:    "if table.byKey {",
	by:      "TestChangedRowsDeletesTheirKeys/memory",
}, {
	name:    "keys that are in doubt clear the cache",
	keeps:   "P3",
	without: "A row that is named by a key of another type is read as it was.",
	file:    tables,
	text:    "		if !ok {\n			return nil, false\n		}\n",
	gone:    "		if !ok {\n			continue\n		}\n",
	by:      "TestKeysOfRows",
}, {
	name:    "a key of an interface is in doubt",
	keeps:   "P3",
	without: "A row under the key int64(7) is read as it was before a change of the row 7.",
	file:    convert,
	text:    "	if hasInterface(to.Type()) {\n		return converted, false\n	}\n",
	by:      "TestKeysOfRows",
}, {
	name:    "a number that is no key is in doubt",
	keeps:   "P3",
	without: "A change of row 263 deletes row 7.",
	file:    convert,
	text:    "v.CanInt() && to.CanUint() && v.Int() >= 0 && !to.OverflowUint(uint64(v.Int()))",
	gone:    "v.CanInt() && to.CanUint() && v.Int() >= 0",
	by:      "TestKeysOfRows",
}}
