import { setTimeout } from "node:timers/promises";

import type { Client } from "@connectrpc/connect";

import {
  WatchMode,
  type EventService,
  type WatchBuildResponse,
} from "../gen/stardag/v1/event_service_pb.js";
import { reason, retryDelayMs } from "./errors.ts";

const UNKNOWN_BUILD_DELAY_MS = 200;

/**
 * Yields the state of a build and then its changes, until it has ended. Waits for a build that is not
 * known yet, as its first events may be on their way; after a failure that is worth it, goes on
 * where it was.
 */
export async function* watchBuild(
  client: Client<typeof EventService>,
  buildId: string,
  signal: AbortSignal,
): AsyncGenerator<WatchBuildResponse> {
  let cursor = "";
  for (;;) {
    const request = { buildId, mode: WatchMode.STATE, cursor };
    try {
      for await (const response of client.watchBuild(request, { signal })) {
        cursor = response.cursor;
        yield response;
      }
      return;
    } catch (error) {
      const unknown = reason(error) === "BUILD_NOT_FOUND";
      const delay = unknown ? UNKNOWN_BUILD_DELAY_MS : retryDelayMs(error);
      if (delay === undefined) throw error;
      await setTimeout(delay, undefined, { signal });
    }
  }
}
