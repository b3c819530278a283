// Package redisbackend keeps generations and values in Redis. It is the
// authority behind class "redis".
//
// # Layout
//
// All keys start with <prefix>:<database>:. Every part is escaped, so that no
// two names meet and none of them means anything to SCAN or to a cluster.
//
//   - <prefix>:<database>:@ is a hash, one a database: its epoch, its version,
//     the server run that wrote it, a token for each cache that was cleared by
//     name, and the fences that stand. Only scripts write it, and they touch
//     no other key, so any slot of a cluster serves.
//   - <prefix>:<database>:<cache>@<schema>:<token>:<key> is a string, one a
//     value, always with a time to live.
//
// # What is trusted
//
// An epoch and a version name one state of a database for good: versions only
// grow within an epoch, and a script that finds the hash missing, damaged, or
// written by another run of a server starts a new epoch. So a plain read of
// the field that holds both is enough to know that nothing changed, as long as the
// process has made no connection since it last ran a script: a new connection
// may lead to another server, or to one that was restored from a snapshot. Where
// a server does not tell its run, a connection that lives proves nothing either,
// and only scripts are asked; one that is no master is refused.
//
// No clock is trusted but the process's own: a fence expires when a process has
// seen it for its time to live without a renewal.
//
// # Outages
//
// Calls wait for a limited time, and after the first that failed a breaker
// answers at once. It closes when a probe in the background, every second at
// most, finds the server able to serve again. See docs/redis.md for operation.
package redisbackend
