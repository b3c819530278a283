package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/internal/command"
	"github.com/seed-dad15c92/txcache/internal/mariadbtest"
	"github.com/seed-dad15c92/txcache/internal/postgrestest"
	"github.com/seed-dad15c92/txcache/sqlbackend"
)

var all = []string{
	"check", "databases", "caches shop", "clear shop users", "clear shop --all --force", "delete shop users 42", "clear-tags shop a --force", "drop shop --yes",
}

// expect runs each line, which must end with that code and messages that contain says.
func expect(t *testing.T, code int, says string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		out, messages, got := run(t, "", strings.Fields(line)...)
		if got != code || !strings.HasPrefix(messages, "txcache-sql: ") || !strings.Contains(messages, says) {
			t.Errorf("%s: exit code %d, expected %d; messages %q, expected %q", line, got, code, messages, says)
		}
		if !strings.HasPrefix(line, "check") && out != "" {
			t.Errorf("%s: prints %q", line, out)
		}
	}
}

func TestDatabaseThatIsAway(t *testing.T) {
	folder := t.TempDir() // in which there is no socket
	for _, e := range []*engine{
		{"postgres", "pgx", "host=" + folder + " user=app password=s3cret database=shop"},
		{"mysql", "mysql", "app:s3cret@unix(" + filepath.Join(folder, "socket") + ")/shop"},
	} {
		e.configure(t)
		expect(t, 3, "connecting to the database", all...)
	}
}

func TestTableThatIsMissing(t *testing.T) {
	onEach(t, func(t *testing.T, e *engine) {
		e.configure(t)
		expect(t, 1, "CREATE TABLE", "databases", "caches shop", "clear shop users", "drop shop --yes")
		if out := must(t, "check"); !strings.Contains(out, "CREATE TABLE") || !strings.Contains(out, "a service creates it when it first begins") {
			t.Errorf("check prints\n%s", out)
		}
		expect(t, 1, "CREATE TABLE", "databases") // so it was not created
		must(t, "clear", "shop", "users", "--force")
		if out := must(t, "databases"); !strings.Contains(out, "shop") {
			t.Errorf("databases prints\n%s", out)
		}
		column := map[string]string{"postgres": "database", "mysql": "`database`", "sqlite": "database"}[e.dialect]
		e.exec(t, "CREATE TABLE other (id int)", "INSERT INTO other VALUES (1)", "CREATE TABLE short (id int, "+column+" varchar(100), token bigint, n bigint)")
		t.Setenv("TXCACHE_DSN", e.dsn)
		if _, messages, code := run(t, "", "check", "--dialect", e.dialect, "--table", "other"); code != 1 || !strings.Contains(messages, "another one than that of clears") {
			t.Errorf("over another table check has exit code %d, messages %q", code, messages)
		}
		expect(t, 1, "another one than that of clears", "databases --dialect "+e.dialect+" --table other", "check --dialect "+e.dialect+" --table short")
	})
}

