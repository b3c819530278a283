package command

import (
	"strings"
	"testing"
)

// This program has no drivers of SQL databases, and says which one has.
func TestClassSQLNeedsTheProgramWithDrivers(t *testing.T) {
	w := inWorld(t, "[cache]\nclass = \"sql\"\n[cache.sql]\ndialect = \"postgres\"\ndsn = \"postgres://app:s3cret@localhost/shop\"\n")
	out, messages, code := w.run("", "databases")
	golden(t, w.golden, "sql-without-drivers", []string{"databases"}, out+messages, code)
	for _, line := range []string{
		"databases", "caches shop", "clear shop users", "clear shop --all", "delete shop users 42", "clear-tags shop a", "drop shop --yes", "check",
		"databases --dialect postgres --dsn postgres://app:s3cret@localhost/shop",
	} {
		out, messages, code := w.run("", strings.Fields(line)...)
		if code != exitUsage || !strings.Contains(messages, "txcache-sql") || strings.Count(messages, "\n") != 1 || strings.Contains(out+messages, "s3cret") {
			t.Errorf("%s: exit code %d, messages %q", line, code, messages)
		}
	}
	for _, line := range []string{"keys shop users", "get shop users 42", "sweep", "watch", "bench"} {
		if _, messages, code := w.run("", strings.Fields(line)...); code != exitFailed || !strings.Contains(messages, "over class sql") {
			t.Errorf("%s: exit code %d, messages %q", line, code, messages)
		}
	}
	if out, _, code := w.run("", "__complete", "caches", ""); code != exitOK || strings.Contains(out, "shop") {
		t.Errorf("completion prints %q, exit code %d", out, code)
	}
}
