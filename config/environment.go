package config

import (
	"fmt"
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
	expanded = reference.ReplaceAllStringFunc(text, func(match string) string {
		switch match {
		case "$${":
			return "${"
		case "${":
			wrong = "found a ${ that begins no ${NAME}; expected $${ for a literal ${"
			return ""
		}
		name := match[len("${") : len(match)-len("}")]
		value, ok := os.LookupEnv(name)
		if !ok {
			wrong = fmt.Sprintf("found %s, which the environment does not set; expected it set, or $${ for a literal ${", match)
		} else if !utf8.ValidString(value) {
			wrong = fmt.Sprintf("found %s, whose value is not UTF-8; expected UTF-8", match)
		}
		return value
	})
	return expanded, wrong
}

// literal returns text as a file must have it for expand to return it again.
func literal(text string) string { return strings.ReplaceAll(text, "${", "$${") }
