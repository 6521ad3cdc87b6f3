package main

import (
	"testing"

	stardagv1 "stardag.dev/clients/go/gen/stardag/v1"
)

// Each of these events takes 18 bytes of its own.
var threeEvents = []*stardagv1.NewEvent{
	{BuildId: make([]byte, 16)}, {BuildId: make([]byte, 16)}, {BuildId: make([]byte, 16)},
}

func TestABatchHasAsManyEventsAsItsLimitsAllow(t *testing.T) {
	for _, test := range []struct{ events, bytes, want uint32 }{
		{events: 10, bytes: 1000, want: 3},
		{events: 2, bytes: 1000, want: 2},
		{events: 10, bytes: firstSequence + 2*(18+tagAndLength), want: 2},
		{events: 10, bytes: firstSequence + 2*(18+tagAndLength) - 1, want: 1},
	} {
		limits := &stardagv1.EventStreamOpened{MaxBatchEvents: test.events, MaxBatchBytes: test.bytes}
		if got := firstBatch(threeEvents, limits); len(got) != int(test.want) {
			t.Errorf("a batch of at most %d events and %d bytes has %d, want %d", test.events, test.bytes, len(got), test.want)
		}
	}
}

func TestAnEventThatIsTooLargeGoesAlone(t *testing.T) {
	limits := &stardagv1.EventStreamOpened{MaxBatchEvents: 10, MaxBatchBytes: 1}
	if got := firstBatch(threeEvents, limits); len(got) != 1 {
		t.Errorf("a batch has %d events, want 1", len(got))
	}
}
