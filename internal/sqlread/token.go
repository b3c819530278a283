package sqlread

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A token is a word, a name in quotes, or one other character. Numbers are words; comments
// are nothing; a string is a token without text.
type token struct {
	text   string // of a word in upper case, of a name as it is
	raw    string // of a word as it is
	quoted bool   // a name in quotes
}

var errOpen = errors.New("a string, a name or a comment does not end")

// scan returns the tokens of sql. In MySQL a backslash in a string escapes what follows,
// double quotes are those of strings, and # begins a comment.
func scan(sql string, mysql bool) (tokens []token, err error) {
	for sql != "" {
		r, size := utf8.DecodeRuneInString(sql)
		switch {
		case unicode.IsSpace(r):
			sql = sql[size:]
		case strings.HasPrefix(sql, "--"), mysql && r == '#':
			_, sql, _ = strings.Cut(sql, "\n")
		case mysql && strings.HasPrefix(sql, "/*!"): // MySQL executes it
			i := strings.Index(sql, "*/")
			if i < 0 {
				return nil, errOpen
			}
			sql = strings.TrimLeft(sql[3:i], "M0123456789") + " " + sql[i+2:]
		case strings.HasPrefix(sql, "/*"):
			if sql, err = afterComment(sql, mysql); err != nil {
				return nil, err
			}
		case r == '\'' || mysql && r == '"':
			escapes := mysql
			if n := len(tokens); !mysql && n > 0 && tokens[n-1].text == "E" && tokens[n-1].raw != "" {
				escapes = true // PostgreSQL's E'…'
			}
			if _, sql, err = quoted(sql, byte(r), escapes); err != nil {
				return nil, err
			}
			tokens = append(tokens, token{})
		case r == '"' || r == '`' || r == '[' && isBracketed(sql, tokens):
			end := byte(r)
			if r == '[' {
				end = ']'
			}
			var name string
			if name, sql, err = quoted(sql, end, false); err != nil {
				return nil, err
			}
			tokens = append(tokens, token{text: name, quoted: true})
		case r == '$' && !mysql && dollar(sql) != "":
			tag := dollar(sql)
			_, rest, ok := strings.Cut(sql[len(tag):], tag)
			if !ok {
				return nil, errOpen
			}
			sql = rest
			tokens = append(tokens, token{})
		case isWord(r):
			i := strings.IndexFunc(sql, func(r rune) bool { return !isWord(r) && r != '$' })
			if i < 0 {
				i = len(sql)
			}
			tokens = append(tokens, token{text: strings.ToUpper(sql[:i]), raw: sql[:i]})
			sql = sql[i:]
		default:
			tokens = append(tokens, token{text: sql[:size]})
			sql = sql[size:]
		}
	}
	return tokens, nil
}

func isWord(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }

// isBracketed reports whether sql begins with a name in brackets, as SQLite has them: in
// PostgreSQL a subscript follows a name, a parenthesis or ARRAY at once.
func isBracketed(sql string, tokens []token) bool {
	r, _ := utf8.DecodeRuneInString(sql[1:])
	if !unicode.IsLetter(r) && r != '_' || !strings.Contains(sql, "]") {
		return false
	}
	if len(tokens) == 0 {
		return true
	}
	switch last := tokens[len(tokens)-1]; last.text {
	case "INTO", "UPDATE", "FROM", "TABLE", "JOIN", ",", ".", "ONLY", "IGNORE":
		return true
	default:
		return false
	}
}

// quoted returns what is between the quotes at the begin of sql, and what follows. A quote
// that is doubled is part of it.
func quoted(sql string, quote byte, escapes bool) (in, rest string, err error) {
	var b strings.Builder
	for i := 1; i < len(sql); i++ {
		switch {
		case escapes && sql[i] == '\\':
			i++
		case sql[i] != quote:
			b.WriteByte(sql[i])
		case i+1 < len(sql) && sql[i+1] == quote && quote != ']':
			b.WriteByte(quote)
			i++
		default:
			return b.String(), sql[i+1:], nil
		}
	}
	return "", "", errOpen
}

// afterComment returns what follows the comment at the begin of sql. Those of
// PostgreSQL nest.
func afterComment(sql string, mysql bool) (string, error) {
	for i, depth := 2, 1; i+1 < len(sql); i++ {
		switch sql[i : i+2] {
		case "/*":
			if !mysql {
				depth++
				i++
			}
		case "*/":
			if depth--; depth == 0 {
				return sql[i+2:], nil
			}
			i++
		}
	}
	return "", errOpen
}

// dollar returns the opening quote of a string of PostgreSQL such as $$ or $tag$, "" if there is none.
func dollar(sql string) string {
	i := strings.IndexByte(sql[1:], '$')
	if i < 0 {
		return ""
	}
	tag := sql[1 : i+1]
	for j, r := range tag {
		if !isWord(r) || j == 0 && unicode.IsDigit(r) {
			return ""
		}
	}
	return sql[:i+2]
}
