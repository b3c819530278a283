// Package report writes what was measured: tables in Markdown, charts in SVG,
// and everything as JSON.
package report
