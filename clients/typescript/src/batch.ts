import { toBinary } from "@bufbuild/protobuf";

import { NewEventSchema, type NewEvent } from "../gen/stardag/v1/event_pb.js";
import type { EventStreamOpened } from "../gen/stardag/v1/event_service_pb.js";

export type BatchLimits = Pick<EventStreamOpened, "maxBatchEvents" | "maxBatchBytes">;

/** What precedes an event in its message: one byte of tag, and its length in at most five. */
export const TAG_AND_LENGTH = 6;
/** What `first_sequence` takes in the message: one byte of tag, and at most ten of number. */
export const FIRST_SEQUENCE = 11;

/**
 * Returns as many of the first events as one message may have, and at least one: what is too large
 * even alone, the server refuses with the reason.
 */
export function firstBatch(events: NewEvent[], limits: BatchLimits): NewEvent[] {
  let bytes = FIRST_SEQUENCE;
  const end = events.findIndex((event, index) => {
    bytes += toBinary(NewEventSchema, event).length + TAG_AND_LENGTH;
    const full = index === limits.maxBatchEvents || bytes > limits.maxBatchBytes;
    return full && index > 0;
  });
  return end < 0 ? events : events.slice(0, end);
}
