package sqlread_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache/internal/sqlread"
)

func TestTablesThatStatementsChange(t *testing.T) {
	for sql, want := range map[string]string{
		"SELECT 1":                         "",
		"SELECT * FROM product FOR UPDATE": "",
		"select * from product p for no key update of p":                                                   "",
		"SELECT 'UPDATE product SET a = 1'":                                                                "",
		"SELECT 1 -- ; DELETE FROM product":                                                                "",
		"SELECT 1 /* ; DELETE FROM product */":                                                             "",
		"SELECT 1 /* /* nested */ ; DELETE FROM tax */":                                                    "tax", // in MySQL comments do not nest
		"SELECT $$; DELETE FROM product$$, $a$ $$; DELETE FROM tax $a$":                                    "",
		"SELECT (update), (delete), insert FROM permission":                                                "",
		"SELECT upper(replace(name, 'a', 'b')), truncate(price, 2) FROM product":                           "",
		"SELECT a[i], b[1] FROM product":                                                                   "",
		"CREATE TABLE a (id int REFERENCES b ON DELETE CASCADE ON UPDATE CASCADE)":                         "",
		"EXPLAIN UPDATE product SET a = 1":                                                                 "",
		"CREATE TRIGGER t AFTER INSERT ON a BEGIN UPDATE b SET c = 1; DELETE FROM d; END; DELETE FROM tax": "tax",
		"CREATE DEFINER = CURRENT_USER() PROCEDURE p() BEGIN IF x THEN DELETE FROM d; END IF; BEGIN DELETE FROM d; END; END; DELETE FROM tax": "tax",
		"CREATE TRIGGER t AFTER INSERT ON a FOR EACH ROW EXECUTE FUNCTION f(); DELETE FROM tax":                                               "tax",
		"CREATE TABLE event (begin int, \"end\" int); DELETE FROM tax":                                                                        "tax",
		"COPY product TO STDOUT":    "",
		"COPY (SELECT 1) TO STDOUT": "",

		"INSERT INTO product VALUES (1)":                                                  "product",
		"insert into Public.Product (id, update) values ($1, 2)":                          "Public.Product",
		`INSERT INTO "pub"."Pro""duct" VALUES (1)`:                                        `pub.Pro"duct`,
		"INSERT INTO `shop`.`product` VALUES (1)":                                         "shop.product",
		"INSERT INTO [product] VALUES (1)":                                                "product",
		"INSERT OR IGNORE INTO product VALUES (1)":                                        "product",
		"INSERT IGNORE product VALUES (1)":                                                "product",
		"INSERT INTO product SELECT * FROM old":                                           "product",
		"INSERT INTO product VALUES (1) ON CONFLICT (id) DO UPDATE SET a = 1":             "product",
		"INSERT INTO product VALUES (1) ON DUPLICATE KEY UPDATE a = 1":                    "product",
		"INSERT INTO product VALUES ('it''s; DELETE FROM tax', ?)":                        "product",
		`INSERT INTO product VALUES ('a\'; DELETE FROM tax; --')`:                         "product tax", // in one of the dialects it does
		`INSERT INTO product VALUES (E'a\'; DELETE FROM tax; --')`:                        "product",
		"REPLACE INTO product VALUES (1)":                                                 "product",
		"UPDATE product SET a = 1":                                                        "product",
		"/* shop */ UPDATE ONLY product AS p SET a = 1 FROM tax WHERE p.b = tax.b":        "product",
		"UPDATE product p SET a = (SELECT max(b) FROM tax)":                               "product",
		"UPDATE OR REPLACE product SET a = 1":                                             "product",
		"UPDATE product p JOIN tax t ON p.tax = t.id SET p.price = t.rate WHERE t.id = 1": "product",
		"UPDATE product p, tax t SET p.a = 1, t.b = f(1, 2)":                              "product tax",
		"UPDATE product p, tax t SET a = 1":                                               "product tax",
		"DELETE FROM product WHERE id = 1":                                                "product",
		"DELETE FROM product p USING tax t WHERE p.b = t.b":                               "product",
		"DELETE p FROM product AS p JOIN tax t ON p.b = t.b WHERE t.c":                    "product",
		"DELETE FROM p, t USING product p JOIN tax t":                                     "product tax",
		"TRUNCATE product":                                                       "product",
		"TRUNCATE TABLE ONLY a.product, tax CASCADE":                             "a.product tax",
		"COPY product (id, price) FROM STDIN":                                    "product",
		"LOAD DATA LOCAL INFILE 'f' INTO TABLE product FIELDS TERMINATED BY ','": "product",
		"MERGE INTO product p USING tax t ON p.b = t.b WHEN MATCHED THEN UPDATE SET a = 1 WHEN NOT MATCHED THEN INSERT (a) VALUES (1)": "product",
		"WITH gone AS (DELETE FROM product RETURNING *), old AS MATERIALIZED (SELECT 1) INSERT INTO archive SELECT * FROM gone":        "archive product",
		"WITH a AS (UPDATE product SET x = 1 WHERE id IN (SELECT 1) RETURNING id) SELECT * FROM a":                                     "product",
		"EXPLAIN (ANALYZE, VERBOSE) UPDATE product SET a = 1":                                                                          "product",
		"EXPLAIN ANALYZE DELETE FROM product":                                                                                          "product",
		"UPDATE product SET a = 1; DELETE FROM tax;":                                                                                   "product tax",
		"/*!40000 UPDATE product SET a = 1 */":                                                                                         "product",
		"UPDATE größe SET a = 1":                                                                                                       "größe",
	} {
		statements, err := sqlread.Read(sql)
		if err != nil {
			t.Errorf("%s: %v", sql, err)
		}
		var got []string
		for _, s := range statements {
			got = append(got, s.Tables...)
		}
		slices.Sort(got)
		if got := strings.Join(got, " "); got != want {
			t.Errorf("%s\nchanges %q, want %q", sql, got, want)
		}
	}
}

