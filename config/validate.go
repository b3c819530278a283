package config

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/BurntSushi/toml"

	"github.com/seed-dad15c92/txcache/internal/limits"
)

// expected says what each key takes, where its type alone does not.
var expected = map[string]string{
	"cache.class":           `"memory", "redis", "sql" or the import path of a registered backend`,
	"cache.prefix":          `a name of the deployment such as "txcache"`,
	"cache.size":            "a number of values, 1 or more",
	"cache.memory":          `an amount of memory such as "256MB", a share of what there is such as "25%", or "unlimited"`,
	"cache.overlay_size":    "a number of values, or 0 for the default",
	"cache.sync":            `"begin", "lease", "channel" or a duration such as "5m"`,
	"cache.outage":          `"refuse" or "commit"`,
	"cache.redis.uri":       `a URI such as "redis://localhost:6379/0"; the schemes are ` + strings.Join(schemes, ", "),
	"cache.redis.lease":     `a duration such as "2s", or "0s" for none`,
	"cache.redis.term":      `a duration from 1ms to half of cache.redis.wait, or "0s" for that half`,
	"cache.redis.wait":      `a duration from 2ms to 20s, or "0s" for the default`,
	"cache.redis.pool_size": "a number of connections from 0 to 65535",

	"cache.sql.dialect": `"postgres", "mysql" or "sqlite"`,
	"cache.sql.dsn":     `the address of the database, as the driver takes it, such as "${DATABASE_URL}"`,
	"cache.sql.table":   `a name such as "txcache_clear", perhaps with that of a schema in front`,
	"cache.sql.values":  `"memory" or "redis"`,

	"cache.redis.largest_value": `an amount of memory such as "64MB", at most "512MB"`,
}

// problems returns what is wrong with c, in the order of its fields.
func (c *Config) problems() problems {
	var ps problems
	report := func(key, found, text string) {
		ps = append(ps, problem{keys: []string{key}, found: found, text: text + "; expected " + expected[key]})
	}

	if c.Class == "" {
		report("cache.class", `""`, "is empty")
	}
	if c.Prefix == "" {
		report("cache.prefix", `""`, "is empty")
	} else if !utf8.ValidString(c.Prefix) {
		report("cache.prefix", quote(c.Prefix), "is not valid UTF-8")
	} else if len(c.Prefix) > limits.MaxName {
		report("cache.prefix", "", tooLong(c.Prefix))
	}
	if c.Size < 1 {
		report("cache.size", strconv.Itoa(c.Size), "is not positive")
	}
	if c.OverlaySize < 0 {
		report("cache.overlay_size", strconv.Itoa(c.OverlaySize), "is negative")
	}
	if _, wrong := c.Memory.parse(); wrong != "" {
		report("cache.memory", quote(string(c.Memory)), wrong)
	}
	if s := c.Sync; s != SyncBegin && s != SyncLease && s != SyncChannel {
		if _, wrong := parseDuration(string(s)); wrong != "" {
			report("cache.sync", quote(string(s)), wrong)
		} else if s.Every() < shortest {
			report("cache.sync", quote(string(s)), "is shorter than 1ms")
		}
	}
	if c.Outage != OutageRefuse && c.Outage != OutageCommit {
		report("cache.outage", quote(string(c.Outage)), "is unknown")
	}
	for _, name := range slices.Sorted(maps.Keys(c.Sizes)) {
		key := toml.Key{"cache", "sizes", name}.String()
		if name == "" || !utf8.ValidString(name) {
			ps = append(ps, problem{keys: []string{key}, text: "found a name that is empty or not valid UTF-8; expected the name of a cache"})
		} else if len(name) > limits.MaxName {
			ps = append(ps, problem{keys: []string{"cache.sizes"}, text: "found a name that " + tooLong(name) + "; expected the name of a cache"})
		} else if size := c.Sizes[name]; size < 1 {
			ps = append(ps, problem{keys: []string{key}, found: strconv.Itoa(size), text: "is not positive; expected " + expected["cache.size"]})
		}
	}
	redis := c.Redis.problems(report) // which changes ps too
	ps = append(ps, redis...)
	sql := c.SQL.problems(c.Class, report)
	return append(ps, sql...)
}

// tooLong says how long a name is that is too long to be shown.
func tooLong(name string) string {
	return fmt.Sprintf("has %d bytes, more than %d", len(name), limits.MaxName)
}

// shortest is the unit of Redis for times to live; anything below would be 0.
const shortest = time.Millisecond

