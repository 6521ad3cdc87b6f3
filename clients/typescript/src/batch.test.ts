import assert from "node:assert/strict";
import { test } from "node:test";

import { create } from "@bufbuild/protobuf";

import { NewEventSchema } from "../gen/stardag/v1/event_pb.js";
import { FIRST_SEQUENCE, firstBatch, TAG_AND_LENGTH } from "./batch.ts";

// Each of these events takes 18 bytes of its own.
const event = create(NewEventSchema, { buildId: new Uint8Array(16) });
const threeEvents = [event, event, event];
const twoEventsBytes = FIRST_SEQUENCE + 2 * (18 + TAG_AND_LENGTH);

test("a batch has as many events as its limits allow", () => {
  for (const [maxBatchEvents, maxBatchBytes, expected] of [
    [10, 1000, 3],
    [2, 1000, 2],
    [10, twoEventsBytes, 2],
    [10, twoEventsBytes - 1, 1],
  ] as const) {
    const batch = firstBatch(threeEvents, { maxBatchEvents, maxBatchBytes });
    assert.equal(batch.length, expected, `at most ${maxBatchEvents} and ${maxBatchBytes} bytes`);
  }
});

test("an event that is too large goes alone", () => {
  assert.equal(firstBatch(threeEvents, { maxBatchEvents: 10, maxBatchBytes: 1 }).length, 1);
});