func TestRightsThatAreMissing(t *testing.T) {
	t.Run("postgres", func(t *testing.T) {
		e := &engine{"postgres", "pgx", postgrestest.Start(t).URI("postgres")}
		e.exec(t, "CREATE ROLE app LOGIN", "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
		rights(t, e, e.as("app", ""), "txcache_clear", "app")
	})
	t.Run("mysql", func(t *testing.T) {
		server := mariadbtest.Start(t)
		e := &engine{"mysql", "mysql", server.DSN("test")}
		e.exec(t, "CREATE DATABASE shop", "CREATE USER app", "CREATE TABLE shop.product (id int)", "GRANT SELECT ON shop.product TO app")
		e.dsn = server.DSN("shop")
		rights(t, e, e.as("app", ""), "txcache_clear", "app")
	})
}

// rights looks what the commands say to a user whom e grants one right after the other.
func rights(t *testing.T, e, app *engine, table, user string) {
	app.configure(t)
	out, messages, code := run(t, "", "check")
	if code != 1 || !strings.Contains(out, "CREATE TABLE") || !strings.Contains(messages, "it cannot create one") {
		t.Errorf("without a table check has exit code %d, messages %q, output\n%s", code, messages, out)
	}
	var dialect sqlbackend.Dialect
	if err := dialect.UnmarshalText([]byte(e.dialect)); err != nil {
		t.Fatal(err)
	}
	e.exec(t, sqlbackend.DDL(dialect, ""))
	const lacks = "The user lacks rights"
	expect(t, 1, lacks, all[1:]...)
	if e.dialect == "postgres" { // MySQL says the same as if it were missing
		expect(t, 1, lacks, "check")
	}
	e.exec(t, "GRANT SELECT ON "+table+" TO "+user)
	expect(t, 1, lacks, "check", "clear shop users --force", "clear-tags shop a --force", "drop shop --yes --force")
	if out := must(t, "databases"); !strings.Contains(out, "DATABASE") {
		t.Errorf("databases prints\n%s", out)
	}
	e.exec(t, "GRANT INSERT, DELETE ON "+table+" TO "+user)
	if out := must(t, "check"); !strings.Contains(out, "may not update the table") {
		t.Errorf("without UPDATE check prints\n%s", out)
	}
	e.exec(t, "GRANT UPDATE ON "+table+" TO "+user)
	if out := must(t, "check"); strings.Contains(out, "may not update the table") {
		t.Errorf("with all rights check prints\n%s", out)
	}
}

func TestWhatIsWrongWithADatabase(t *testing.T) {
	t.Run("postgres", func(t *testing.T) {
		server := postgrestest.Start(t)
		e := &engine{"postgres", "pgx", server.URI("postgres")}
		e.configure(t)
		serve(t).fill(t)
		e.exec(t, "CREATE ROLE app LOGIN", "GRANT SELECT, INSERT, UPDATE, DELETE ON txcache_clear TO app", "ALTER TABLE txcache_clear ENABLE ROW LEVEL SECURITY",
			"CREATE POLICY writes ON txcache_clear FOR INSERT WITH CHECK (true)")
		e.as("app", "").configure(t)
		expect(t, 1, "docs/sql.md", "check")
		if out, _, _ := run(t, "", "check"); !strings.Contains(out, "row-level security") {
			t.Errorf("check prints\n%s", out)
		}
		(&engine{"postgres", "pgx", server.URI("nowhere")}).configure(t)
		expect(t, 1, "no database of that name", all...)
		e.exec(t, "ALTER ROLE postgres SET default_transaction_isolation = 'repeatable read'")
		e.configure(t)
		if out := must(t, "check"); !strings.Contains(out, "its hits are exact") {
			t.Errorf("check prints\n%s", out)
		}
		(&engine{"postgres", "pgx", server.Standby(t).URI("postgres")}).configure(t)
		if out, messages, code := run(t, "", "check"); code != 3 || !strings.Contains(out, "a replica") || !strings.Contains(messages, "Name the primary") {
			t.Errorf("on a standby check has exit code %d, messages %q, output\n%s", code, messages, out)
		}
		must(t, "databases")
		expect(t, 3, "Name the primary", "clear shop users")
	})
	t.Run("mysql", func(t *testing.T) {
		server := mariadbtest.Start(t)
		e := &engine{"mysql", "mysql", server.DSN("test")}
		e.exec(t, "CREATE TABLE loose (id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, `database` varchar(190) COLLATE utf8mb4_bin NOT NULL, token bigint NOT NULL, n bigint NOT NULL, clears mediumtext NOT NULL) ENGINE=MyISAM")
		e.exec(t, "CREATE TABLE folded (id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, `database` varchar(190) COLLATE utf8mb4_general_ci NOT NULL, token bigint NOT NULL, n bigint NOT NULL, clears mediumtext NOT NULL) ENGINE=InnoDB")
		e.exec(t, "CREATE TABLE short (id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, `database` varchar(190) COLLATE utf8mb4_bin NOT NULL, token bigint NOT NULL, n bigint NOT NULL, clears varchar(100) NOT NULL) ENGINE=InnoDB")
		t.Setenv("TXCACHE_DSN", e.dsn)
		for table, says := range map[string]string{"loose": "must be one of InnoDB", "folded": "upper and lower case", "short": "clears"} {
			out, messages, code := run(t, "", "check", "--dialect", "mysql", "--table", table)
			if code != 1 || !strings.Contains(out, says) || messages == "" {
				t.Errorf("over %s check has exit code %d, messages %q, output\n%s", table, code, messages, out)
			}
		}
		if out := must(t, "databases", "--dialect", "mysql", "--table", "loose"); strings.Count(out, "\n") > 1 {
			t.Errorf("check has left\n%s", out)
		}
		(&engine{"mysql", "mysql", server.DSN("nowhere")}).configure(t)
		expect(t, 1, "no database of that name", all...)
	})
	t.Run("sqlite", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "missing.db")
		e := &engine{"sqlite", "sqlite", "file:" + file}
		e.configure(t)
		expect(t, 1, "does not exist", all...)
		if _, err := os.Stat(file); err == nil {
			t.Error("looking has created a file")
		}
		if err := os.WriteFile(file, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
			t.Fatal(err)
		}
		expect(t, 1, "none of SQLite", all...)
		(&engine{"sqlite", "sqlite", ":memory:"}).configure(t)
		expect(t, 2, "cannot be seen from outside", all...)
	})
}

