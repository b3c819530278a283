// Package loads shows what Load and LoadMany promise: which callers share a
// loader, in a process and by leases between processes, what is remembered as
// absent, what is refreshed early or returned although it has expired, and what
// is verified.
package loads
