package postrider

import (
	"context"
	"fmt"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Error is what every failed call returns. Get at it by [errors.As].
type Error struct {
	// Code is gRPC's code.
	Code codes.Code
	// Reason is the service's own name for what is wrong, such as INVALID_REQUEST or QUEUE_FULL; the API's comments say
	// which an RPC may give. It is empty where the answer did not come from the service, but from the network before it.
	Reason string
	// Message is for people.
	Message string
	// Violations are all fields that are wrong, where the reason is INVALID_REQUEST.
	Violations []Violation
	// Metadata is what the reason comes with, such as limit_bytes or message_id.
	Metadata map[string]string
	// RequestID names the call in the service's log.
	RequestID string
	// RetryDelay is how long to wait before the call is made again; 0 where the service did not say.
	RetryDelay time.Duration

	status *status.Status
}

// Violation is one field that is wrong, by its path from the request: email.to[1].address.
type Violation struct {
	Field       string
	Description string
}

// Error tells reason, message and fields in one line.
func (e *Error) Error() string {
	var text strings.Builder
	name := e.Reason
	if name == "" {
		name = e.Code.String()
	}
	fmt.Fprintf(&text, "postrider: %s: %s", name, e.Message)
	for _, violation := range e.Violations {
		fmt.Fprintf(&text, "; %s: %s", violation.Field, violation.Description)
	}
	if e.RequestID != "" {
		fmt.Fprintf(&text, " (request %s)", e.RequestID)
	}
	return text.String()
}

// GRPCStatus gives the whole status, with details that have no field here, to status.FromError and its like.
func (e *Error) GRPCStatus() *status.Status { return e.status }

// Is makes errors.Is true for context.Canceled and context.DeadlineExceeded, as for other calls that take a context.
func (e *Error) Is(target error) bool {
	return target == context.Canceled && e.Code == codes.Canceled ||
		target == context.DeadlineExceeded && e.Code == codes.DeadlineExceeded
}

func newError(err error) *Error {
	whole := status.Convert(err)
	found := &Error{Code: whole.Code(), Message: whole.Message(), status: whole}
	for _, detail := range whole.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			found.Reason, found.Metadata = detail.GetReason(), detail.GetMetadata()
		case *errdetails.RequestInfo:
			found.RequestID = detail.GetRequestId()
		case *errdetails.RetryInfo:
			found.RetryDelay = detail.GetRetryDelay().AsDuration()
		case *errdetails.BadRequest:
			for _, field := range detail.GetFieldViolations() {
				found.Violations = append(found.Violations, Violation{field.GetField(), field.GetDescription()})
			}
		}
	}
	return found
}
