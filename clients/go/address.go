package main

import (
	"fmt"
	"net"
	"net/url"
	"strings"
)

const (
	defaultPort = "7465"
	httpsPort   = "443"
)

// address is where a server is, and whether the way there is encrypted.
type address struct {
	hostAndPort string
	tls         bool
}

// parseAddress reads host, host:port, http://host:port or https://host:port. Without a scheme, this
// machine is called in plain text, and any other by TLS. It refuses plain text to another machine,
// which would show the token to the network.
func parseAddress(text string) (address, error) {
	scheme, _, hasScheme := strings.Cut(text, "://")
	if !hasScheme {
		scheme, text = "", "//"+text
	}
	parsed, err := url.Parse(text)
	if err != nil {
		return address{}, fmt.Errorf("STARDAG_SERVER: %w", err)
	}
	host, port := parsed.Hostname(), parsed.Port()
	if host == "" || strings.Trim(parsed.Path, "/") != "" {
		return address{}, fmt.Errorf("STARDAG_SERVER is %q, and not of the form https://host:port", text)
	}
	if port == "" && scheme == "https" {
		port = httpsPort
	} else if port == "" {
		port = defaultPort
	}
	found := address{net.JoinHostPort(host, port), scheme == "https" || scheme == "" && !isLoopback(host)}
	switch {
	case scheme != "" && scheme != "http" && scheme != "https":
		return address{}, fmt.Errorf("STARDAG_SERVER has the scheme %q; use https://", scheme)
	case !found.tls && !isLoopback(host):
		return address{}, fmt.Errorf("the token would go to %s unencrypted; use https://", found.hostAndPort)
	}
	return found, nil
}

func isLoopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}
