package redisbackend

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/seed-dad15c92/txcache/config"
)

// Open returns a Backend with connections of its own, as cfg says. The server
// need not be up: what is asked of the Backend fails until it is. An error says
// which setting cannot be used; none shows any part of a URI or a password.
//
// The URI is one of
//
//	redis://user:password@host:6379/0
//	unix://user:password@/path/of/socket?db=0
//	redis+sentinel://user:password@host1:26379,host2:26379/master/0
//	redis+cluster://user:password@host1:6379,host2:6379
//
// or has a scheme that starts with rediss instead of redis, for TLS. User and
// password are those of Redis; sentinels that ask for others take them as
// ?sentinel_username= and ?sentinel_password=.
func Open(ctx context.Context, cfg *config.Config) (*Backend, error) {
	return open(ctx, cfg, false)
}

// open is Open, and makes what a Values has.
func open(ctx context.Context, cfg *config.Config, onlyValues bool) (*Backend, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	options, err := clientOptions(&cfg.Redis)
	if err != nil {
		return nil, fmt.Errorf("txcache: cache.redis: %w", err)
	}
	var client redis.UniversalClient
	switch {
	case options.cluster:
		cluster := options.Cluster()
		cluster.DisableRoutingPolicies = true // they are for commands without a key
		client = redis.NewClusterClient(cluster)
	case options.MasterName != "":
		client = redis.NewFailoverClient(options.Failover())
	default:
		simple := options.Simple()
		if options.socket {
			simple.Network = "unix"
		}
		client = redis.NewClient(simple)
	}
	b, err := newBackend(client, &Options{
		Prefix:   cfg.Prefix,
		Duration: cfg.Redis.Duration,
		Timeout:  cfg.Redis.DialTimeout + cfg.Redis.Timeout,
		Channel:  cfg.Sync == config.SyncChannel,
		Lease:    cfg.Sync == config.SyncLease,
		Term:     cfg.Redis.Term,
		Wait:     cfg.Redis.Wait,

		LargestValue: int(cfg.Redis.LargestValue),
	}, onlyValues)
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	b.owned = true
	return b, nil
}

// connection is what a configuration says of how to connect.
type connection struct {
	redis.UniversalOptions
	cluster, socket bool
}

func clientOptions(c *config.Redis) (*connection, error) {
	o, err := parseURI(c.URI)
	if err != nil {
		return nil, err
	}
	if o.Username == "" && o.Password == "" {
		o.Username, o.Password = c.Username, c.Password
	}
	if o.TLSConfig, err = tlsConfig(c, strings.HasPrefix(c.URI, "rediss")); err != nil {
		return nil, err
	}
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = c.DialTimeout, c.Timeout, c.Timeout, c.Timeout
	o.PoolSize = c.PoolSize
	o.PipelinePoolSize = -1 // pipelines share the connections
	o.ContextTimeoutEnabled = true
	// A failed call is not repeated by the client, which would do so for
	// seconds; what it is worth is known here.
	o.MaxRetries, o.DialerRetries = -1, 1
	o.DisableIdentity = true // two commands less for an ACL to allow
	// A connection must not move to another server unseen.
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return o, nil
}

// errURI shows nothing of the URI, any part of which may be a secret.
var errURI = errors.New("uri: malformed; expected redis://, unix://, redis+sentinel:// or redis+cluster://, or with TLS rediss…://")

// parseURI takes a URI apart. It does not use url.Parse on the whole, which
// takes but one host.
func parseURI(uri string) (*connection, error) {
	scheme, rest, ok := strings.Cut(uri, "://")
	if !ok {
		return nil, errURI
	}
	rest, query, _ := strings.Cut(rest, "?")
	authority, path, _ := strings.Cut(rest, "/")
	user, hosts := "", authority
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		user, hosts = authority[:at], authority[at+1:]
	}
	o := &connection{}
	if err := o.setUser(user); err != nil {
		return nil, err
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, errURI
	}
	db := values.Get("db")
	o.SentinelUsername, o.SentinelPassword = values.Get("sentinel_username"), values.Get("sentinel_password")
	for key := range values {
		if key != "db" && key != "sentinel_username" && key != "sentinel_password" {
			return nil, errors.New("uri: unknown parameter; expected db, sentinel_username or sentinel_password")
		}
	}
	port := "6379"
	switch strings.Replace(scheme, "rediss", "redis", 1) {
	case "redis":
		if path != "" {
			db = path
		}
		if strings.Contains(hosts, ",") {
			return nil, errors.New("uri: several hosts; expected them with redis+sentinel or redis+cluster only")
		}
	case "redis+cluster":
		o.cluster = true
		if path = strings.Trim(path, "/"); path != "" && path != "0" || db != "" && db != "0" {
			return nil, errors.New("uri: a cluster has but database 0")
		}
	case "redis+sentinel":
		port = "26379"
		name, number, _ := strings.Cut(path, "/")
		if o.MasterName, err = url.PathUnescape(name); err != nil || o.MasterName == "" {
			return nil, errors.New("uri: no name of a master; expected redis+sentinel://host1,host2/master")
		}
		if number != "" {
			db = number
		}
	case "unix":
		o.socket = true
		socket, err := url.PathUnescape("/" + path)
		if err != nil || path == "" || hosts != "" {
			return nil, errors.New("uri: no path of a socket; expected unix:///path")
		}
		o.Addrs = []string{socket}
	default:
		return nil, errURI
	}
	if db = strings.TrimSuffix(db, "/"); db != "" {
		if o.DB, err = strconv.Atoi(db); err != nil || o.DB < 0 {
			return nil, errors.New("uri: not the number of a database")
		}
	}
	if o.socket {
		return o, nil
	}
	for host := range strings.SplitSeq(hosts, ",") {
		u, err := url.Parse("redis://" + host)
		if err != nil || u.Hostname() == "" || u.Host != host {
			return nil, errURI
		}
		if u.Port() != "" {
			o.Addrs = append(o.Addrs, net.JoinHostPort(u.Hostname(), u.Port()))
		} else {
			o.Addrs = append(o.Addrs, net.JoinHostPort(u.Hostname(), port))
		}
	}
	return o, nil
}

func (o *connection) setUser(user string) error {
	name, password, _ := strings.Cut(user, ":")
	var err1, err2 error
	o.Username, err1 = url.PathUnescape(name)
	o.Password, err2 = url.PathUnescape(password)
	if err1 != nil || err2 != nil {
		return errURI
	}
	return nil
}

// tlsConfig returns nil where no TLS is wanted.
func tlsConfig(c *config.Redis, wanted bool) (*tls.Config, error) {
	if !wanted {
		if c.CAFile != "" || c.CertFile != "" || c.KeyFile != "" || c.ServerName != "" {
			return nil, errors.New("uri: no TLS, which ca_file, cert_file, key_file and server_name need; expected rediss://")
		}
		return nil, nil
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.ServerName}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("ca_file: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca_file: no certificate in %s", c.CAFile)
		}
	}
	if c.CertFile != "" || c.KeyFile != "" {
		cert, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("cert_file, key_file: %w", err)
		}
		t.Certificates = []tls.Certificate{cert}
	}
	return t, nil
}
