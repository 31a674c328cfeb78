package postrider

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/postrider/postrider/clients/go/postriderv1"
)

const key = "pr_test_key"

// service answers each call with the next of its failures, and well when there are none left.
type service struct {
	postriderv1.UnimplementedMailServiceServer
	postriderv1.UnimplementedAccessServiceServer
	postriderv1.UnimplementedSettingsServiceServer

	mutex      sync.Mutex
	failures   []error
	requestIDs []string
	cursors    []string
	keys       []string
	created    int
	opened     chan string
}

func (s *service) next(ctx context.Context) error {
	shown, _ := metadata.FromIncomingContext(ctx)
	s.keys = append(s.keys, shown.Get("authorization")...)
	if len(s.failures) == 0 {
		return nil
	}
	failure := s.failures[0]
	s.failures = s.failures[1:]
	return failure
}

func (s *service) SendMail(ctx context.Context, request *postriderv1.SendMailRequest) (*postriderv1.SendMailResponse, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.requestIDs = append(s.requestIDs, request.GetRequestId())
	if err := s.next(ctx); err != nil {
		return nil, err
	}
	return &postriderv1.SendMailResponse{Message: &postriderv1.Message{MessageId: "m1"}}, nil
}

func (s *service) CreateKey(ctx context.Context, _ *postriderv1.CreateKeyRequest) (*postriderv1.CreateKeyResponse, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.created++
	return &postriderv1.CreateKeyResponse{}, s.next(ctx)
}

// WatchSettingsTest fails as it should, or says one thing and, for a reseller who hangs, nothing more.
func (s *service) WatchSettingsTest(request *postriderv1.WatchSettingsTestRequest, stream grpc.ServerStreamingServer[postriderv1.WatchSettingsTestResponse]) error {
	s.mutex.Lock()
	s.requestIDs = append(s.requestIDs, request.GetRequestId())
	failure := s.next(stream.Context())
	s.mutex.Unlock()
	if failure != nil {
		return failure
	}
	if err := stream.Send(&postriderv1.WatchSettingsTestResponse{}); err != nil {
		return err
	}
	if request.GetReseller() == "hangs" {
		<-stream.Context().Done()
	}
	return nil
}

// WatchMessages says one cursor and one event, then breaks off; from cursor 2 on it stays silent.
func (s *service) WatchMessages(request *postriderv1.WatchMessagesRequest, stream grpc.ServerStreamingServer[postriderv1.WatchMessagesResponse]) error {
	s.mutex.Lock()
	s.cursors = append(s.cursors, request.GetCursor())
	failure := s.next(stream.Context())
	s.mutex.Unlock()
	if s.opened != nil {
		s.opened <- request.GetCursor()
	}
	if request.GetCursor() == "2" {
		<-stream.Context().Done()
		return nil
	}
	next := map[string]string{"": "1", "1": "2"}[request.GetCursor()]
	if err := stream.Send(&postriderv1.WatchMessagesResponse{Cursor: request.GetCursor()}); err != nil {
		return err
	}
	event := &postriderv1.WatchMessagesResponse{Cursor: next, Message: &postriderv1.Message{MessageId: "m" + next}}
	if err := stream.Send(event); err != nil {
		return err
	}
	return failure
}

func refusal(code codes.Code, reason string, details ...protoadapt.MessageV1) error {
	details = append(details, &errdetails.ErrorInfo{Reason: reason, Domain: "postrider"},
		&errdetails.RequestInfo{RequestId: "r1"})
	whole, _ := status.New(code, "no").WithDetails(details...)
	return whole.Err()
}

func retryAfter(delay time.Duration) *errdetails.RetryInfo {
	return &errdetails.RetryInfo{RetryDelay: durationpb.New(delay)}
}

