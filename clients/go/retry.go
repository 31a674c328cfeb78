package postrider

import (
	"context"
	"math/rand/v2"
	"path"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/postrider/postrider/clients/go/postriderv1"
)

const (
	backoffFirst = 100 * time.Millisecond
	backoffMost  = 5 * time.Second
)

// notRepeatable are the RPCs that must not be made twice when it is not known whether the first one was carried out. All
// others only read, come to the same when repeated, or carry a request_id.
var notRepeatable = map[string]bool{
	"CreateKey": true, "PutSettings": true, "DeleteSettings": true, "RetryMessage": true, "RetryMessages": true,
}

type caller struct{ timeout time.Duration }

// within gives a deadline to a call that has none.
func (c caller) within(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has || c.timeout <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, c.timeout)
}

// unary makes a call, again and again while the service says so and the deadline allows it.
func (c caller) unary(ctx context.Context, method string, request, reply any, connection *grpc.ClientConn,
	invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	ctx, cancel := c.within(ctx)
	defer cancel()
	request = withRequestID(request)
	for attempt := 0; ; attempt++ {
		err := invoke(ctx, method, request, reply, connection, opts...)
		if err == nil {
			return nil
		}
		failure := newError(err)
		delay, again := failure.again(!notRepeatable[path.Base(method)], attempt)
		if !again || !wait(ctx, delay) {
			return failure
		}
	}
}

// again tells whether a call may be repeated, and after how long.
func (e *Error) again(repeatable bool, attempt int) (time.Duration, bool) {
	unknown := e.Reason == "COMMIT_UNKNOWN" || e.Reason == ""
	switch {
	case unknown && !repeatable:
		return 0, false
	case e.RetryDelay > 0:
		return jittered(e.RetryDelay), true
	case e.Reason == "" && e.Code == codes.Unavailable:
		return growing(attempt), true
	default:
		return 0, false
	}
}

func growing(attempt int) time.Duration {
	return jittered(min(backoffFirst<<min(attempt, 10), backoffMost))
}

// jittered is never shorter, for the service's word is a least, and up to a fifth longer, so that callers do not come all at once.
func jittered(delay time.Duration) time.Duration {
	return delay + time.Duration(rand.Int64N(int64(delay)/5+1))
}

// wait is false, at once, where the deadline comes before the delay is over.
func wait(ctx context.Context, delay time.Duration) bool {
	if deadline, has := ctx.Deadline(); has && time.Until(deadline) <= delay {
		return false
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// withRequestID gives a request that may be repeated. The caller's own is left as it is: it may be used for another mail.
func withRequestID(request any) any {
	switch request := request.(type) {
	case *postriderv1.SendMailRequest:
		if request.GetRequestId() == "" {
			request = proto.CloneOf(request)
			request.RequestId = uuid.NewString()
		}
		return request
	case *postriderv1.BatchSendMailRequest:
		request = proto.CloneOf(request)
		for _, item := range request.GetRequests() {
			if item.GetRequestId() == "" {
				item.RequestId = uuid.NewString()
			}
		}
		return request
	case *postriderv1.TestSettingsRequest:
		if request.GetRequestId() == "" {
			request = proto.CloneOf(request)
			request.RequestId = uuid.NewString()
		}
		return request
	case *postriderv1.WatchSettingsTestRequest:
		if request.GetRequestId() == "" {
			request = proto.CloneOf(request)
			request.RequestId = uuid.NewString()
		}
		return request
	default:
		return request
	}
}
