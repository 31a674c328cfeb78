// Package postrider is the Go client of Postrider, which sends each reseller's email from the reseller's own Microsoft
// 365 mailbox.
//
// A [Client] has every RPC of the API as a method, with the generated types of package postriderv1. Around the generated code it
//
//   - shows the access key with every call, over TLS for an https URL;
//   - gives a call without a deadline one of 30 seconds ([WithTimeout]);
//   - makes a request_id where the caller gave none, so that a mail is never accepted twice by a repeated call;
//   - repeats a call when the service says when to come again, and never past the deadline;
//   - returns errors as [*Error], with the service's reason and all violated fields.
//
// It is safe for use by many goroutines. Make one and keep it.
package postrider

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/postrider/postrider/clients/go/postriderv1"
)

const (
	// DefaultURL is where a service on this machine listens.
	DefaultURL = "http://127.0.0.1:50051"
	// DefaultTimeout ends a call whose context has no deadline.
	DefaultTimeout = 30 * time.Second

	// A page of 1,000 messages with their attempts.
	maxResponseBytes = 64 << 20
)

// Client calls one Postrider service. Every RPC is a method; a stream of changes is [Client.Watch].
type Client struct {
	postriderv1.MailServiceClient
	postriderv1.SettingsServiceClient
	postriderv1.AccessServiceClient

	connection *grpc.ClientConn
	caller     caller
	silence    time.Duration
}

// Option changes how a [Client] connects or calls.
type Option func(*options)

type options struct {
	caFile  string
	timeout time.Duration
	dial    []grpc.DialOption
}

// WithCAFile trusts only the certificate authorities in a PEM file, in place of the system's. It is for an https URL.
func WithCAFile(path string) Option { return func(o *options) { o.caFile = path } }

// WithTimeout sets how long a call whose context has no deadline may last, repeats and waits included.
func WithTimeout(timeout time.Duration) Option { return func(o *options) { o.timeout = timeout } }

// WithDialOptions adds options of grpc-go, such as a stats handler for traces.
func WithDialOptions(dial ...grpc.DialOption) Option {
	return func(o *options) { o.dial = append(o.dial, dial...) }
}

// FromEnvironment makes a [Client] of the service at POSTRIDER_URL (default [DefaultURL]) with the key in POSTRIDER_KEY.
func FromEnvironment(opts ...Option) (*Client, error) {
	key := os.Getenv("POSTRIDER_KEY")
	if key == "" {
		return nil, errors.New("postrider: no access key: set POSTRIDER_KEY; `postrider keys create` makes one")
	}
	target := os.Getenv("POSTRIDER_URL")
	if target == "" {
		target = DefaultURL
	}
	return New(target, key, opts...)
}

// New makes a [Client] of the service at an URL such as https://postrider.example:50051. It connects with the first call.
//
// With http the key and all mail cross the network as they are: that is for this machine, or behind a proxy with TLS.
func New(target, key string, opts ...Option) (*Client, error) {
	set := options{timeout: DefaultTimeout}
	for _, option := range opts {
		option(&set)
	}
	address, transport, err := dialling(target, set.caFile)
	if err != nil {
		return nil, fmt.Errorf("postrider: %w", err)
	}
	calling := caller{timeout: set.timeout}
	dial := append([]grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		grpc.WithPerRPCCredentials(accessKey("Bearer " + strings.TrimSpace(key))),
		grpc.WithUnaryInterceptor(calling.unary),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxResponseBytes)),
		// Why: of several replicas behind one name, each is used, and one that leaves is not missed.
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig": [{"round_robin": {}}]}`),
		// Why: grpc-go's own gap grows to two minutes, and a service that is back would long be waited for.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: time.Second, Multiplier: 1.6, Jitter: 0.2, MaxDelay: backoffMost},
			MinConnectTimeout: 5 * time.Second,
		}),
	}, set.dial...)
	connection, err := grpc.NewClient(address, dial...)
	if err != nil {
		return nil, fmt.Errorf("postrider: %w", err)
	}
	return &Client{
		MailServiceClient:     postriderv1.NewMailServiceClient(connection),
		SettingsServiceClient: postriderv1.NewSettingsServiceClient(connection),
		AccessServiceClient:   postriderv1.NewAccessServiceClient(connection),
		connection:            connection,
		caller:                calling,
		silence:               watchSilence,
	}, nil
}

// Close ends the connection and every call on it.
func (c *Client) Close() error { return c.connection.Close() }

// dialling reads the URL: where to connect to, and by which transport.
func dialling(target, caFile string) (string, credentials.TransportCredentials, error) {
	parsed, err := url.Parse(target)
	if err != nil || parsed.Hostname() == "" || strings.Trim(parsed.Path, "/") != "" {
		return "", nil, fmt.Errorf("%q is no URL such as %s", target, DefaultURL)
	}
	switch {
	case parsed.Scheme == "http" && caFile != "":
		return "", nil, errors.New("a CA file is for an https URL")
	case parsed.Scheme == "http":
		return hostPort(parsed, "80"), insecure.NewCredentials(), nil
	case parsed.Scheme != "https":
		return "", nil, fmt.Errorf("%q begins with neither http:// nor https://", target)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return "", nil, fmt.Errorf("the CA file cannot be read: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return "", nil, fmt.Errorf("there is no PEM certificate in %s", caFile)
		}
	}
	return hostPort(parsed, "443"), credentials.NewTLS(config), nil
}

func hostPort(parsed *url.URL, port string) string {
	if parsed.Port() == "" {
		return parsed.Host + ":" + port
	}
	return parsed.Host
}

// accessKey is shown as it is, over plain HTTP/2 too: whether that is safe is said by the URL's scheme.
type accessKey string

func (k accessKey) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": string(k)}, nil
}

func (accessKey) RequireTransportSecurity() bool { return false }
