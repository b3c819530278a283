package backendtest

import "strings"

// hostileNames are valid names that a backend may take for something else:
// separators, globs, hash tags, escapes, blanks, its own fields, and names that
// are equal for those who fold case, trim, cut or normalise.
var hostileNames = []string{
	"a", "b", "A", "a ", " a", " ", "aa", "0", "00", "-1",
	"a:b", "b:c", "a:", ":a", ":", "::", "a/b", "/", "..", "../a", ".", "a.b", "a|b", "a#b", "a,b", "a;b", "a@b", "@", "a=b", "a&b", "a-b", "a_b",
	"*", "a*", "?", "[a]", "[^a]", "[a-b]", "{a}", "{a", "a}", "{}", "{a}b", "(a)", "$a", "^a", "!",
	"%", "%3A", "%2", "a%3Ab", "\\", "a\\:b", "\\x00", "+", "a+b", "~", "_",
	"\x00", "a\x00", "\x00a", "a\x00b", "\n", "\r\n", "\t", "\x7f", "'", "\"", "`", "--",
	"é", "e\u0301", "É", "日本", "😀", "\u200b", "\u202ea", "\ufeff", "\ufffd", "ß", "ss", "İ", "i",
	"epoch", "base", "version", "run", "fence", "fences", "caches", "nil", "null", "true", "__proto__",
	strings.Repeat("x", 255), strings.Repeat("x", 254), strings.Repeat("x", 254) + "y", "y" + strings.Repeat("x", 254),
	strings.Repeat(":", 255), strings.Repeat("日", 85),
}

// separators are those at which a backend may join names. Two names, cut at
// another one of two separators, are the same when they are joined.
var separators = []string{"", ":", "::", "/", ".", "|", "@", "#", "-", "_", ",", ";", "\x00", "\n", " ", "%", "\\", "}", "{", "+", "="}
