package debugpage

import (
	"html/template"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// narrow is a space that keeps a figure on one line.
const narrow = "\u202f"

const none = "–"

var functions = template.FuncMap{
	"count":   func(n any) string { return count(float(n)) },
	"bytes":   func(n any) string { return memory(float(n)) },
	"number":  func(n any) string { return number(float(n)) },
	"percent": func(n any) string { return percent(float(n)) },
	"seconds": func(n any) string { return seconds(float(n)) },
	"clock":   func(t time.Time) string { return t.UTC().Format("15:04:05") },
	"stamp":   func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"columns": func() []column { return columns },
	"spark":   spark,
	"cleared": cleared,
}

func orNaN(v *float64) float64 {
	if v == nil {
		return math.NaN()
	}
	return *v
}

func float(n any) float64 {
	switch v := reflect.Indirect(reflect.ValueOf(n)); {
	case v.CanInt():
		return float64(v.Int())
	case v.CanUint():
		return float64(v.Uint())
	case v.CanFloat():
		return v.Float()
	}
	return math.NaN()
}

// number returns v for programs.
func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// count returns a number with its digits in groups of three; from ten millions
// on, three or four digits and a unit.
func memory(v float64) string {
	units := []string{"B", "kB", "MB", "GB", "TB", "PB"}
	for len(units) > 1 && v >= 9999.5 {
		v, units = v/1000, units[1:]
	}
	return grouped(strconv.FormatFloat(v, 'f', 0, 64)) + "\u00a0" + units[0]
}

func count(v float64) string {
	units := []string{"M", "G", "T", "P", "E"}
	switch {
	case math.IsNaN(v):
		return none
	case v < 1e7:
		return grouped(strconv.FormatFloat(v, 'f', 0, 64))
	}
	v /= 1e6
	i := 0
	for ; v >= 999.95 && i < len(units)-1; i++ {
		v /= 1000
	}
	return strconv.FormatFloat(v, 'f', 1, 64) + narrow + units[i]
}

func grouped(digits string) string {
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 && digits[i-1] != '-' {
			b.WriteString(narrow)
		}
		b.WriteRune(d)
	}
	return b.String()
}

// percent never rounds up to all, nor down to none.
func percent(r float64) string {
	switch {
	case math.IsNaN(r):
		return none
	case r > 0.999 && r < 1:
		r = 0.999
	case r > 0 && r < 0.001:
		r = 0.001
	}
	return strconv.FormatFloat(100*r, 'f', 1, 64) + narrow + "%"
}

// seconds returns a length of time in the unit that suits it.
func seconds(s float64) string {
	switch {
	case math.IsNaN(s):
		return none
	case s == 0:
		return "0" + narrow + "s"
	case s < 1e-6:
		return strconv.FormatFloat(s*1e9, 'f', 0, 64) + narrow + "ns"
	case s < 1e-3:
		return strconv.FormatFloat(s*1e6, 'f', 0, 64) + narrow + "µs"
	case s < 1:
		return strconv.FormatFloat(s*1e3, 'f', 1, 64) + narrow + "ms"
	case s < 100:
		return strconv.FormatFloat(s, 'f', 2, 64) + narrow + "s"
	default:
		return time.Duration(s * float64(time.Second)).Round(time.Second).String()
	}
}
