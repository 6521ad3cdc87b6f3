package main

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	errorDomain  = "stardag.dev"
	defaultDelay = 200 * time.Millisecond
)

// detail returns the first detail of a failed call that is a T, or nil.
func detail[T any](err error) *T {
	for _, detail := range status.Convert(err).Details() {
		if found, ok := detail.(*T); ok {
			return found
		}
	}
	return nil
}

// reason returns why the service refused a call, such as BUILD_NOT_FOUND; it is empty if the call
// succeeded or somebody else ended it. Programs act on code and reason, never on the message.
func reason(err error) string {
	if info := detail[errdetails.ErrorInfo](err); info.GetDomain() == errorDomain {
		return info.GetReason()
	}
	return ""
}

// text returns what a person should know of a failure, in one line.
func text(err error) string {
	failed, isStatus := status.FromError(err)
	switch why := reason(err); {
	case !isStatus:
		return err.Error()
	case why != "":
		return fmt.Sprintf("%s (%s): %s", failed.Code(), why, failed.Message())
	default:
		return fmt.Sprintf("%s: %s", failed.Code(), failed.Message())
	}
}

// retryDelay returns after how long a failed call is worth trying again, if it is at all.
func retryDelay(err error) (time.Duration, bool) {
	delay := defaultDelay
	told := detail[errdetails.RetryInfo](err)
	if told != nil {
		delay = told.GetRetryDelay().AsDuration()
	}
	code := status.Code(err)
	return delay, code == codes.Unavailable || code == codes.ResourceExhausted && told != nil
}

// pause waits, and returns an error if the context ends first.
func pause(ctx context.Context, delay time.Duration) error {
	select {
	case <-time.After(delay):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
