package sqlbackend

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/seed-dad15c92/txcache/internal/inspect"
)

// A template is a DSN with inspect.SQLDatabase in the place of the name of the database, or in a part of it: each
// tenant has an SQL database of its own. The name of a tenant can change nothing else in the DSN.
type template struct {
	dialect             Dialect
	before, name, after string // of the DSN
	isURL               bool
}

// newTemplate returns the template that a DSN is, nil if it is none.
func newTemplate(dialect Dialect, dsn string) (*template, error) {
	if !strings.Contains(dsn, inspect.SQLDatabase) {
		return nil, nil
	}
	t := &template{dialect: dialect}
	begin, end := t.place(dsn)
	t.before, t.name, t.after = dsn[:begin], dsn[begin:end], dsn[end:]
	if strings.Contains(t.before+"\x00"+t.after, inspect.SQLDatabase) {
		return nil, fmt.Errorf("%s may stand in the name of the database only, as in %s", inspect.SQLDatabase, examples[dialect])
	}
	if dialect == Postgres && named.MatchString(t.after) {
		return nil, fmt.Errorf("the database is named a second time behind %s, and drivers take the last name", inspect.SQLDatabase)
	}
	return t, nil
}

// named matches the name of a database among the settings of PostgreSQL.
var named = regexp.MustCompile(`[?&\s](dbname|database)\s*=`)

var examples = map[Dialect]string{
	Postgres: "postgres://host/{database} and host=… dbname={database}",
	MySQL:    "tcp(host)/{database}",
	SQLite:   "file:data/{database}.db",
}

// place returns where the name of the database is in a DSN; it is found as drivers find it.
func (t *template) place(dsn string) (begin, end int) {
	until := func(from int, stops string) int {
		if i := strings.IndexAny(dsn[from:], stops); i >= 0 {
			return from + i
		}
		return len(dsn)
	}
	switch t.dialect {
	case SQLite:
		return 0, until(0, "?")
	case MySQL:
		begin = strings.LastIndexByte(dsn, '/') + 1
		return begin, until(begin, "?")
	}
	for _, scheme := range []string{"postgres://", "postgresql://"} {
		if strings.HasPrefix(dsn, scheme) {
			t.isURL = true
			end = until(0, "?#")
			if i := strings.IndexByte(dsn[:end][len(scheme):], '/'); i >= 0 {
				return len(scheme) + i + 1, end
			}
			return end, end
		}
	}
	for begin < len(dsn) {
		end = until(begin, " \t\r\n")
		for _, key := range []string{"dbname=", "database="} {
			if strings.HasPrefix(dsn[begin:end], key) {
				return begin + len(key), end
			}
		}
		begin = end + 1
	}
	return len(dsn), len(dsn)
}

// of returns the DSN of the database of a tenant.
func (t *template) of(tenant string) (dsn string, err error) {
	name, text := t.name, tenant
	if tenant == "" {
		return "", errors.New("the dsn needs the name of one")
	}
	if t.isURL {
		if i := strings.IndexFunc(tenant, func(r rune) bool { return r < ' ' || r == 0x7f || r == '/' }); i >= 0 {
			return "", errors.New("its name has a slash or a control character, so it cannot be that of an SQL database")
		}
		if name, err = url.PathUnescape(name); err != nil {
			return "", errors.New("the driver cannot read the name of the database in the dsn")
		}
		text = escape(tenant)
	} else {
		if strings.Trim(tenant, letters+"0123456789_.-") != "" || strings.Contains(tenant, "..") || tenant == "." {
			return "", errors.New("its name cannot be put into the dsn; such names are made of ASCII letters, digits, underscores, hyphens and single dots")
		}
	}
	// PostgreSQL would cut the rest off, and so find another database.
	if name = strings.ReplaceAll(name, inspect.SQLDatabase, tenant); t.dialect == Postgres && len(strings.Trim(name, "'")) > 63 {
		return "", fmt.Errorf("the name of its SQL database would have %d bytes, and PostgreSQL takes 63", len(name))
	}
	if t.dialect == SQLite {
		for _, suffix := range []string{"-wal", "-shm", "-journal"} {
			if strings.HasSuffix(name, suffix) {
				return "", fmt.Errorf("its file would end with %s, as files do that SQLite keeps beside that of another database", suffix)
			}
		}
	}
	return t.before + strings.ReplaceAll(t.name, inspect.SQLDatabase, text) + t.after, nil
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// escape escapes all that could mean something in a URL.
func escape(name string) string {
	const plain = letters + "0123456789_-"
	var b strings.Builder
	for i := range len(name) {
		if c := name[i]; strings.IndexByte(plain, c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// file returns the path of the file that a DSN of SQLite names, "" if it names none.
func file(dsn string) string {
	path, query, _ := strings.Cut(dsn, "?")
	if strings.Contains(path, ":memory:") || strings.Contains(query, "mode=memory") || strings.Contains(query, "vfs=") {
		return ""
	}
	rest, isURI := strings.CutPrefix(path, "file:")
	if !isURI {
		return path
	}
	if authority, ok := strings.CutPrefix(rest, "//"); ok {
		i := strings.IndexByte(authority, '/')
		if i < 0 {
			return ""
		}
		rest = authority[i:]
	}
	if plain, err := url.PathUnescape(rest); err == nil {
		return plain
	}
	return rest
}