// problems calls report for the keys that are wrong by themselves, and returns
// those that are at odds with others.
func (r *Redis) problems(report func(key, found, text string)) (ps problems) {
	at, wrong := locate(r.URI)
	if wrong != "" {
		report("cache.redis.uri", "", wrong)
	}
	model := Default().Redis
	for _, d := range []struct {
		name               string
		value, least, such time.Duration
	}{
		{"duration", r.Duration, shortest, model.Duration},
		{"fence", r.Fence, limits.ShortestFence, model.Fence},
		{"dial_timeout", r.DialTimeout, shortest, model.DialTimeout},
		{"timeout", r.Timeout, shortest, model.Timeout},
	} {
		if d.value < d.least {
			ps = append(ps, problem{
				keys:  []string{"cache.redis." + d.name},
				found: quote(formatDuration(d.value)),
				text:  "is shorter than " + formatDuration(d.least) + "; expected " + suchAs(d.such),
			})
		}
	}
	if r.Lease != 0 && r.Lease < shortest {
		report("cache.redis.lease", quote(formatDuration(r.Lease)), "is shorter than 1ms")
	}
	if r.Wait != 0 && (r.Wait < 2*shortest || r.Wait > limits.LongestWait) {
		report("cache.redis.wait", quote(formatDuration(r.Wait)), "is out of range")
	} else if half := cmp.Or(r.Wait, limits.DefaultWait) / 2; r.Term != 0 && (r.Term < shortest || r.Term > half) {
		report("cache.redis.term", quote(formatDuration(r.Term)), "is out of range")
	}
	if r.PoolSize < 0 || r.PoolSize > 65535 {
		report("cache.redis.pool_size", strconv.Itoa(r.PoolSize), "is out of range")
	}
	if r.LargestValue < 0 || r.LargestValue > 512_000_000 {
		report("cache.redis.largest_value", quote(r.LargestValue.String()), "is out of range")
	}

	// Divided and subtracted rather than multiplied and added: no overflow.
	fence := problem{found: quote(formatDuration(r.Fence))}
	if r.Fence/3 < r.Timeout {
		fence.keys = []string{"cache.redis.fence", "cache.redis.timeout"}
		fence.text = fmt.Sprintf("is shorter than three times cache.redis.timeout (%s); expected a lease that outlives it", formatDuration(r.Timeout))
	} else if r.Fence-r.Timeout < r.DialTimeout {
		fence.keys = []string{"cache.redis.fence", "cache.redis.dial_timeout", "cache.redis.timeout"}
		fence.text = fmt.Sprintf("is shorter than cache.redis.dial_timeout (%s) and cache.redis.timeout (%s) together; expected a lease that outlives them",
			formatDuration(r.DialTimeout), formatDuration(r.Timeout))
	}
	// A lease or a limit that is wrong by itself has been reported above.
	if fence.keys != nil && r.Fence >= limits.ShortestFence && min(r.Timeout, r.DialTimeout) >= shortest {
		ps = append(ps, fence)
	}
	return append(ps, r.conflicts(at, wrong == "")...)
}

// conflicts returns the keys that do not go together. Whether the URI is one
// with TLS is known only if it is valid.
func (r *Redis) conflicts(at location, valid bool) (ps problems) {
	clash := func(text string, names ...string) {
		for i := range names {
			names[i] = "cache.redis." + names[i]
		}
		ps = append(ps, problem{keys: names, text: text})
	}
	for _, o := range []struct{ name, value string }{
		{"ca_file", r.CAFile}, {"cert_file", r.CertFile}, {"key_file", r.KeyFile}, {"server_name", r.ServerName},
	} {
		if o.value != "" && valid && !at.tls {
			clash("found an option of TLS with a cache.redis.uri without TLS; expected a scheme such as rediss", o.name, "uri")
		}
	}
	if r.CertFile != "" && r.KeyFile == "" {
		clash("found a certificate without its key; expected cache.redis.key_file too", "cert_file", "key_file")
	}
	if r.KeyFile != "" && r.CertFile == "" {
		clash("found a key without its certificate; expected cache.redis.cert_file too", "key_file", "cert_file")
	}
	for _, o := range []struct{ name, value string }{{"username", r.Username}, {"password", r.Password}} {
		if o.value != "" && at.credentials {
			clash("found credentials both here and in cache.redis.uri; expected them in one place", o.name, "uri")
		}
	}
	return ps
}
