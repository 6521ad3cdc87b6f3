package main

import (
	"context"
	"errors"
	"io"

	stardagv1 "stardag.dev/clients/go/gen/stardag/v1"
)

// watchBuild reports the state of a build and then its changes, until it has ended. It waits for a
// build that is not known yet, as its first events may be on their way; after a failure that is
// worth it, it goes on where it was.
func watchBuild(
	ctx context.Context, client stardagv1.EventServiceClient, buildID string,
	report func(*stardagv1.WatchBuildResponse),
) error {
	request := &stardagv1.WatchBuildRequest{BuildId: buildID, Mode: stardagv1.WatchMode_WATCH_MODE_STATE}
	for {
		err := watchOnce(ctx, client, request, report)
		delay, again := retryDelay(err)
		if !again && reason(err) != "BUILD_NOT_FOUND" {
			return err
		}
		if err := pause(ctx, delay); err != nil {
			return err
		}
	}
}

// watchOnce is watchBuild over one call. It leaves in the request the cursor to go on from.
func watchOnce(
	ctx context.Context, client stardagv1.EventServiceClient, request *stardagv1.WatchBuildRequest,
	report func(*stardagv1.WatchBuildResponse),
) error {
	call, err := client.WatchBuild(ctx, request)
	if err != nil {
		return err
	}
	for {
		response, err := call.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		request.Cursor = response.Cursor
		report(response)
	}
}
