package main

import (
	"fmt"
	"io"
	"strings"
)

// A narrator prints the story, and counts what was not as told.
type narrator struct {
	out      io.Writer
	chapters int
	wrong    int
}

// say prints a line of text as it is.
func (n *narrator) say(format string, args ...any) {
	fmt.Fprintf(n.out, format+"\n", args...)
}

// chapter begins a chapter.
func (n *narrator) chapter(title, text string) {
	n.chapters++
	heading := fmt.Sprintf("%d. %s", n.chapters, title)
	n.say("\n%s\n%s\n%s\n", heading, strings.Repeat("─", len([]rune(heading))), text)
}

// step prints what is being done.
func (n *narrator) step(format string, args ...any) {
	n.say("   "+format, args...)
}

const column = 46

// see prints what was observed, and whether that is as it should be.
func (n *narrator) see(what, got, want string) {
	dots := strings.Repeat(".", max(column-len([]rune(what)), 3))
	if got == want {
		n.say(" ✓ %s %s %s", what, dots, got)
		return
	}
	n.wrong++
	n.say(" ✗ %s %s %s  (should be: %s)", what, dots, got, want)
}
