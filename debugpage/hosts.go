package debugpage

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// A page that is reached by its address alone, as on localhost or behind a
// firewall, can be had by any site through the browser of somebody who reaches it:
// the site lets its own name point at that address (DNS rebinding). For the browser
// page and site are then of one origin. What tells them apart is the name that the
// request was made for, so that of a site must not be answered.

// misdirected reports whether r was made for a name that the page does not have.
func (o *Options) misdirected(r *http.Request) bool {
	if !o.Actions && len(o.Hosts) == 0 && !atHome(r) {
		return false
	}
	host := bare(r.Host)
	if _, err := netip.ParseAddr(host); err == nil {
		return false // no site can have it
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return false
	}
	return !slices.ContainsFunc(o.Hosts, func(name string) bool { return bare(name) == host })
}

// atHome reports whether r came to an address that only this machine has.
func atHome(r *http.Request) bool {
	addr, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return false
	}
	a, err := netip.ParseAddrPort(addr.String())
	return err == nil && a.Addr().Unmap().IsLoopback()
}

// bare returns the name or the address of a host, without its port.
func bare(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		host = host[1 : len(host)-1]
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}
