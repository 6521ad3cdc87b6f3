package main

import (
	"google.golang.org/protobuf/proto"

	stardagv1 "stardag.dev/clients/go/gen/stardag/v1"
)

// What precedes an event in its message: one byte of tag, and its length in at most five.
const tagAndLength = 6

// What `first_sequence` takes in the message: one byte of tag, and at most ten of number.
const firstSequence = 11

// firstBatch returns as many of the first events as one message may have, and at least one: what is
// too large even alone, the server refuses with the reason.
func firstBatch(events []*stardagv1.NewEvent, limits *stardagv1.EventStreamOpened) []*stardagv1.NewEvent {
	size := firstSequence
	for i, event := range events {
		size += proto.Size(event) + tagAndLength
		full := i == int(limits.MaxBatchEvents) || size > int(limits.MaxBatchBytes)
		if full && i > 0 {
			return events[:i]
		}
	}
	return events
}
