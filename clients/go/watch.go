package postrider

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/postrider/postrider/clients/go/postriderv1"
)

// The service says something at least every 15 seconds. Three times that without a word is a connection that died unseen.
const watchSilence = 45 * time.Second

// Watch tells of each change of a message, without gaps: when the stream breaks it goes on by itself from the last cursor.
//
// It ends when the caller breaks off the loop, when ctx ends, or with an error that does not pass, such as a revoked key or
// CURSOR_EXPIRED. To go on after a restart of the own program, keep the cursor of the last response and give it in the request.
func (c *Client) Watch(ctx context.Context, request *postriderv1.WatchMessagesRequest) iter.Seq2[*postriderv1.WatchMessagesResponse, error] {
	return func(yield func(*postriderv1.WatchMessagesResponse, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		request := proto.CloneOf(request)
		for attempt := 0; ; attempt++ {
			before := request.GetCursor()
			more, failure := c.watchOnce(ctx, request, yield)
			if !more {
				return
			}
			if request.GetCursor() != before {
				attempt = 0
			}
			delay, again := failure.resumes(attempt)
			if !again || ctx.Err() != nil || !wait(ctx, delay) {
				yield(nil, failure)
				return
			}
		}
	}
}

// watchOnce hands out one stream's events and moves the request's cursor on. It gives false when the caller has enough.
func (c *Client) watchOnce(ctx context.Context, request *postriderv1.WatchMessagesRequest,
	yield func(*postriderv1.WatchMessagesResponse, error) bool) (bool, *Error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	silent := time.AfterFunc(c.silence, cancel)
	defer silent.Stop()
	stream, err := c.WatchMessages(ctx, request)
	if err != nil {
		return true, newError(err)
	}
	for {
		response, err := stream.Recv()
		if err != nil {
			return true, newError(err)
		}
		silent.Stop()
		request.Cursor = response.GetCursor()
		if response.GetMessage() != nil && !yield(response, nil) {
			return false, nil
		}
		silent.Reset(c.silence)
	}
}

// WatchSettingsTest does TestSettings and tells of each step as it begins and ends; the last response has the result. For people who
// wait for it. The test goes on to its end also when the caller breaks off the loop.
//
// It has a call's deadline, and is asked for again, under one request_id, only as long as nothing of it came.
func (c *Client) WatchSettingsTest(ctx context.Context, request *postriderv1.WatchSettingsTestRequest) iter.Seq2[*postriderv1.WatchSettingsTestResponse, error] {
	return func(yield func(*postriderv1.WatchSettingsTestResponse, error) bool) {
		ctx, cancel := c.caller.within(ctx)
		defer cancel()
		request := withRequestID(request).(*postriderv1.WatchSettingsTestRequest)
		for attempt := 0; ; attempt++ {
			silent := true
			stream, err := c.SettingsServiceClient.WatchSettingsTest(ctx, request)
			for err == nil {
				var response *postriderv1.WatchSettingsTestResponse
				if response, err = stream.Recv(); err == nil {
					silent = false
					if !yield(response, nil) {
						return
					}
				}
			}
			if errors.Is(err, io.EOF) {
				return
			}
			failure := newError(err)
			delay, again := failure.again(true, attempt)
			if !silent || !again || !wait(ctx, delay) {
				yield(nil, failure)
				return
			}
		}
	}
}

// resumes tells whether a broken stream may be taken up again, and after how long.
func (e *Error) resumes(attempt int) (time.Duration, bool) {
	if delay, again := e.again(true, attempt); again {
		return delay, true
	}
	// The stream was cut: by the network, by a proxy, by our own impatience with its silence, or without a word.
	cut := e.Code == codes.Internal || e.Code == codes.Unknown || e.Code == codes.Canceled || e.Code == codes.OK
	return growing(attempt), e.Reason == "" && cut
}
