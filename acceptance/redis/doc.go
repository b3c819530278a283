// Package redis shows that the promises hold over Redis: over servers that
// restart, fail over, run out of memory or fall silent, with values and keys that
// are damaged, and with processes of this program that are killed or stopped.
package redis
