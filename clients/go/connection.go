package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// With this, grpc itself tries a call again that no server was there for. Streams it leaves to those
// who know where to go on, because it does not repeat a call that was answered in part.
const retries = `{"methodConfig": [{
	"name": [{}],
	"retryPolicy": {
		"maxAttempts": 5,
		"initialBackoff": "0.2s",
		"maxBackoff": "3s",
		"backoffMultiplier": 2,
		"retryableStatusCodes": ["UNAVAILABLE"]
	}
}]}`

// connect returns a connection to a server; each of its calls has the credential. With TLS, the
// server is trusted by the authorities in caFile, or those of the system if that is empty.
func connect(server, token, caFile string) (*grpc.ClientConn, error) {
	address, err := parseAddress(server)
	if err != nil {
		return nil, err
	}
	transport := insecure.NewCredentials()
	if address.tls {
		authorities, err := readAuthorities(caFile)
		if err != nil {
			return nil, err
		}
		transport = credentials.NewTLS(&tls.Config{RootCAs: authorities})
	}
	return grpc.NewClient(
		address.hostAndPort,
		grpc.WithTransportCredentials(transport),
		grpc.WithPerRPCCredentials(bearer(token)),
		grpc.WithDefaultServiceConfig(retries),
	)
}

// readAuthorities returns those in a PEM file, or nil, which means those of the system.
func readAuthorities(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("STARDAG_CA_FILE: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("STARDAG_CA_FILE: %s holds no certificate in PEM", file)
	}
	return pool, nil
}

// bearer is a credential that goes with each call.
type bearer string

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

// RequireTransportSecurity returns false because parseAddress sees to it where it matters.
func (bearer) RequireTransportSecurity() bool { return false }
