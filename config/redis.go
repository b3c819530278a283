package config

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Redis is the configuration of the Redis backend, the table [cache.redis].
// Printing it hides the password and the credentials in the URI.
type Redis struct {
	// URI says where Redis is. Its scheme is redis, unix, redis+sentinel or
	// redis+cluster, or with TLS rediss, rediss+sentinel or rediss+cluster.
	// Those of Sentinel and Cluster take several hosts, separated by commas.
	// Default "redis://localhost:6379/0".
	URI string `toml:"uri"`

	// Duration is the time to live of a value whose cache sets none.
	// At least 1ms, as for all durations here. Default 12h.
	Duration time.Duration `toml:"duration"`

	// Fence is the lease of a fence, at least 100ms. It must outlive a renewal: at
	// least three times Timeout, and DialTimeout and Timeout together. Default 1m.
	Fence time.Duration `toml:"fence"`

	// Lease is how long a process has to load a value while others wait for it,
	// for caches that set none of their own; 0, the default, is none: each
	// process loads for itself.
	Lease time.Duration `toml:"lease"`

	// Term is for how long, with SyncLease, a server uses a state without asking: from
	// 1ms to half of Wait. Default 0, which stands for half of Wait.
	Term time.Duration `toml:"term"`

	// Wait is for how long, at most, a commit that clears waits for a server with
	// SyncLease that does not answer: from 2ms to 20s, the same in all
	// servers of a deployment, whatever their Sync, if any of them has SyncLease. Default 0,
	// which stands for 2s, and says that no other server has SyncLease.
	Wait time.Duration `toml:"wait"`

	// Near keeps decoded values in the process too. Default true.
	Near bool `toml:"near"`

	// DialTimeout limits how long connecting may take. Default 200ms.
	DialTimeout time.Duration `toml:"dial_timeout"`

	// Timeout limits how long a call may take. Default 500ms.
	Timeout time.Duration `toml:"timeout"`

	// PoolSize is how many connections are kept for each server, at most
	// 65535; 0, the default, leaves it to the client.
	PoolSize int `toml:"pool_size"`

	// LargestValue is how much memory the encoded form of a value may take; a
	// larger one stays in the process that set it. At most 512MB; 0, the
	// default, stands for 64MB.
	LargestValue Bytes `toml:"largest_value"`

	// CAFile, CertFile and KeyFile are the paths of PEM files: the authorities
	// to trust instead of the system's, and the client's certificate with its
	// key, which go together. ServerName is the name to expect in the server's
	// certificate instead of the host. All of them need a URI with TLS.
	CAFile     string `toml:"ca_file,omitempty"`
	CertFile   string `toml:"cert_file,omitempty"`
	KeyFile    string `toml:"key_file,omitempty"`
	ServerName string `toml:"server_name,omitempty"`

	// Username and Password are the credentials, if the URI has none.
	Username string `toml:"username,omitempty"`
	Password string `toml:"password,omitempty"`
}

// defaultLargestValue is the LargestValue that 0 stands for.
const defaultLargestValue Bytes = 64_000_000

// A location is what a URI says, as far as it is checked here.
type location struct {
	tls         bool
	credentials bool   // it has a user, a password or both
	shown       string // the URI without them
}

var schemes = []string{"redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster"}

// locate takes uri apart. What is wrong with it, if anything, is said in words
// that show nothing of it: any of its parts may be a piece of a password that
// ought to have been escaped. For the same reason it is stricter than url.Parse.
func locate(uri string) (l location, wrong string) {
	scheme, rest, ok := strings.Cut(uri, "://")
	switch {
	case uri == "":
		return l, "found nothing"
	case !ok || !slices.Contains(schemes, scheme):
		return l, "found an unknown scheme"
	case strings.Contains(rest, "#"):
		return l, "found a # (within a password, write it %23)"
	}
	begin, end := authority(uri)
	part, tail := uri[begin:end], uri[end:]
	if strings.Contains(tail, "@") {
		return l, "found an @ after the host (within a password, write / as %2F and ? as %3F)"
	}
	at := strings.LastIndex(part, "@") + 1
	user, hosts := part[:at], []string{part[at:]}
	if wrong := unfit(strings.TrimSuffix(user, "@")); wrong != "" {
		return l, wrong
	}
	if strings.HasSuffix(scheme, "+sentinel") || strings.HasSuffix(scheme, "+cluster") {
		hosts = strings.Split(hosts[0], ",") // url.Parse takes but one
	}
	var u *url.URL
	for _, host := range hosts {
		var err error
		// The error is dropped because it quotes the URI.
		if u, err = url.Parse(scheme + "://" + user + host + tail); err != nil {
			return l, "found a malformed URI"
		}
		if wrong := misplaced(u); wrong != "" {
			return l, wrong
		}
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return l, "found a malformed query"
	}

	if wrong := misasked(u, query); wrong != "" {
		return l, wrong
	}

	l.tls = strings.HasPrefix(scheme, "rediss")
	l.credentials = at > 0
	l.shown = scheme + "://"
	if at > 0 {
		l.shown += hidden + "@"
	}
	l.shown += strings.Join(hosts, ",") + u.EscapedPath()
	if u.RawQuery != "" {
		l.shown += "?" + hidden
	}
	return l, ""
}

