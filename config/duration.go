package config

import (
	"strconv"
	"strings"
	"time"
)

// parseDuration reads a duration with its unit, or says what s is instead.
func parseDuration(s string) (d time.Duration, wrong string) {
	// ParseDuration takes a 0 without a unit.
	if strings.ContainsAny(s, "0123456789") && strings.Trim(s, "+-.0123456789") == "" {
		return 0, "is a number without a unit"
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, "is not a duration"
	}
	return d, ""
}

// formatDuration writes d without the zeros that [time.Duration.String] ends in.
func formatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// suchAs is what is expected where a duration is, with the default as example.
func suchAs(d time.Duration) string {
	if d <= 0 {
		d = time.Minute
	}
	return "a duration such as " + strconv.Quote(formatDuration(d))
}