// serve starts the service with TLS, and a client that trusts its authority.
func serve(t *testing.T, s *service) *Client {
	t.Helper()
	transport, err := credentials.NewServerTLSFromFile("../testdata/server.pem", "../testdata/server-key.pem")
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.Creds(transport))
	postriderv1.RegisterMailServiceServer(server, s)
	postriderv1.RegisterAccessServiceServer(server, s)
	postriderv1.RegisterSettingsServiceServer(server, s)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	client, err := New("https://"+listener.Addr().String(), key, WithCAFile("../testdata/ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

func TestABusyServiceIsAskedAgainUnderOneRequestID(t *testing.T) {
	s := &service{failures: []error{
		refusal(codes.ResourceExhausted, "QUEUE_FULL", retryAfter(50*time.Millisecond)),
		refusal(codes.Unavailable, "COMMIT_UNKNOWN", retryAfter(50*time.Millisecond)),
		status.Error(codes.Unavailable, "connection reset"),
	}}
	client := serve(t, s)
	request := &postriderv1.SendMailRequest{Reseller: "acme"}
	begun := time.Now()
	if _, err := client.SendMail(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took < 200*time.Millisecond {
		t.Errorf("came again after %v, sooner than it was told", took)
	}
	if len(s.requestIDs) != 4 || s.requestIDs[0] == "" || len(slices.Compact(s.requestIDs)) != 1 {
		t.Errorf("request ids: %q", s.requestIDs)
	}
	if request.GetRequestId() != "" {
		t.Error("the caller's request was changed")
	}
	if slices.Compact(s.keys)[0] != "Bearer "+key {
		t.Errorf("shown: %q", s.keys)
	}
}

func TestBadInputNamesEveryFieldAndIsNotRepeated(t *testing.T) {
	s := &service{failures: []error{refusal(codes.InvalidArgument, "INVALID_REQUEST", &errdetails.BadRequest{
		FieldViolations: []*errdetails.BadRequest_FieldViolation{
			{Field: "email.to[0].address", Description: "is no address"},
			{Field: "email.subject", Description: "has two lines"},
		},
	})}}
	_, err := serve(t, s).SendMail(t.Context(), &postriderv1.SendMailRequest{})
	var refused *Error
	if !errors.As(err, &refused) {
		t.Fatalf("%T", err)
	}
	want := []Violation{{"email.to[0].address", "is no address"}, {"email.subject", "has two lines"}}
	if refused.Reason != "INVALID_REQUEST" || refused.RequestID != "r1" || !slices.Equal(refused.Violations, want) {
		t.Errorf("%+v", refused)
	}
	if status.Code(err) != codes.InvalidArgument || len(s.requestIDs) != 1 {
		t.Errorf("%v after %d calls", status.Code(err), len(s.requestIDs))
	}
}

func TestAKeyThatMayExistIsNotMadeTwice(t *testing.T) {
	s := &service{failures: []error{refusal(codes.Unavailable, "COMMIT_UNKNOWN", retryAfter(time.Millisecond))}}
	_, err := serve(t, s).CreateKey(t.Context(), &postriderv1.CreateKeyRequest{})
	var refused *Error
	if !errors.As(err, &refused) || refused.Reason != "COMMIT_UNKNOWN" || s.created != 1 {
		t.Errorf("%v after %d calls", err, s.created)
	}
}

func TestADelayBeyondTheDeadlineIsNotWaitedFor(t *testing.T) {
	s := &service{failures: []error{refusal(codes.ResourceExhausted, "QUEUE_FULL", retryAfter(time.Hour))}}
	begun := time.Now()
	_, err := serve(t, s).SendMail(t.Context(), &postriderv1.SendMailRequest{})
	var refused *Error
	if !errors.As(err, &refused) || refused.RetryDelay != time.Hour || time.Since(begun) > 10*time.Second {
		t.Errorf("%v after %v", err, time.Since(begun))
	}
}

func TestADeadlineIsAlsoTheContextsError(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := serve(t, &service{}).SendMail(ctx, &postriderv1.SendMailRequest{})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestABrokenWatchGoesOnFromItsLastCursor(t *testing.T) {
	s := &service{failures: []error{
		refusal(codes.Unavailable, "SHUTTING_DOWN", retryAfter(time.Millisecond)),
	}}
	client := serve(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var seen []string
	for event, err := range client.Watch(ctx, &postriderv1.WatchMessagesRequest{Reseller: "acme"}) {
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, event.GetMessage().GetMessageId())
		if len(seen) == 2 {
			break
		}
	}
	if !slices.Equal(seen, []string{"m1", "m2"}) || !slices.Equal(s.cursors, []string{"", "1"}) {
		t.Errorf("saw %q from cursors %q", seen, s.cursors)
	}
}

func TestARevokedKeyEndsAWatch(t *testing.T) {
	s := &service{failures: []error{refusal(codes.Unauthenticated, "UNAUTHENTICATED")}}
	var last error
	for _, err := range serve(t, s).Watch(t.Context(), &postriderv1.WatchMessagesRequest{}) {
		last = err
	}
	var refused *Error
	if !errors.As(last, &refused) || refused.Reason != "UNAUTHENTICATED" {
		t.Error(last)
	}
}

func TestAWatchThatFellSilentIsTakenUpAgain(t *testing.T) {
	s := &service{opened: make(chan string, 8)}
	client := serve(t, s)
	client.silence = 100 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		for range 3 {
			<-s.opened
		}
	}()
	for _, err := range client.Watch(ctx, &postriderv1.WatchMessagesRequest{Cursor: "2"}) {
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
}

func TestAWatchedTestIsAskedForAgainUnderOneRequestIDAndRefusedAsCallsAre(t *testing.T) {
	s := &service{failures: []error{
		refusal(codes.ResourceExhausted, "OVERLOADED", retryAfter(time.Millisecond)),
		nil,
		refusal(codes.FailedPrecondition, "SETTINGS_MISSING"),
	}}
	client := serve(t, s)
	for _, wanted := range []string{"", "SETTINGS_MISSING"} {
		reason, told := "", 0
		for _, err := range client.WatchSettingsTest(t.Context(), &postriderv1.WatchSettingsTestRequest{Reseller: "acme"}) {
			var failure *Error
			if errors.As(err, &failure) {
				reason = failure.Reason
			} else if err != nil {
				t.Fatal(err)
			} else {
				told++
			}
		}
		if reason != wanted || told != map[string]int{"": 1}[wanted] {
			t.Errorf("%d responses, then %q, not %q", told, reason, wanted)
		}
	}
	if len(s.requestIDs) != 3 || s.requestIDs[0] == "" || s.requestIDs[0] != s.requestIDs[1] || s.requestIDs[1] == s.requestIDs[2] {
		t.Errorf("request ids %q", s.requestIDs)
	}
}

func TestAWatchedTestHasACallsDeadline(t *testing.T) {
	client := serve(t, &service{})
	client.caller.timeout = 100 * time.Millisecond
	var last error
	for _, last = range client.WatchSettingsTest(context.Background(), &postriderv1.WatchSettingsTestRequest{Reseller: "hangs"}) {
	}
	if !errors.Is(last, context.DeadlineExceeded) {
		t.Error(last)
	}
}

func TestAnURLThatIsNoneIsRefusedAtOnce(t *testing.T) {
	for _, target := range []string{"", "127.0.0.1:50051", "ftp://a", "http://a/path"} {
		if _, err := New(target, key); err == nil {
			t.Errorf("%q was taken", target)
		}
	}
}