// Whatever is wrong, no password is shown.
func TestNothingSecretIsShown(t *testing.T) {
	const secret = "sw0rdfish"
	server := postgrestest.Start(t)
	postgres := &engine{"postgres", "pgx", server.URI("postgres")}
	postgres.exec(t, "CREATE ROLE app LOGIN PASSWORD '"+secret+"'", "GRANT CREATE ON SCHEMA public TO app")
	if err := os.WriteFile(filepath.Join(server.Dir, "data", "pg_hba.conf"), []byte("host all app all scram-sha-256\nhost all postgres all trust\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	postgres.exec(t, "SELECT pg_reload_conf()")
	postgres.as("app", "wrong").configure(t)
	for { // the server takes note of it a moment later
		if _, messages, _ := run(t, "", "databases"); strings.Contains(messages, "no such user and password") {
			break
		}
	}
	maria := &engine{"mysql", "mysql", mariadbtest.Start(t).DSN("test")}
	maria.exec(t, "CREATE USER app IDENTIFIED BY '"+secret+"'", "GRANT ALL ON test.* TO app")
	for _, e := range []*engine{postgres, maria} {
		for password, right := range map[string]bool{secret: true, secret + "-not": false} {
			e := e.as("app", password)
			direct := []string{"--dialect", e.dialect, "--dsn", e.dsn}
			for _, way := range []string{"file", "environment", "flag"} {
				e.configure(t)
				for _, line := range append([]string{"check --json -v"}, all...) {
					args := strings.Fields(line)
					switch way {
					case "environment":
						t.Setenv("TXCACHE_DSN", e.dsn)
						args = append(args, direct[:2]...)
					case "flag":
						args = append(args, direct...)
					}
					out, messages, code := run(t, "", args...)
					if strings.Contains(out+messages, secret) {
						t.Errorf("%s %s by %s prints\n%s%s", e.dialect, line, way, out, messages)
					}
					if !right && (code != 1 || !strings.Contains(messages, "no such user and password")) {
						t.Errorf("%s %s by %s: exit code %d, messages %q", e.dialect, line, way, code, messages)
					}
					if right && line == "check" && (code != 0 || !strings.Contains(out, "***")) {
						t.Errorf("%s %s by %s: exit code %d, messages %q, output\n%s", e.dialect, line, way, code, messages, out)
					}
				}
			}
		}
	}
}

func TestUsage(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("TXCACHE_DSN", "")
	for line, says := range map[string]string{
		"check":                                    "no configuration file",
		"databases --dsn file:x.db":                "go with --dialect",
		"databases --table x":                      "go with --dialect",
		"databases --dialect postgres":             "TXCACHE_DSN",
		"databases --dialect oracle --dsn x":       `"postgres", "mysql" or "sqlite"`,
		"databases --dialect sqlite --dsn x -c a":  "either name a configuration file",
		"databases --dialect mysql --dsn nonsense": "cache.sql.dsn",
		"clear shop --dialect sqlite --dsn file:x": "name the caches to clear",
	} {
		expect(t, 2, says, line)
	}
	expect(t, 1, "connecting", "databases --dialect postgres --dsn postgres://app@127.0.0.1:port/shop", "databases --dialect postgres --dsn a://b:c")
	e := sqlite(t)
	t.Setenv("TXCACHE_DSN", e.dsn)
	expect(t, 2, "cache.sql.table", "databases --dialect sqlite --table a;b")
	text := fmt.Sprintf("[cache]\nclass = \"sql\"\n[cache.sql]\ndialect = \"sqlite\"\ndsn = %q\ndriver = \"sqlite3\"\n", e.dsn)
	if err := os.WriteFile("cache.toml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	expect(t, 2, "this program has the drivers mysql, pgx, ", all...)
	e.configure(t)
	for _, line := range []string{"get shop users 1", "keys shop users", "sweep", "watch", "bench"} {
		expect(t, 1, "over class sql", line)
	}
	if out := must(t, "check", "--dialect", "sqlite", "--json"); !strings.Contains(out, `"software": "SQLite`) {
		t.Errorf("check prints\n%s", out)
	}
	if out := must(t, "help", "clear"); !strings.Contains(out, "  txcache-sql --config cache.toml clear") {
		t.Errorf("help prints\n%s", out)
	}
	if out := must(t, "completion", "bash"); !strings.Contains(out, "txcache-sql") {
		t.Error("the script is for another program")
	}
}

// What nobody answers is given up when it is interrupted.
func TestInterrupt(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // which takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	accepted := make(chan struct{}, 1000)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			accepted <- struct{}{}
		}
	}()
	for _, e := range []*engine{
		{"postgres", "pgx", "postgres://app:s3cret@" + l.Addr().String() + "/shop?sslmode=disable"},
		{"mysql", "mysql", "app:s3cret@tcp(" + l.Addr().String() + ")/shop"},
	} {
		e.configure(t)
		for _, line := range all {
			ctx, interrupt := context.WithCancel(t.Context())
			ended := make(chan int, 1)
			go func() {
				ended <- command.Run(ctx, "txcache-sql", strings.Fields(line), command.Terminal{In: strings.NewReader(""), Out: io.Discard, Messages: io.Discard})
			}()
			<-accepted
			interrupt()
			select {
			case code := <-ended:
				if code != 130 {
					t.Errorf("%s: exit code %d", line, code)
				}
			case <-time.After(20 * time.Second):
				t.Fatalf("%s goes on after it was interrupted", line)
			}
		}
		expect(t, 1, "--timeout 100ms", "databases --timeout 100ms")
		<-accepted
	}
}
