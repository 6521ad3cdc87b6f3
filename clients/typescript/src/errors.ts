import { durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";

import { ErrorInfoSchema, RetryInfoSchema } from "../gen/google/rpc/error_details_pb.js";

const DOMAIN = "stardag.dev";
const DEFAULT_DELAY_MS = 200;

/**
 * Returns why the service refused a call, such as BUILD_NOT_FOUND; undefined if somebody else ended
 * it. Programs act on code and reason, never on the message.
 */
export function reason(error: unknown): string | undefined {
  const [info] = ConnectError.from(error).findDetails(ErrorInfoSchema);
  return info?.domain === DOMAIN ? info.reason : undefined;
}

/** Returns what a person should know of a failure, in one line. */
export function text(error: unknown): string {
  if (!(error instanceof ConnectError)) {
    return error instanceof Error ? error.message : String(error);
  }
  const why = reason(error);
  return `${Code[error.code]}${why ? ` (${why})` : ""}: ${error.rawMessage}`;
}

/** Returns after how long a failed call is worth trying again; undefined if it is not at all. */
export function retryDelayMs(error: unknown): number | undefined {
  const failure = ConnectError.from(error);
  const [info] = failure.findDetails(RetryInfoSchema);
  const told = info?.retryDelay && durationMs(info.retryDelay);
  switch (failure.code) {
    case Code.Unavailable:
      return told ?? DEFAULT_DELAY_MS;
    case Code.ResourceExhausted:
      return told;
    case Code.Aborted:
      // So Connect calls a connection that broke: with a cause of this side, not the server's.
      return failure.cause === undefined ? undefined : DEFAULT_DELAY_MS;
    default:
      return undefined;
  }
}