// unfit says which character of user and password a URI cannot have, and what to
// do about it.
func unfit(user string) string {
	const remedy = "; a variable, as in redis://:${PASSWORD}@host, and the keys username and password need no such care"
	for i := range len(user) {
		switch c := user[i]; {
		case c >= 0x80:
			return "found a character in the user or password that is not ASCII, and must be percent-encoded as UTF-8" + remedy
		case c < ' ' || c == 0x7f:
			return "found a control character in the user or password, which must be percent-encoded" + remedy
		case c == '%' && (i+2 >= len(user) || !isHex(user[i+1]) || !isHex(user[i+2])):
			return "found a % in the user or password that begins no percent-encoding; a % itself is written %25" + remedy
		case strings.IndexByte(" \"<>[]\\^`{|}", c) >= 0:
			return fmt.Sprintf("found a %q in the user or password, which must be written %%%02X", c, c) + remedy
		}
	}
	return ""
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// misplaced says what is wrong with the host, the port or the path of u.
func misplaced(u *url.URL) string {
	if u.Scheme == "unix" {
		switch {
		case u.Host != "":
			return "found a host in the URI of a socket"
		case strings.Trim(u.Path, "/") == "":
			return "found no path of a socket"
		}
		return ""
	}
	if u.Hostname() == "" {
		return "found no host"
	}
	if strings.Contains(u.Host, ",") {
		return "found several hosts with a scheme that takes one"
	}
	if port, err := strconv.Atoi(u.Port()); u.Port() != "" && (err != nil || port < 1 || port > 65535) {
		return "found a port that is not between 1 and 65535"
	}
	path := strings.Trim(u.Path, "/")
	switch u.Scheme {
	case "redis", "rediss":
		if path != "" && !isNumber(path) {
			return "found a path that is not the number of a database"
		}
	case "redis+sentinel", "rediss+sentinel":
		master, number, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
		number = strings.TrimSuffix(number, "/")
		switch {
		case master == "":
			return "found no name of a master, as in redis+sentinel://host/master"
		case number != "" && !isNumber(number):
			return "found a path that does not end with the number of a database"
		}
	case "redis+cluster", "rediss+cluster":
		if path != "" && path != "0" {
			return "found a path (a cluster has but database 0)"
		}
	}
	return ""
}

// misasked says what is wrong with the query of u, the path of which is right.
func misasked(u *url.URL, query url.Values) string {
	sentinel := strings.HasSuffix(u.Scheme, "+sentinel")
	for _, name := range slices.Sorted(maps.Keys(query)) {
		switch {
		case name != "db" && name != "sentinel_username" && name != "sentinel_password":
			return "found an unknown parameter (there are db, sentinel_username and sentinel_password)"
		case name != "db" && !sentinel:
			return "found a user or password of Sentinels with a scheme that has none"
		case len(query[name]) > 1:
			return "found a parameter twice"
		}
	}
	if !query.Has("db") {
		return ""
	}
	path := strings.Trim(u.Path, "/")
	if sentinel {
		_, path, _ = strings.Cut(path, "/")
	}
	db := query.Get("db")
	switch {
	case !isNumber(db):
		return "found a db that is not the number of a database"
	case path != "" && u.Scheme != "unix":
		return "found the number of a database in the path and in the query"
	case strings.HasSuffix(u.Scheme, "+cluster") && db != "0":
		return "found a db (a cluster has but database 0)"
	}
	return ""
}

func isNumber(text string) bool {
	n, err := strconv.Atoi(text)
	return err == nil && n >= 0
}