func TestWhatCannotBeRead(t *testing.T) {
	for _, sql := range []string{
		"UPDATE $1 SET a = 1", "INSERT INTO (SELECT 1)", "DELETE FROM 'product'", "CALL sell(1)", "DO $$ BEGIN DELETE FROM product; END $$",
		"EXECUTE change(1)", "UPDATE \"product SET a = 1", "SELECT 1 /* UPDATE", "TRUNCATE product, ;", "PREPARE p AS UPDATE product SET a = 1",
	} {
		if s, err := sqlread.Read(sql); err == nil {
			t.Errorf("%s: %v, want an error", sql, s)
		}
	}
}

func TestControls(t *testing.T) {
	for sql, want := range map[string]sqlread.Statement{
		"BEGIN":                             {Control: sqlread.Begin},
		"start transaction":                 {Control: sqlread.Begin},
		"COMMIT":                            {Control: sqlread.Commit},
		"rollback work":                     {Control: sqlread.Rollback},
		"SAVEPOINT A":                       {Control: sqlread.Savepoint, Name: "a"},
		"ROLLBACK TO SAVEPOINT \"A\"":       {Control: sqlread.RollbackTo, Name: "A"},
		"SAVE TRAN A":                       {Control: sqlread.Savepoint, Name: "a"},
		"ROLLBACK TRANSACTION A":            {Control: sqlread.RollbackTo, Name: "a"},
		"ROLLBACK TRANSACTION TO A":         {Control: sqlread.RollbackTo, Name: "a"},
		"ROLLBACK TRAN":                     {Control: sqlread.Rollback},
		"ROLLBACK TRANSACTION AND NO CHAIN": {Control: sqlread.Rollback},
		"ROLLBACK WORK TO a":                {Control: sqlread.RollbackTo, Name: "a"},
		"RELEASE SAVEPOINT A":               {Control: sqlread.Release, Name: "a"},
		"release a":                         {Control: sqlread.Release, Name: "a"},
	} {
		got, err := sqlread.Read(sql)
		if err != nil || len(got) != 1 || got[0].Control != want.Control || got[0].Name != want.Name {
			t.Errorf("%s: %+v, %v", sql, got, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add("WITH a AS (UPDATE \"p\" SET x = 'a''b' RETURNING id) DELETE t FROM product t")
	f.Fuzz(func(t *testing.T, sql string) {
		statements, err := sqlread.Read(sql)
		if err != nil && len(statements) > 0 {
			t.Error("statements and an error")
		}
		for _, s := range statements {
			if slices.Contains(s.Tables, "") {
				t.Errorf("a table without a name: %v", statements)
			}
		}
	})
}

func TestControlsAmongOthers(t *testing.T) {
	a := sqlread.Statement{Control: sqlread.RollbackTo, Name: "a"}
	for sql, want := range map[string]struct {
		controls []sqlread.Statement
		others   bool
	}{
		"":                                              {},
		"SELECT 1; DELETE FROM t":                       {},
		"ROLLBACK TO a":                                 {[]sqlread.Statement{a}, false},
		"; ROLLBACK TO a;;":                             {[]sqlread.Statement{a}, false},
		"-- undo\nROLLBACK TO a -- all":                 {[]sqlread.Statement{a}, false},
		"/* undo */ ROLLBACK /**/ TO a":                 {[]sqlread.Statement{a}, false},
		"# undo\nROLLBACK TO a":                         {[]sqlread.Statement{a}, false},
		"SELECT 'x\\'; ROLLBACK TO a":                   {[]sqlread.Statement{a}, true},
		"SELECT ';ROLLBACK TO a'":                       {},
		"SELECT 1; ROLLBACK TO a":                       {[]sqlread.Statement{a}, true},
		"ROLLBACK TO a; ROLLBACK TO a":                  {[]sqlread.Statement{a, a}, false},
		"INSERT INTO t VALUES ('it''s; ROLLBACK TO a')": {},
		"CREATE TRIGGER x AFTER INSERT ON t BEGIN DELETE FROM u; END; ROLLBACK TO a": {[]sqlread.Statement{a}, true},
		"ROLLBACK TO 'a": {},
	} {
		controls, others := sqlread.Controls(sql)
		if !reflect.DeepEqual(controls, want.controls) || others != want.others {
			t.Errorf("%s: %+v, %v; want %+v, %v", sql, controls, others, want.controls, want.others)
		}
	}
}
