package config

import (
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strings"
	"unicode/utf8"
)

// reference matches what expand replaces, and a ${ that begins nothing.
var reference = regexp.MustCompile(`\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$\{`)

// expand replaces each ${NAME} in text by the value of that environment
// variable, and $${ by ${. What is wrong, if anything, is said without showing
// text, as it may be a password.
func expand(text string) (expanded, wrong string) {
	return expandAs(text, func(_ int, value string) string { return value })
}

// expandAs is expand with a function that says what stands for the value of a
// variable that is named at an offset of text.
func expandAs(text string, as func(at int, value string) string) (expanded, wrong string) {
	var b strings.Builder
	end := 0 // of what is in b
	for _, at := range reference.FindAllStringIndex(text, -1) {
		b.WriteString(text[end:at[0]])
		end = at[1]
		switch match := text[at[0]:at[1]]; match {
		case "$${":
			b.WriteString("${")
		case "${":
			wrong = "found a ${ that begins no ${NAME}; expected $${ for a literal ${"
		default:
			value, ok := os.LookupEnv(match[len("${") : len(match)-len("}")])
			if !ok {
				wrong = fmt.Sprintf("found %s, which the environment does not set; expected it set, or $${ for a literal ${", match)
			} else if !utf8.ValidString(value) {
				wrong = fmt.Sprintf("found %s, whose value is not UTF-8; expected UTF-8", match)
			}
			b.WriteString(as(at[0], value))
		}
	}
	b.WriteString(text[end:])
	return b.String(), wrong
}

// uriKey is the key whose value expandURI fills in.
const uriKey = "cache.redis.uri"

// expandURI is expand for a URI: what the environment gives for a part of a user,
// of a password or of a value of the query is that part as it is, whatever
// characters are in it, and is percent-encoded here. One reference in the place of
// both user and password may hold both, with a colon between them. The rest of a
// URI, or a whole one, comes from the environment as it is.
func expandURI(text string) (expanded, wrong string) {
	begin, end := authority(text)
	at := begin + max(0, strings.LastIndexByte(text[begin:end], '@')) // the end of user and password
	query := len(text)
	if q := strings.IndexByte(text[end:], '?'); q >= 0 {
		query = end + q
	}
	return expandAs(text, func(offset int, value string) string {
		switch {
		case begin <= offset && offset < at:
			user, password, both := strings.Cut(value, ":")
			if whole := text[begin:at]; both && strings.HasPrefix(whole, "${") && strings.IndexByte(whole, '}') == len(whole)-1 {
				return percentEncode(user) + ":" + percentEncode(password)
			}
			return percentEncode(value)
		case offset > query && strings.LastIndexByte(text[:offset], '=') > query:
			return percentEncode(value)
		}
		return value
	})
}

// authority returns where the part of a URI between its scheme and its path is. It
// is empty in a text that is no URI.
func authority(uri string) (begin, end int) {
	begin = strings.Index(uri, "://")
	if begin < 0 {
		return 0, 0
	}
	begin += len("://")
	if n := strings.IndexAny(uri[begin:], "/?"); n >= 0 {
		return begin, begin + n
	}
	return begin, len(uri)
}

// percentEncode returns text in the form that stands for it everywhere in a URI.
func percentEncode(text string) string {
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}

// literal returns text as a file must have it for expand to return it again.
func literal(text string) string { return strings.ReplaceAll(text, "${", "$${") }
