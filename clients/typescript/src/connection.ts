import type { Interceptor, Transport } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";

/** The way to a server; clients of its services are made of `transport`. */
export interface Connection {
  transport: Transport;
  /** Ends the connection, and whatever calls are open. */
  close(): void;
}

/**
 * Prepares to call `host:port`, with the credential in each call: by TLS unless the server is this
 * machine itself, so that no token crosses a network in plain text.
 */
export function connect(server: string, token: string): Connection {
  const host = /^(.+):\d+$/.exec(server)?.[1];
  if (host === undefined) {
    throw new Error(`STARDAG_SERVER is ${server}, and not of the form host:port`);
  }
  const baseUrl = `${isLoopback(host) ? "http" : "https"}://${server}`;
  const sessionManager = new Http2SessionManager(baseUrl);
  const transport = createGrpcTransport({
    baseUrl,
    sessionManager,
    interceptors: [bearer(token)],
  });
  return { transport, close: () => sessionManager.abort() };
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(host);
}

function bearer(token: string): Interceptor {
  return (next) => (request) => {
    request.header.set("authorization", `Bearer ${token}`);
    return next(request);
  };
}
