package main

import (
	"context"
	"fmt"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// connect returns a connection to host:port; each of its calls has the credential. It is made by
// TLS unless the server is this machine itself, so that no token crosses a network in plain text.
func connect(server, token string) (*grpc.ClientConn, error) {
	host, _, err := net.SplitHostPort(server)
	if err != nil {
		return nil, fmt.Errorf("STARDAG_SERVER is not host:port: %w", err)
	}
	transport := credentials.NewTLS(nil)
	if isLoopback(host) {
		transport = insecure.NewCredentials()
	}
	return grpc.NewClient(
		server,
		grpc.WithTransportCredentials(transport),
		grpc.WithPerRPCCredentials(bearer(token)),
	)
}

func isLoopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// bearer is a credential that goes with each call.
type bearer string

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

// RequireTransportSecurity returns false because connect sees to it where it matters.
func (bearer) RequireTransportSecurity() bool { return false }
