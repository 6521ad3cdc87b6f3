import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";

import type { Interceptor, Transport } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";

import { parseAddress } from "./address.ts";
import { retryDelayMs } from "./errors.ts";

const ATTEMPTS = 5;

/** The way to a server; clients of its services are made of `transport`. */
export interface Connection {
  transport: Transport;
  /** Ends the connection, and whatever calls are open. */
  close(): void;
}

/**
 * Prepares to call a server, with the credential in each call. With TLS, the server is trusted by the
 * authorities in `caFile`, or those of the system if there is none.
 */
export function connect(server: string, token: string, caFile: string | undefined): Connection {
  const { hostAndPort, tls } = parseAddress(server);
  const baseUrl = `${tls ? "https" : "http"}://${hostAndPort}`;
  const nodeOptions = caFile ? { ca: readFileSync(caFile) } : {};
  const sessionManager = new Http2SessionManager(baseUrl, {}, nodeOptions);
  const transport = createGrpcTransport({
    baseUrl,
    sessionManager,
    interceptors: [retrying, bearer(token)],
  });
  return { transport, close: () => sessionManager.abort() };
}

/** Makes a read again that failed for now. Streams it leaves to those who know where to go on. */
const retrying: Interceptor = (next) => async (request) => {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await next(request);
    } catch (error) {
      const delay = retryDelayMs(error);
      if (request.stream || delay === undefined || attempt === ATTEMPTS) throw error;
      await setTimeout(delay, undefined, { signal: request.signal });
    }
  }
};

function bearer(token: string): Interceptor {
  return (next) => (request) => {
    request.header.set("authorization", `Bearer ${token}`);
    return next(request);
  };
}
