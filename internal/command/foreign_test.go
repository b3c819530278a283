package command

import (
	"bufio"
	"encoding/json"
	"net"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/seed-dad15c92/txcache/internal/codec"
	"github.com/seed-dad15c92/txcache/internal/redistest"
)

// hostile is what a terminal would obey: escape sequences, their one-byte forms,
// what turns the direction of text around, ends of lines.
const hostile = "\x1b[31m\x1b]0;title\x07\x9b2J\u009b2J\u202e\u2028\r\b\x7f\u200b"

// harmless fails the test if text has something that a terminal would obey.
func harmless(t *testing.T, what, text string) {
	t.Helper()
	if !utf8.ValidString(text) {
		t.Errorf("%s: prints bytes that are no text: %q", what, text)
	}
	for _, r := range text {
		if r != '\n' && (unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp)) {
			t.Errorf("%s: prints %q in %q", what, r, text)
			return
		}
	}
}

// everything is a command line of each command, with names of database and cache.
func everything(database, cache string) [][]string {
	return [][]string{
		{"check"}, {"databases"}, {"caches", database}, {"keys", database, cache}, {"get", database, cache, "1"}, {"get", database, cache, hostile[:3]},
		{"clear", database, cache}, {"clear", database, hostile}, {"clear", database, "--all"}, {"sweep"}, {"drop", database}, {"drop", database, "--yes"}, {"drop", hostile, "--yes"},
		{"watch", database, "--timeout", "100ms"}, {"bench", "--duration", "10ms", "--clients", "1"}, {hostile}, {"check", "--" + hostile}, {"check", "--config", hostile},
		{"__complete", "caches", ""}, {"__complete", "clear", database, ""},
	}
}

func TestNothingThatRedisHoldsIsObeyedByATerminal(t *testing.T) {
	server := redistest.Start(t)
	w := inWorld(t, onRedis(server.URI(), ""))
	escaped := percent(hostile)
	// As somebody may have written who can reach the server.
	hash := func(database string) {
		server.Do("HSET", "txcache:"+database+":@", "e", "0"+strings.ReplaceAll(hostile, " ", "")+" 5",
			"f", "id"+hostile[:5]+" 9000000000000 60000 1 "+escaped+"\n", "c"+escaped, hostile+" 5")
	}
	data := dynamic.AppendAbsent(nil, time.Time{})
	value, err := codec.New[any]().Append(nil, map[string]any{hostile: hostile}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	for _, database := range []string{escaped, "shop"} {
		hash(database)
		for _, key := range []string{"i.1", "s." + escaped} {
			server.Do("SET", "txcache:"+database+":"+escaped+"@"+escaped+":0"+escaped+":"+key, data)
			server.Do("SET", "txcache:"+database+":"+escaped+"@"+dynamic.Schema()+":0"+escaped+":"+key, value)
		}
	}
	seen := false
	for _, database := range []string{hostile, "shop"} {
		for _, line := range everything(database, hostile) {
			for _, format := range []string{"", "--json"} {
				args := line
				if format != "" && line[0] != "__complete" {
					args = append(line[:len(line):len(line)], format)
				}
				out, messages, _ := w.run("shop\n", args...)
				harmless(t, strings.Join(args, " "), out+messages)
				seen = seen || strings.Contains(out, `\u001b[31m`) || strings.Contains(out, `\x1b[31m`)
				if format != "" && line[0] != "watch" && line[0] != "__complete" && out != "" && !json.Valid([]byte(out)) {
					t.Errorf("%q prints what is no JSON: %s", args, out)
				}
			}
			hash(escaped)
			hash("shop")
		}
	}
	if !seen {
		t.Error("nothing hostile was shown: the test looks at nothing")
	}
}

// A server may answer anything.
func TestNothingThatAServerAnswersIsObeyedByATerminal(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				for lines := bufio.NewScanner(conn); lines.Scan(); {
					if strings.HasPrefix(lines.Text(), "*") {
						if _, err := conn.Write([]byte("-ERR " + strings.ReplaceAll(hostile, "\r", "") + "\r\n")); err != nil {
							return
						}
					}
				}
			}()
		}
	}()
	w := inWorld(t, onRedis("redis://"+l.Addr().String(), ""))
	seen := false
	for _, line := range everything("shop", "users") {
		out, messages, _ := w.run("shop\n", line...)
		harmless(t, strings.Join(line, " "), out+messages)
		seen = seen || strings.Contains(messages, `\u001b[31m`)
	}
	if !seen {
		t.Error("no answer was shown: the test looks at nothing")
	}
}

// percent writes text as the backend writes a part of a key.
func percent(text string) string {
	var b strings.Builder
	for i := range len(text) {
		const digits = "0123456789ABCDEF"
		b.WriteByte('%')
		b.WriteByte(digits[text[i]>>4])
		b.WriteByte(digits[text[i]&15])
	}
	return b.String()
}
