import { isIPv4 } from "node:net";

/** Where a server is, and whether the way there is encrypted. */
export interface Address {
  hostAndPort: string;
  tls: boolean;
}

const DEFAULT_PORT = "7465";
const HTTPS_PORT = "443";

/**
 * Reads `host`, `host:port`, `http://host:port` or `https://host:port`. Without a scheme, this machine
 * is called in plain text, and any other by TLS. Refuses plain text to another machine, which would
 * show the token to the network.
 */
export function parseAddress(text: string): Address {
  const form = /^(?:(\w+):\/\/)?(\[[\da-f:.]+\]|[^\s:/@]+)(?::(\d+))?\/?$/i.exec(text);
  const [, scheme, host, port] = form ?? [];
  if (host === undefined) {
    throw new Error(`STARDAG_SERVER is "${text}", and not of the form https://host:port`);
  }
  if (scheme !== undefined && scheme !== "http" && scheme !== "https") {
    throw new Error(`STARDAG_SERVER has the scheme "${scheme}"; use https://`);
  }
  const tls = scheme === "https" || (scheme === undefined && !isLoopback(host));
  const hostAndPort = `${host}:${port ?? (scheme === "https" ? HTTPS_PORT : DEFAULT_PORT)}`;
  if (!tls && !isLoopback(host)) {
    throw new Error(`the token would go to ${hostAndPort} unencrypted; use https://`);
  }
  return { hostAndPort, tls };
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "[::1]" || (isIPv4(host) && host.startsWith("127."));
}
